// `fairlead attach` on a real pseudo-terminal before a real server: the terminal behind it, here our own model, is given
// back as it was lent, its answers are not typed, and its keys are keys in whatever way it sends them.

import Foundation
import NIOCore
import NIOPosix
import Pipes
import Screen
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct LentTerminalTests {
  /// What a program may leave behind, of each kind.
  private static let leftBehind =
    #"\033[?7l\033[4h\033[20h\033]4;1;#102030\007\033]10;#010203\007\033]11;#222222\007\033]12;#333333\007"#
    + #"\033]8;;http://x/\007\033[>1u\033[=5;1u\033[?2004h\033[?1h\033=\033[5 q\033[22t\033]2;left\007"#
    + #"\033[?1049h\033[>3u\033[3;9r\033[?6h\033[?1003;1006h\033[?25l\033(0\033[31m"#

  private func attached(_ script: String, _ body: (LentTerminal) async throws -> Void) async throws
  {
    // The terminal's own settings are shown behind it, as it has them then.
    try await running("$fairlead new --api $api -- sh -c '\(script)'; stty -a; echo over", body)
  }

  /// Runs `command` on a terminal; `$fairlead` is the program, and `$api` where a server is.
  private func running(_ command: String, _ body: (LentTerminal) async throws -> Void) async throws
  {
    let server = try Fairlead.start(["serve", "--listen", "127.0.0.1:0", "--no-auth"])
    let port = try port(in: try await server.line(with: "serves on"))
    let names = "fairlead=\(Fairlead.path) api=http://127.0.0.1:\(port)"
    try await body(
      try await LentTerminal.start(["sh", "-c", "\(names); echo pid=$$.; \(command)"]))
  }

  @Test func theTerminalIsGivenBackAsItWas() async throws {
    try await attached("printf \"\(Self.leftBehind)READY\"; exec sleep 600") { terminal in
      try await terminal.wait(for: "READY")
      #expect(try await terminal.restoration != "\u{1B}[0m", "there is something to undo")
      try await terminal.type("\r~.")
      try await terminal.wait(for: "over")
      #expect(try await terminal.restoration == "\u{1B}[0m")
      let output = try await terminal.output
      #expect(output.contains("detached from"))
      #expect(output.contains(" icanon") && output.contains(" echo "), "raw mode is over")
      // Each buffer's keyboard flags are taken back while it is shown.
      let undone = try #require(output.range(of: "\u{1B}[<1u\u{1B}[?1049l"))
      #expect(output[undone.upperBound...].contains("\u{1B}[<1u"))
      #expect(output.contains("\u{1B}[22;0t") && output.contains("\u{1B}[23;0t"), "the old title")
    }
  }

  /// What the user's terminal showed is scrolled up, and what was set on it before stays.
  @Test func whatTheTerminalShowedBeforeIsStillThere() async throws {
    let command = #"""
      $fairlead new --detached --session s --api $api -- sh -c 'printf "RE\033[1mADY"; exec sleep 600'
      until $fairlead screen s --api $api | grep -q READY; do sleep 0.1; done
      printf '\033]11;#102030\007'; seq -f 'old %g.' 60; $fairlead attach s --api $api; echo over
      """#
    try await running(command) { terminal in
      try await terminal.wait(for: "ADY")
      try await terminal.type("\r~.")
      try await terminal.wait(for: "over")
      let lines = try await terminal.text.split(separator: "\n").map(String.init)
      for line in 1...60 { #expect(lines.contains("old \(line)."), "\(lines)") }
      #expect(lines.contains("READY"))
      #expect(
        try await terminal.restoration.contains("\u{1B}]111"), "the background is the user's still")
    }
  }

  /// A pipe is no terminal.
  @Test func aPipeGetsTheTextOfTheScreen() async throws {
    let server = try Fairlead.start(["serve", "--listen", "127.0.0.1:0", "--no-auth"])
    let api = "http://127.0.0.1:\(try port(in: try await server.line(with: "serves on")))"
    func run(_ arguments: [String]) async throws -> String {
      try await Fairlead.run(arguments, environment: ["FAIRLEAD_API": api]).output
    }
    _ = try await run(["new", "--session", "s", "--", "sh", "-c", "seq -f 'line %g' 40; exit 3"])
    let output = try await run(["attach", "s"])
    #expect(output.contains("line 1\n") && output.contains("line 39\nline 40"), "\(output)")
    #expect(!output.contains("\u{1B}") && !output.contains("\n\n\n"), "\(output.debugDescription)")
  }

  /// Killed, it has no time to ask anybody.
  @Test func aSignalGivesTheTerminalBackAsWell() async throws {
    try await attached("printf \"\(Self.leftBehind)READY\"; exec sleep 600") { terminal in
      try await terminal.wait(for: "READY")
      try await terminal.terminateAttach()
      try await terminal.wait(for: "over")
      #expect(try await terminal.restoration == "\u{1B}[0m")
      #expect(try await terminal.output.contains(" icanon"))
    }
  }

  @Test(arguments: [
    ["\u{1B}[13u", "\u{1B}[126u", "\u{1B}[46u"], ["\u{1B}[13u\u{1B}[96:126;2u\u{1B}[46u"],
  ])
  func theEscapeIsSeenInTheKeyboardsOwnProtocol(keys: [String]) async throws {
    try await attached("printf \"\\033[>9uREADY\"; exec cat -v") { terminal in
      try await terminal.wait(for: "READY")
      for key in keys { try await terminal.type(key) }
      try await terminal.wait(for: "over")
      #expect(try await terminal.output.contains("detached from"))
    }
  }

  /// What xterm.js lacks and this terminal has is part of what a client that comes later is shown.
  @Test func aTerminalThatComesLaterGetsTheKeyboardsProtocol() async throws {
    let script = #"printf "\033[>5u\033[>4;2mREADY"; exec sleep 600"#
    let command = """
      $fairlead new --detached --session s --api $api -- sh -c '\(script)'
      until $fairlead screen s --api $api | grep -q READY; do sleep 0.1; done
      $fairlead attach s --api $api; echo over
      """
    try await running(command) { terminal in
      try await terminal.wait(for: "READY")
      #expect(try await terminal.output.contains("\u{1B}[>5u"))
      #expect(try await terminal.output.contains("\u{1B}[>4;2m"))
      try await terminal.type("\r~.")
      try await terminal.wait(for: "over")
      #expect(try await terminal.output.contains("\u{1B}[<1u"))
      #expect(try await terminal.output.contains("\u{1B}[>4m"))
    }
  }

  /// The node answers programs; this terminal, which answers too, is not heard. Keys that begin alike are.
  @Test func answersAreNotTypedAndKeysAre() async throws {
    let queries = #"\033[6n\033[c\033]11;?\033\\\\\033[?2026\$p\033P\$qm\033\\\\"#
    try await attached("stty raw -echo; printf \"\(queries)READY\"; exec cat -v") { terminal in
      try await terminal.wait(for: "READY")
      // What the node said is there before any key.
      try await terminal.type("\u{1B}Px\u{7}|")
      try await terminal.wait(for: "^[Px^G|")
      let output = try await terminal.output
      for answer in ["R^[[?1;2c", "^[]11;rgb:", "$y", "^[P1$r"] {
        #expect(
          output.components(separatedBy: answer).count == 2,
          "\(answer) in \(output.debugDescription)")
      }
      try await terminal.type("\r~.")
      try await terminal.wait(for: "over")
    }
  }

  @Test func anInterruptGoesBeforeAPasteThatWaits() async throws {
    try await attached("stty raw -echo; printf READY; exec sleep 600") { terminal in
      try await terminal.wait(for: "READY")
      try await terminal.type(String(repeating: "0123456789", count: 60_000))
      try await terminal.type("\u{3}")
      try await terminal.wait(for: "bytes typed before the interrupt were not sent")
      try await terminal.type("\r~.")
      try await terminal.wait(for: "over")
    }
  }
}

/// A terminal of 80×24 that shows what a process on it prints, and answers its queries. Its process is ended with it.
private final class LentTerminal: Sendable {
  private let eventLoop: any EventLoop
  private let box: NIOLoopBound<Display>

  private init(_ box: NIOLoopBound<Display>) {
    self.box = box
    eventLoop = box.eventLoop
  }

  deinit {
    let box = box
    eventLoop.execute { box.value.pipe.terminate(grace: .milliseconds(200)) }
  }

  static func start(_ command: [String]) async throws -> LentTerminal {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let starter = PTYStarter(environment: ProcessInfo.processInfo.environment)
    let request = PipeRequest(
      session: .random(), creation: Creation(command: command),
      size: TerminalSize(columns: 80, rows: 24))
    return LentTerminal(
      try await eventLoop.flatSubmit {
        starter.start(request, on: eventLoop).map { pipe in
          NIOLoopBound(Display(pipe.value), eventLoop: eventLoop)
        }
      }.get())
  }

  private func on<Result: Sendable>(_ body: @escaping @Sendable (Display) -> Result) async throws
    -> Result
  {
    let box = box
    return try await eventLoop.submit { body(box.value) }.get()
  }

  func type(_ text: String) async throws {
    try await on { $0.pipe.write(ByteBuffer(string: text), from: .report) }
  }

  /// Ends `fairlead` by a signal, but not the shell that started it and said its own number.
  func terminateAttach() async throws {
    let shell = try #require(try await output.firstMatch(of: /pid=(\d+)\./)).1
    let children = try String(
      contentsOfFile: "/proc/\(shell)/task/\(shell)/children", encoding: .utf8)
    let child = try #require(children.split(separator: " ").first.flatMap { pid_t($0) })
    kill(child, SIGTERM)
  }

  var output: String {
    get async throws { try await on { String(decoding: $0.output, as: UTF8.self) } }
  }

  /// Scrollback and screen.
  var text: String { get async throws { try await on { $0.model.text(scrollback: 100) } } }

  /// What would have to be undone now.
  var restoration: String {
    get async throws { try await on { String(decoding: $0.model.restoration(), as: UTF8.self) } }
  }

  func wait(for text: String) async throws {
    do {
      try await eventually("it prints \(text)") { try await output.contains(text) }
    } catch {
      throw ChildError("\(error); it printed \(try await output.debugDescription)")
    }
  }
}

/// Confined to its loop.
private final class Display: PipeDelegate {
  let pipe: any Pipes.Pipe
  let model = Screen(columns: 80, rows: 24, scrollback: 100)
  var output: [UInt8] = []

  init(_ pipe: any Pipes.Pipe) {
    self.pipe = pipe
    pipe.delegate = self
    pipe.isReading = true
  }

  func pipeDidRead(_ bytes: ByteBuffer) {
    output += bytes.readableBytesView
    bytes.withUnsafeReadableBytes { model.write($0) }
    let answers = model.takeAnswers()
    if !answers.isEmpty { pipe.write(ByteBuffer(bytes: answers), from: .report) }
  }

  func pipeDidWrite(_ count: Int) {}
  func pipeDidEnd(_ status: Wire.ExitStatus?, reason: String?) {}
}

// What only a terminal of this machine has to promise: what is typed and printed comes whole (promises P1, P2), what
// hangs holds up nobody else (P7), it runs as no user but one that is allowed (P9), and its end is told as it was (P10).

import Dispatch
import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Wire

@testable import Pipes

@Suite("A terminal of this machine", .timeLimit(.minutes(2 * patience))) struct PTYTests {
  private func run(
    _ environment: [String: String], _ script: String, with more: [String: String] = [:]
  ) async throws -> String {
    let pipe = try await RunningPipe.start(
      PTYStarter(environment: environment),
      PipeRequest(
        session: .random(),
        creation: Creation(command: ["sh", "-c", script], environment: more), size: .standard))
    try await pipe.end()
    return try await pipe.text.trimmingCharacters(in: .newlines)
  }

  @Test("has what a login sets, where the node was started without")
  func bare() async throws {
    let account = try #require(Account.own)
    #expect(
      try await run([:], "echo \"$HOME $USER $LOGNAME $SHELL $LANG $PWD\"")
        == "\(account.home) \(account.name) \(account.name) \(account.shell) C.UTF-8 \(account.home)"
    )
    #expect(try await run(["HOME": "/tmp", "USER": "x"], "echo $HOME $USER $PWD") == "/tmp x /tmp")
    #expect(try await run(["HOME": "/no/such/home"], "echo $PWD") == "/")
  }

  @Test("has a locale that knows more than ASCII, unless it is told another")
  func locale() async throws {
    #expect(
      try await run(["LC_ALL": "de_DE.UTF-8"], "echo \"[$LANG][$LC_ALL]\"") == "[][de_DE.UTF-8]")
    #expect(try await run(["LANG": ""], "echo $LANG") == "C.UTF-8")
    #expect(try await run([:], "echo $LANG", with: ["LANG": "C"]) == "C")
  }

  private func run(
    as user: UserName?, on starter: PTYStarter, _ script: String
  ) async throws -> String {
    let pipe = try await RunningPipe.start(
      starter,
      PipeRequest(
        session: .random(), creation: Creation(command: ["sh", "-c", script], user: user),
        size: .standard))
    try await pipe.end()
    return try await pipe.text.trimmingCharacters(in: .newlines)
  }

  private func refusal(as name: String, on starter: PTYStarter) async -> PipeError? {
    await #expect(throws: PipeError.self) {
      _ = try await run(as: UserName(name), on: starter, "true")
    }
  }

  @Test("runs as who it is, by either name, and as nobody else unless its node says so")
  func itself() async throws {
    let account = try #require(Account.own)
    let starter = PTYStarter(environment: ["HOME": "/tmp"])
    for name in [nil, UserName(account.name), UserName("\(account.uid)")] {
      #expect(try await run(as: name, on: starter, "echo $(id -u) $HOME") == "\(account.uid) /tmp")
    }
    let other = account.name == "nobody" ? "daemon" : "nobody"
    for name in [other, "\(account.uid + 1)", "no-such-user"] {
      let error = await refusal(as: name, on: starter)
      #expect(error?.code == .noUser && error?.message.contains(name) == true)
    }
  }

  @Test(
    "runs as a user that its node allows, as after that one's login",
    .enabled(if: geteuid() == 0, "takes root"))
  func another() async throws {
    let nobody = try #require(Account(named: "nobody"))
    let daemon = try #require(Account(named: "daemon"))
    let starter = PTYStarter(
      environment: ["HOME": "/root", "USER": "root", "PATH": "/usr/bin:/bin"], user: daemon,
      others: [nobody])
    let script = "echo $(id -un) $(id -ng) $USER $HOME; test -w /root || echo unwritable"
    #expect(
      try await run(as: nil, on: starter, script)
        == "daemon daemon daemon \(daemon.home)\r\nunwritable")
    for name in ["nobody", "\(nobody.uid)"] {
      let said = try await run(as: UserName(name), on: starter, script)
      #expect(said.hasPrefix("nobody "), "\(said)")
      #expect(said.hasSuffix(" nobody \(nobody.home)\r\nunwritable"), "\(said)")
    }
    #expect(try await run(as: UserName("nobody"), on: starter, "echo tty >/dev/tty") == "tty")
    // The node's own user is none of theirs.
    for root in ["root", "0"] {
      #expect(await refusal(as: root, on: starter)?.code == .noUser)
    }
    let withRoot = PTYStarter(
      environment: ["HOME": "/tmp"], user: daemon, others: [try #require(Account(named: "root"))])
    #expect(try await run(as: UserName("root"), on: withRoot, "id -u") == "0")
  }

  @Test(
    "is started for others while one user stops what is being started as that one",
    .enabled(if: geteuid() == 0, "takes root"))
  func stopped() async throws {
    // A number that nobody else's processes have: all of them are stopped.
    let victim = try #require(Account(named: "games"))
    let stopper = try ChildProcess(
      "/usr/bin/env",
      [
        "python3", "-c",
        """
        import os, signal
        os.setresgid(\(victim.gid), \(victim.gid), \(victim.gid))
        os.setresuid(\(victim.uid), \(victim.uid), \(victim.uid))
        print("stops", flush=True)
        while True:
          try: os.kill(-1, signal.SIGSTOP)
          except ProcessLookupError: pass
        """,
      ])
    defer { stopper.signal(SIGKILL) }
    _ = try await stopper.line(with: "stops")
    let before = Self.dumpable()
    let starter = PTYStarter(
      environment: [:], user: victim, others: [try #require(Account(named: "root"))],
      threads: StartThreads(count: 1), patience: .milliseconds(200))
    // So many folders to look in take a while, and still one may have executed its program too soon: that one is ended.
    let creation = Creation(
      command: ["true"], environment: ["PATH": String(repeating: "/no:", count: 4_000) + "/bin"])
    try await eventually("one is stopped that is being started") {
      do {
        let pipe = try await RunningPipe.start(
          starter,
          PipeRequest(session: .random(), creation: creation, size: .standard))
        try await pipe.terminate(grace: .zero)
        try await pipe.end()
        return false
      } catch let error as PipeError {
        #expect(error.code == .noCommand && error.message.contains("in time"), "\(error)")
        return true
      }
    }
    #expect(try await run(as: UserName("root"), on: starter, "id -u") == "0")
    #expect(before != nil && Self.dumpable() == before, "this process is as it was")
  }

  /// Whether others of its user may look into this process (prctl(2), PR_GET_DUMPABLE).
  private static func dumpable() -> CInt? {
    typealias Control = @convention(c) (CInt, UInt, UInt, UInt, UInt) -> CInt
    return dlsym(nil, "prctl").map { unsafeBitCast($0, to: Control.self)(3, 0, 0, 0, 0) }
  }

  @Test(
    "is looked for by the user that it runs as, in that one's folders",
    .enabled(if: geteuid() == 0, "takes root"))
  func lookedFor() async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/fairlead-looked-\(UUID())"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (name, mode) in [("there", 0o755), ("data", 0o644)] {
      let file = folder + "/" + name
      try "#!/bin/sh\necho found\n".write(toFile: file, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }
    let daemon: Account = try #require(Account(named: "daemon"))
    let root: Account = try #require(Account(named: "root"))
    let starter = PTYStarter(environment: ["PATH": folder], user: daemon, others: [root])
    func said(_ words: [String], as user: String, path: String? = nil) async throws -> String {
      let creation = Creation(
        command: words, environment: path.map { ["PATH": $0] } ?? [:], user: UserName(user))
      do {
        let pipe = try await RunningPipe.start(
          starter, PipeRequest(session: .random(), creation: creation, size: .standard))
        try await pipe.end()
        return try await pipe.text.trimmingCharacters(in: .newlines)
      } catch let error as PipeError { return error.message }
    }
    #expect(try await said(["there"], as: "root") == "found")
    #expect(try await said(["data"], as: "root") == "data is not executable")
    #expect(!(try await said(["sh", "-c", "echo $PATH"], as: "daemon").contains(folder)))
    // It learns nothing of what it may not see.
    let path = folder + ":/usr/bin:/bin"
    for name in ["there", "data", "absent"] {
      #expect(
        try await said([name], as: "daemon", path: path) == "command not found: \(name)")
      #expect(
        try await said([folder + "/" + name], as: "daemon")
          == "cannot execute \(folder)/\(name): Permission denied")
    }
    #expect(try await said(["true"], as: "daemon", path: path) == "")
  }

  @Test("does not tell where it looked for a command")
  func commandNotFound() async throws {
    let error = try await #require(throws: PipeError.self) {
      try await Backend.pty.start(["no-such-program"])
    }
    #expect(error.message == "command not found: no-such-program")
  }

  @Test("of which its leader lets go lasts as long as the leader")
  func letGo() async throws {
    let pipe = try await Backend.pty.start(
      shell: "echo going; exec </dev/null >/dev/null 2>&1; sleep 1; exit 9")
    #expect(try await pipe.end().status == .exited(code: 9), "and not by a hangup")
    #expect(try await pipe.text == "going\r\n")
  }

  @Test("that is held back hands on no flood when its leader has gone, only what it holds")
  func floodAfterTheEnd() async throws {
    let pipe = try await Backend.pty.start(
      shell: "trap '' HUP; yes & echo pid=$!; read x; exit 3")
    let pid = try await pipe.line(after: "pid=")
    defer { kill(pid_t(pid) ?? 0, SIGKILL) }
    try await pipe.setReading(false)
    try await pipe.type("\n")
    let before = try await pipe.output.count
    #expect(try await pipe.end().status == .exited(code: 3))
    let more = try await pipe.output.count - before
    #expect(more <= PipeReading.most + PipeLimits.rest + 4_096)
  }

  @Test("is refused for now while all that start one wait, and started once they do not")
  func hangingStarts() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let threads = StartThreads(count: 1, most: 2, patience: .milliseconds(50))
    let hangs = DispatchSemaphore(value: 0)
    let first = threads.run(on: loop) { hangs.wait() }
    for _ in 0..<2 {
      let error = await #expect(throws: PipeError.self) {
        try await threads.run(on: loop) {}.get()
      }
      #expect(error?.code == .resources)
    }
    hangs.signal()
    try await first.get()
    try await eventually("there is room") { (try? await threads.run(on: loop) {}.get()) != nil }
  }

  @Test("takes what is typed while its process does not read, once it does")
  func unread() async throws {
    let pipe = try await Backend.pty.start(
      shell: "stty raw -echo; echo ready; sleep 1; exec head -c 100000")
    try await pipe.wait(for: "ready\n")
    let start = try await pipe.output.count
    let bytes = (0..<100_000).map { UInt8($0 % 64 + 32) }
    // In odd pieces, so that some begin while others are under way.
    for start in stride(from: 0, to: bytes.count, by: 1_777) {
      try await pipe.type(Array(bytes[start..<min(start + 1_777, bytes.count)]))
    }
    #expect(try await pipe.end().status == .exited(code: 0))
    #expect(try await Array(pipe.output.dropFirst(start)) == bytes)
    #expect(try await pipe.written == bytes.count)
  }

  @Test("tells what it cannot know as unknown")
  func unknownEnd() async throws {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    // Not a child of this process: as one that somebody else has reaped.
    let child = try ExitWatcher.shared.start(on: eventLoop) { _ in .init(pid: 1) }
    #expect(try await child.ended.get() == nil)
  }

  @Test(
    "A shell is told from what is at work",
    arguments: [
      (["-bash"], true), (["/bin/bash", "--norc", "-i"], true), (["sh"], true),
      (["zsh", "-il"], true),
      (["bash", "--rcfile", "x"], true), (["fish"], true), (["bash", "-o", "vi"], true),
      (["sh", "-c", "make"], false), (["bash", "-lc", "make"], false), (["bash", "script"], false),
      (["bash", "--norc", "script", "-i"], false), (["sleep", "40"], false),
      (["ssh", "host"], false),
      (["bash", "--", "script"], false), ([], false), (["sh", "-"], true),
    ] as [([String], Bool)])
  func shells(_ words: [String], _ isShell: Bool) {
    #expect(ShellCommand.isInteractive(words) == isShell)
  }
}

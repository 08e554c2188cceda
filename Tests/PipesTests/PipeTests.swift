// What every pipe promises, checked against each backend alike.

import Foundation
import NIOCore
import Pipes
import TestSupport
import Testing
import Wire

@Suite("Every pipe", .timeLimit(.minutes(3 * patience))) struct PipeTests {
  // MARK: Bytes (P1, P2)

  @Test("passes every byte value in both directions", arguments: Backend.allCases)
  func everyByte(_ backend: Backend) async throws {
    let pipe = try await backend.start(shell: "stty raw -echo; echo ready; exec cat")
    try await pipe.wait(for: "ready\n")
    let start = try await pipe.output.count
    // Control characters one by one in every order that matters to a filter: ctrl-p ctrl-q is among
    // them, which an engine takes for its own unless told otherwise.
    let bytes = Array(UInt8.min...UInt8.max) + [0x10, 0x11, 0x1E, 0x1E, 0x61] + Array("end".utf8)
    try await pipe.type(bytes)
    try await pipe.wait(forBytes: start + bytes.count)
    #expect(try await Array(pipe.output.dropFirst(start)) == bytes)
    try await pipe.terminate()
    try await pipe.end()
  }

  @Test("echoes what is typed, as a terminal does", arguments: Backend.allCases)
  func echo(_ backend: Backend) async throws {
    let pipe = try await backend.start(["cat"])
    try await pipe.type("hélo\n")
    try await pipe.wait(for: "hélo\r\nhélo\r\n")
    try await pipe.type([0x04])
    #expect(try await pipe.end().status == .exited(code: 0))
    #expect(try await pipe.text == "hélo\r\nhélo\r\n")
  }

  @Test("brings a megabyte exactly, and all of it before the end", arguments: Backend.allCases)
  func megabyte(_ backend: Backend) async throws {
    let pipe = try await backend.start(shell: "stty raw -echo; exec seq 1 160000")
    #expect(try await pipe.end().status == .exited(code: 0))
    let expected = Array((1...160_000).map { "\($0)\n" }.joined().utf8)
    #expect(expected.count > 1_000_000)
    #expect(try await pipe.output == expected)
  }

  @Test("takes a large paste whole and tells how much was taken", arguments: Backend.allCases)
  func paste(_ backend: Backend) async throws {
    let pipe = try await backend.start(shell: "stty raw -echo; echo ready; exec head -c 300000")
    try await pipe.wait(for: "ready\n")
    let start = try await pipe.output.count
    var seed = SystemRandomNumberGenerator()
    let paste = (0..<300_000).map { _ in UInt8.random(in: 0x20...0x7E, using: &seed) }
    for begin in stride(from: 0, to: paste.count, by: 16_384) {
      try await pipe.type(Array(paste[begin..<min(begin + 16_384, paste.count)]))
    }
    #expect(try await pipe.end().status == .exited(code: 0))
    #expect(try await Array(pipe.output.dropFirst(start)) == paste)
    #expect(try await pipe.written == paste.count)
  }

  @Test("holds the process back while nobody reads", arguments: Backend.allCases)
  func backPressure(_ backend: Backend) async throws {
    let progress = "/tmp/fl-progress-\(UUID())"
    let pipe = try await backend.start(
      shell: """
        stty raw -echo; i=0
        while [ $i -lt 40 ]; do
          head -c 1000000 /dev/zero | tr '\\0' x; i=$((i+1)); echo $i >\(progress)
        done
        """, isReading: false)
    // It stands still when two looks at its progress agree.
    var last = ""
    try await eventually("the process stands still") {
      try await Task.sleep(for: .milliseconds(300))
      let now = try await backend.run("cat \(progress) 2>/dev/null || echo 0").output
      defer { last = now }
      return now == last && !now.isEmpty
    }
    let megabytes = Int(last.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
    #expect((0...10).contains(megabytes), "it went on to \(megabytes) MB")
    #expect(try await pipe.output.isEmpty)
    #expect(try await !pipe.hasEnded)
    try await pipe.setReading(true)
    try await pipe.end()
    let output = try await pipe.output
    #expect(output.count == 40_000_000)
    #expect(output.allSatisfy { $0 == UInt8(ascii: "x") })
    _ = try await backend.run("rm -f \(progress)")
  }

  // MARK: Size

  @Test("has its size soon after the start, and each new one", arguments: Backend.allCases)
  func size(_ backend: Backend) async throws {
    let pipe = try await backend.start(
      shell: """
        for size in '33 101' '50 132' '10 20'; do
          until [ "$(stty size 2>/dev/null)" = "$size" ]; do sleep 0.02; done
          echo "size is $size"
        done
        """, size: TerminalSize(columns: 101, rows: 33))
    try await pipe.wait(for: "size is 33 101")
    // The newest of several counts.
    for columns in 121...132 { try await pipe.resize(columns: columns, rows: 50) }
    try await pipe.wait(for: "size is 50 132")
    try await pipe.resize(columns: 20, rows: 10)
    try await pipe.wait(for: "size is 10 20")
    #expect(try await pipe.end().status == .exited(code: 0))
    try await pipe.resize(columns: 80, rows: 24)  // harmless after the end
  }

  @Test("has its size from the first instruction on")
  func sizeAtOnce() async throws {
    let pipe = try await Backend.pty.start(
      ["stty", "size"], size: TerminalSize(columns: 101, rows: 33))
    try await pipe.end()
    #expect(try await pipe.text == "33 101\r\n")
  }

  // MARK: Start

  @Test("gives the process its environment and directory", arguments: Backend.allCases)
  func environment(_ backend: Backend) async throws {
    let session = SessionID.random()
    let pipe = try await backend.start(
      shell: "echo \"[$GREETING] [$TERM] [$FAIRLEAD_SESSION] [$PWD]\"",
      environment: ["GREETING": "a = b, ü", "TERM": "dumb"], in: "/tmp", session: session)
    try await pipe.end()
    #expect(try await pipe.text == "[a = b, ü] [dumb] [\(session)] [/tmp]\r\n")
  }

  @Test("says which command does not exist", arguments: Backend.allCases)
  func noCommand(_ backend: Backend) async throws {
    for command in ["/no/such/program", "no-such-program", "/etc/passwd"] {
      let error = try await #require(throws: PipeError.self) { try await backend.start([command]) }
      #expect(error.code == .noCommand)
      #expect(error.message.contains(command), "\(error.message)")
    }
  }

  @Test("says which directory does not exist", arguments: Backend.allCases)
  func noDirectory(_ backend: Backend) async throws {
    let error = try await #require(throws: PipeError.self) {
      try await backend.start(["sh"], in: "/no/such/directory")
    }
    #expect(error.code == .noCommand)
    #expect(error.message.contains("/no/such/directory"), "\(error.message)")
  }

  @Test("starts a shell if no command is given", arguments: Backend.allCases)
  func shell(_ backend: Backend) async throws {
    let pipe = try await backend.start([])
    try await pipe.type("echo $((6*7))-; exit 5\n")
    try await pipe.wait(for: "42-")
    #expect(try await pipe.end().status == .exited(code: 5))
  }

  // MARK: End

  @Test("tells the exit code, after the last output", arguments: Backend.allCases)
  func exitCode(_ backend: Backend) async throws {
    for code in [0, 7, 126, 127] {
      let pipe = try await backend.start(shell: "echo last words; exit \(code)")
      #expect(try await pipe.end().status == .exited(code: code))
      #expect(try await pipe.text == "last words\r\n")
    }
  }

  @Test("tells the signal, or what a shell makes of it", arguments: Backend.allCases)
  func signalled(_ backend: Backend) async throws {
    let pipe = try await backend.start(shell: "kill -9 $$")
    // The Docker engine does not tell a signal from an exit code.
    let expected: Wire.ExitStatus = backend.isDocker ? .exited(code: 137) : .signalled(number: 9)
    #expect(try await pipe.end().status == expected)
  }

  @Test("ends with its leader, whatever runs in the background", arguments: Backend.allCases)
  func backgroundJob(_ backend: Backend) async throws {
    // Without SIGHUP ignored the kernel would end it with the terminal's leader.
    let pipe = try await backend.start(shell: "trap '' HUP; sleep 600 & echo pid=$!; exit 4")
    let pid = try await pipe.line(after: "pid=")
    #expect(try await pipe.end().status == .exited(code: 4))
    #expect(try await backend.isAlive(pid), "the job did not have to end first")
    _ = try await backend.run("kill -9 \(pid)")
  }

  @Test("ends the process and its jobs when told to", arguments: Backend.allCases)
  func terminate(_ backend: Backend) async throws {
    let pipe = try await backend.start(
      shell: "trap '' HUP; sleep 600 & echo pid=$!; trap - HUP; sleep 601")
    let pid = try await pipe.line(after: "pid=")
    try await pipe.terminate()
    try await pipe.end()
    try await eventually("the job that ignores SIGHUP has gone") {
      try await !backend.isAlive(pid)
    }
  }

  @Test("kills what ignores SIGHUP, even when nobody reads", arguments: Backend.allCases)
  func kill(_ backend: Backend) async throws {
    let pipe = try await backend.start(
      shell: "trap '' HUP TERM INT; echo pid=$$; while :; do sleep 1; done")
    let pid = try await pipe.line(after: "pid=")
    try await pipe.setReading(false)
    try await pipe.terminate()
    let end = try await pipe.end()
    let expected: Wire.ExitStatus = backend.isDocker ? .exited(code: 137) : .signalled(number: 9)
    #expect(end.status == expected, "\(end)")
    #expect(try await !backend.isAlive(pid))
  }

  @Test("wakes a stopped process to end it", arguments: Backend.allCases)
  func stopped(_ backend: Backend) async throws {
    let pipe = try await backend.start(shell: "echo pid=$$; kill -STOP $$; echo unreachable")
    let pid = try await pipe.line(after: "pid=")
    try await eventually("it is stopped") {
      try await backend.run("grep -q '^State:.T' /proc/\(pid)/status").code == 0
    }
    try await pipe.terminate(grace: .seconds(20))
    try await pipe.end()
  }

  @Test("ends a process in the middle of a flood", arguments: Backend.allCases)
  func flood(_ backend: Backend) async throws {
    let pipe = try await backend.start(shell: "exec seq 1 1000000000", isReading: false)
    try await pipe.terminate()
    try await pipe.end()
  }

  @Test("holds a flood back while it is being ended, and still ends", arguments: Backend.allCases)
  func heldWhileEnding(_ backend: Backend) async throws {
    let pipe = try await backend.start(shell: "trap '' HUP; echo up; exec seq 1 1000000000")
    try await pipe.wait(forBytes: 100_000)
    try await pipe.setReading(false)
    let before = try await pipe.output.count
    try await pipe.terminate(grace: .seconds(2))
    let end = try await pipe.end()
    #expect(end.status == (backend.isDocker ? .exited(code: 137) : .signalled(number: 9)))
    // What was under way, and what a terminal may hold at its end.
    let rest = try await pipe.output.count - before
    #expect(rest <= 256 * 1024 + 3 * PipeReading.most, "\(rest)")
  }

  // MARK: Many

  @Test("starts, talks and ends beside many others", arguments: Backend.allCases)
  func many(_ backend: Backend) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 1...(backend.isDocker ? 12 : 60) {
        group.addTask {
          let pipe = try await backend.start(shell: "read line; echo \"got $line\"; exit \(number)")
          try await pipe.type("line \(number)\n")
          #expect(try await pipe.end().status == .exited(code: number))
          #expect(try await pipe.text.contains("got line \(number)\r\n"))
        }
      }
      try await group.waitForAll()
    }
  }

  // MARK: Jobs

  @Test("tells whether a job has the foreground", arguments: [Backend.pty, .docker])
  func foregroundJob(_ backend: Backend) async throws {
    let pipe = try await backend.start(["bash", "--norc", "-i"])
    try await pipe.type("echo rea''dy\n")
    try await pipe.wait(for: "ready")
    try await eventually("the shell waits") { try await pipe.hasForegroundJob == false }
    try await pipe.type("sleep 600\n")
    try await eventually("a job runs") { try await pipe.hasForegroundJob == true }
    try await eventually("the shell waits again") {
      try await pipe.type([0x03])  // one may come before the job has become a program
      return try await pipe.hasForegroundJob == false
    }
    try await pipe.terminate()
    try await pipe.end()
    #expect(try await pipe.hasForegroundJob == false)
  }

  /// A silent one must not be taken for idle.
  @Test(
    "takes its own command for a job, unless that is a shell at its prompt",
    arguments: Backend.allCases)
  func ownCommand(_ backend: Backend) async throws {
    let sleeper = try await backend.start(["sleep", "600"])
    let script = try await backend.start(shell: "echo up; read x; exec sh")
    try await script.wait(for: "up")
    #expect(try await sleeper.hasForegroundJob == true)
    #expect(try await script.hasForegroundJob == true)
    for pipe in [sleeper, script] {
      try await pipe.terminate()
      try await pipe.end()
      #expect(try await pipe.hasForegroundJob == false)
    }
  }

  @Test("does not guess about jobs that it cannot see")
  func unseenJob() async throws {
    let pipe = try await Backend.remoteDocker.start(["bash", "--norc", "-i"])
    #expect(try await pipe.hasForegroundJob == nil)
    try await pipe.terminate()
    try await pipe.end()
  }
}

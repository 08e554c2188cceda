// A real `fairlead serve` in surroundings that are not kind to it: few descriptors, few pseudo-terminals,
// signals that were set by who started it, other users, process 1 of a container (promises P6 and P10).

import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

extension Trait where Self == ConditionTrait {
  fileprivate static var asRoot: Self { .enabled(if: geteuid() == 0, "takes root") }
}

@Suite("Surroundings", .timeLimit(.minutes(3 * patience))) struct SurroundingsTests {
  /// `fairlead serve`, started by a shell after what `before` does.
  private struct Server {
    var process: ChildProcess
    var port: Int
    /// The server's own number, which is that of `process` unless something stands between.
    var pid: Int32
    var url: String { "http://127.0.0.1:\(port)" }

    static func start(_ before: String, _ options: [String] = []) async throws -> Server {
      let command = ["serve", "--listen", "127.0.0.1:0", "--no-auth"] + options
      let process = try ChildProcess(
        "/bin/sh", ["-c", "\(before) exec \"$@\"", "sh", Fairlead.path] + command)
      let port = try TestSupport.port(in: try await process.line(with: "http://"))
      return Server(process: process, port: port, pid: process.pid)
    }

    /// What its descriptors are.
    var descriptors: [String] {
      let folder = "/proc/\(pid)/fd"
      return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
      }
    }
    var terminals: Int { descriptors.filter { $0.contains("ptmx") }.count }

    /// The states of its children, by number.
    var children: [String] {
      get async throws {
        let list = try ChildProcess("/bin/ps", ["-o", "state=", "--ppid", "\(pid)"])
        try await list.waitForExit()
        return list.output.split(whereSeparator: \.isWhitespace).map(String.init)
      }
    }

    func stop() async throws {
      process.signal(SIGTERM)
      #expect(try await process.waitForExit() == 0)
    }
  }

  private func open(
    _ client: RawClient, _ command: [String], in directory: String? = nil, stream: UInt64 = 1
  ) {
    client.send(
      .open(
        Open(
          session: .random(), create: Creation(command: command, workingDirectory: directory),
          size: .standard)), stream: stream)
  }

  private func answer(_ client: RawClient, stream: UInt64 = 1) async throws -> Refused? {
    let frame = try await client.frame("an answer", stream: stream) {
      $0.type == .opened || $0.type == .refused
    }
    if case .refused(let refused) = frame { return refused }
    return nil
  }

  /// What the command prints until its end.
  private func output(_ server: Server, _ command: [String], in directory: String? = nil)
    async throws -> String
  {
    let client = try await RawClient.greet(port: server.port)
    open(client, command, in: directory)
    try await client.frame("the end", stream: 1) { $0.type == .ended || $0.type == .refused }
    return try client.output(stream: 1)
  }

  // MARK: Descriptors

  @Test("A session holds one descriptor, and none once its process has ended")
  func oneEach() async throws {
    let server = try await Server.start("ulimit -Sn 256;", ["--keep-ended", "1h"])
    let before = server.descriptors.count
    let client = try await RawClient.greet(port: server.port)
    for stream in UInt64(1)...20 {
      open(client, ["sh", "-c", "echo ready; read line"], stream: stream)
      try await eventually("it runs") { try client.output(stream: stream).contains("ready") }
    }
    #expect(server.terminals == 20)
    #expect(server.descriptors.count <= before + 20 + 2, "\(server.descriptors)")
    // What does not fit into the terminal takes a second one, and gives it back.
    client.send(.input(offset: 0, .init(bytes: [UInt8](repeating: 0x61, count: 10_000))), stream: 1)
    client.send(.input(offset: 10_000, .init(string: "\n")), stream: 1)
    for stream in UInt64(2)...20 {
      client.send(.input(offset: 0, .init(string: "\n")), stream: stream)
    }
    for stream in UInt64(2)...20 {
      try await client.frame("the end", stream: stream) { $0.type == .ended }
    }
    #expect(server.terminals <= 2)
    let listed = try await Fairlead.run(["sessions", "--api", server.url, "-o", "json"])
    #expect(listed.output.components(separatedBy: "\"ended\"").count > 19, "they are kept")
    try await server.stop()
  }

  @Test("Descriptors that run out refuse a session for now, and harm nobody")
  func fewDescriptors() async throws {
    let server = try await Server.start("ulimit -n 96;")
    let working = try await RawClient.greet(port: server.port)
    let living = working.keepAlive()
    defer { living.cancel() }
    open(working, ["sh", "-c", "stty -echo; echo go; exec cat"])
    try await eventually("it works") { try working.output(stream: 1).contains("go") }
    // More than there are: the last ones wait to be taken in. The server closes those that say nothing after a
    // while, so that on a slow machine more are needed.
    var idle: [RawClient] = []
    var stream: UInt64 = 2
    var refusal: Refused?
    try await eventually("nothing is left") {
      idle.removeAll { $0.isClosed }
      while idle.count < 120 { idle.append(try await RawClient.connect(port: server.port)) }
      open(working, ["true"], stream: stream)
      refusal = try await answer(working, stream: stream)
      stream += 1
      return refusal != nil
    }
    let refused = try #require(refusal)
    #expect(refused.code == .noCapacity)
    #expect(refused.retry != nil)
    #expect(refused.message.contains("descriptor"), "\(refused.message)")
    // A paste that is larger than the terminal's buffer arrives without a second descriptor, too.
    let line = String(repeating: "x", count: 1_000) + "\n"
    for count in UInt64(0)..<20 {
      working.send(.input(offset: count * 1_001, .init(string: line)), stream: 1)
    }
    try await eventually("the session still works") {
      try working.output(stream: 1).filter { $0 == "x" }.count == 20_000
    }
    for client in idle { client.close() }
    idle = []
    try await eventually("there is room again") {
      stream += 1
      open(working, ["true"], stream: stream)
      return try await answer(working, stream: stream) == nil
    }
    #expect(server.process.isRunning)
    try await server.stop()
  }

  @Test("The limit is raised for the server, and not for what it starts")
  func limits() async throws {
    let server = try await Server.start("ulimit -Sn 200; ulimit -Hn 1000;")
    #expect(try await output(server, ["sh", "-c", "ulimit -Sn; ulimit -Hn"]) == "200\r\n1000\r\n")
    _ = try await server.process.line(with: "1000 descriptors")
    let nodes = try await Fairlead.run(["nodes", "--api", server.url, "-o", "json"])
    #expect(nodes.output.contains("\"capacity\" : 468"), "\(nodes.output)")
    try await server.stop()
  }

  @Test("Pseudo-terminals that run out refuse a session for now; HTTP says 503", .asRoot)
  func fewTerminals() async throws {
    let options = "newinstance,ptmxmode=0666,mode=620,max=4"
    let server = try await Server.start(
      """
      if [ -z "$FL_INSIDE" ]; then
        FL_INSIDE=1 exec unshare -m --propagation private sh -c '
          mount -t devpts -o \(options) devpts /dev/pts && mount --bind /dev/pts/ptmx /dev/ptmx &&
            exec "$@"' sh "$@"
      fi;
      """, ["--capacity", "100"])
    _ = try await server.process.line(with: "4 pseudo-terminals")
    let client = try await RawClient.greet(port: server.port)
    // One that takes a second one, so that it is not the capacity that stands in the way.
    open(client, ["python3", "-c", "import os, time; os.openpty(); print('two'); time.sleep(600)"])
    try await eventually("it has two") { try client.output(stream: 1).contains("two") }
    for stream in UInt64(2)...3 {
      open(client, ["sleep", "600"], stream: stream)
      #expect(try await answer(client, stream: stream) == nil)
    }
    open(client, ["sleep", "600"], stream: 4)
    let refused = try #require(try await answer(client, stream: 4))
    #expect(refused.code == .noCapacity && refused.retry != nil)
    #expect(refused.message.contains("pseudo-terminal"), "\(refused.message)")
    let curl = try ChildProcess(
      "/usr/bin/curl",
      [
        "-s", "-w", " %{http_code}", "-H", "Content-Type: application/json", "-d",
        #"{"create":{"command":["true"]}}"#, server.url + "/v1/sessions",
      ])
    try await curl.waitForExit()
    #expect(curl.output.hasSuffix(" 503"), "\(curl.output)")
    try await server.stop()
  }

  @Test("A thousand starts that fail leave nothing behind")
  func failedStarts() async throws {
    let server = try await Server.start("")
    let client = try await RawClient.greet(port: server.port)
    let living = client.keepAlive()
    defer { living.cancel() }
    open(client, ["true"])
    try await client.frame("the end", stream: 1) { $0.type == .ended }
    let before = server.descriptors.count
    var stream: UInt64 = 2
    let unstartable: [([String], String?)] = [
      (["/no/such/program"], nil), (["no-such-program"], nil), (["/etc/passwd"], nil),
      (["true"], "/no/such/directory"), (["/proc/self/environ"], nil),
    ]
    for _ in 0..<200 {
      for (command, directory) in unstartable {
        open(client, command, in: directory, stream: stream)
        stream += 1
      }
      let refused = try #require(try await answer(client, stream: stream - 1))
      #expect(refused.code == .startFailed && refused.retry == nil)
    }
    try await eventually("all are answered, and nothing is left") {
      let children = try await server.children
      return children.isEmpty && server.descriptors.count <= before
    }
    try await server.stop()
  }

  // MARK: Signals and orphans

  @Test("How a process ended is known though SIGCHLD was ignored by who started the server")
  func ignoredChildSignal() async throws {
    let server = try await Server.start("trap '' CHLD;")
    let client = try await RawClient.greet(port: server.port)
    open(client, ["sh", "-c", "exit 7"])
    let frame = try await client.frame("the end", stream: 1) { $0.type == .ended }
    guard case .ended(let ended) = frame else {
      Issue.record("\(frame)")
      return
    }
    #expect(ended.status == .exited(code: 7))
    try await server.stop()
  }

  /// Opening the file waits until who has the lease lets go of it, 45 s at most; it is told of who waits.
  private func lease(_ path: String) async throws -> ChildProcess {
    try FileManager.default.copyItem(atPath: "/bin/true", toPath: path)
    let script = """
      import fcntl, os, signal, sys, time
      signal.signal(signal.SIGIO, lambda *_: print("wanted", flush=True))
      file = os.open(sys.argv[1], os.O_RDONLY)
      fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
      print("held", flush=True)
      time.sleep(600)
      """
    let holder = try ChildProcess("/usr/bin/env", ["python3", "-c", script, path])
    _ = try await holder.line(with: "held")
    return holder
  }

  @Test(
    "As process 1 of a container it reaps what others left, even while a start hangs", .asRoot,
    arguments: [false, true])
  func orphans(whileAStartHangs: Bool) async throws {
    let done = FileManager.default.temporaryDirectory.path + "/fl-orphans-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: done) }
    var server = try await Server.start(
      """
      if [ -z "$FL_INSIDE" ]; then
        FL_INSIDE=1 exec unshare --pid --fork --kill-child --mount-proc "$0" -c 'exec "$@"' sh "$@"
      fi;
      """)
    let inside = try ChildProcess("/bin/ps", ["-o", "pid=", "--ppid", "\(server.process.pid)"])
    try await inside.waitForExit()
    server.pid = try #require(Int32(inside.output.filter(\.isNumber)))
    let client = try await RawClient.greet(port: server.port)
    let living = client.keepAlive()
    defer { living.cancel() }
    let slow = done + "-slow"
    defer { try? FileManager.default.removeItem(atPath: slow) }
    var holder: ChildProcess?
    let another = try await RawClient.greet(port: server.port)
    let stillLiving = another.keepAlive()
    defer { stillLiving.cancel() }
    if whileAStartHangs {
      let lease = try await lease(slow)
      open(another, [slow])
      _ = try await lease.line(with: "wanted")
      holder = lease
    }
    let hung = ContinuousClock.now
    open(
      client,
      [
        "sh", "-c",
        """
        for i in 1 2 3 4 5 6; do (setsid sh -c 'sleep 0.2; echo done >>\(done)' &); done; read line; exit 3
        """,
      ])
    // Only who was answered may type.
    #expect(try await answer(client) == nil)
    try await eventually("all six have ended") {
      (try? String(contentsOfFile: done, encoding: .utf8))?.split(separator: "\n").count == 6
    }
    try await eventually("none is left as a zombie") {
      try await !server.children.contains { $0.hasPrefix("Z") }
    }
    // Once the lease was taken away it has hung for as long as it can.
    if holder != nil, ContinuousClock.now - hung < .seconds(40) {
      #expect(try another.frames(stream: 1).isEmpty, "the start hung all the while")
    }
    holder?.signal(SIGKILL)
    client.send(.input(offset: 0, .init(string: "\n")), stream: 1)
    let frame = try await client.frame("the end", stream: 1) { $0.type == .ended }
    guard case .ended(let ended) = frame else {
      Issue.record("\(frame)")
      return
    }
    #expect(ended.status == .exited(code: 3), "its own are told of as ever")
    // The one between passes no signal on.
    kill(server.pid, SIGTERM)
    try await server.process.waitForExit()
  }

  // MARK: Users

  @Test("Terminals run as another user, in its home, with nothing of root's", .asRoot)
  func anotherUser() async throws {
    let server = try await Server.start("", ["--pty-user", "nobody"])
    let script = """
      id -un; echo "$USER $LOGNAME $HOME $PWD"; cat /proc/$PPID/environ; test -w /root || echo unwritable
      echo tty >/dev/tty; echo again >$(tty); grep -c '^Groups:.*[1-9]' /proc/self/status
      """
    let home = NSHomeDirectoryForUser("nobody") ?? "/nonexistent"
    let printed = try await output(server, ["sh", "-c", script])
    let lines = printed.components(separatedBy: "\r\n")
    #expect(lines.first == "nobody")
    #expect(lines.count > 1 && lines[1].hasPrefix("nobody nobody \(home) "), "\(lines)")
    for part in ["Permission denied", "unwritable", "tty", "again"] {
      #expect(printed.contains(part), "\(printed)")
    }
    let client = try await RawClient.greet(port: server.port)
    let folder = FileManager.default.temporaryDirectory.path + "/fl-private-\(UUID())"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: folder) }
    open(client, ["true"], in: folder)
    let refused = try #require(try await answer(client))
    #expect(refused.message.contains(folder), "\(refused.message)")
    let (code, said) = try await Fairlead.run(["serve", "--pty-user", "no-such-user"])
    #expect(code == 64 && said.contains("no-such-user"), "\(said)")
    try await server.stop()
  }

  @Test("A client names a user that the operator has listed, and no other", .asRoot)
  func namedUser() async throws {
    let server = try await Server.start(
      "", ["--pty-user", "daemon", "--pty-users", "nobody,games"])
    func new(_ user: [String]) async throws -> (code: Int, output: String) {
      try await Fairlead.run(
        ["new", "--session", "s-\(user.last ?? "")", "--api", server.url] + user
          + ["--", "sh", "-c", "id -un; exit 7"])
    }
    for (user, name) in [
      ([], "daemon"), (["--user", "daemon"], "daemon"), (["--user", "games"], "games"),
      (["--user", "65534"], "nobody"),
    ] as [([String], String)] {
      let (code, output) = try await new(user)
      #expect(code == 7 && output.contains(name + "\r\n"), "\(user): \(output)")
    }
    let shown = try await Fairlead.run(["session", "s-games", "--api", server.url])
    #expect(shown.output.contains("user     games"), "\(shown.output)")
    for root in ["root", "0", "bin"] {
      let (code, output) = try await new(["--user", root])
      #expect(code == 255 && output.contains("no terminal as \(root)"), "\(output)")
    }
    let (misuse, form) = try await Fairlead.run(["new", "--user", "a:b", "--api", server.url])
    #expect(misuse == 64 && form.contains("a user is a name"), "\(form)")
    let again = try await Fairlead.run(
      ["new", "--detached", "--session", "s-games", "--api", server.url, "--", "true"])
    #expect(again.code != 0, "it exists")
    let (code, said) = try await Fairlead.run(["serve", "--pty-users", "nobody,no-such-user"])
    #expect(code == 64 && said.contains("no-such-user"), "\(said)")
    try await server.stop()
  }

  @Test("A terminal of the same user cannot read the server's environment", .asRoot)
  func hiddenEnvironment() async throws {
    let asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    let mayRun = try ChildProcess(
      "/usr/bin/env", ["setpriv"] + asNobody + [Fairlead.path, "--version"])
    guard try await mayRun.waitForExit() == 0 else {
      try Test.cancel("\(Fairlead.path) lies where only root gets")
    }
    let server = try await Server.start(
      """
      if [ -z "$FL_INSIDE" ]; then
        FL_INSIDE=1 FAIRLEAD_REDIS=redis://:hunter2@127.0.0.1/ exec setpriv \(asNobody.joined(separator: " ")) \
          "$0" -c 'exec "$@"' sh "$@"
      fi;
      """)
    let printed = try await output(
      server,
      ["sh", "-c", "id -u; tr '\\0' '\\n' </proc/\(server.pid)/environ; ls /proc/\(server.pid)/fd"])
    #expect(printed.hasPrefix("65534\r\n"))
    #expect(!printed.contains("hunter2"), "\(printed)")
    #expect(printed.components(separatedBy: "denied").count > 2, "\(printed)")
    try await server.stop()
  }

  @Test("Where nothing is set, what a login would set is")
  func bareEnvironment() async throws {
    let server = try await Server.start("exec env -i \"$@\";")
    let printed = try await output(
      server, ["sh", "-c", "echo \"$HOME|$USER|$LOGNAME|$SHELL|$LANG|$PWD\""])
    let fields = printed.trimmingCharacters(in: .newlines).split(separator: "|").map(String.init)
    #expect(fields.count == 6 && fields.allSatisfy { !$0.isEmpty }, "\(printed)")
    #expect(fields[4] == "C.UTF-8" && fields[5] == fields[0] && fields[1] == fields[2])
    try await server.stop()
  }

  // MARK: A backend that is not there

  @Test("A container is refused at once where no node has an engine that answers")
  func noEngine() async throws {
    for options in [[], ["--docker", "unix:///tmp/no-engine-\(UUID())"]] {
      let server = try await Server.start("", options)
      let (code, said) = try await Fairlead.run(
        ["new", "--detached", "--target", "docker:web1", "--api", server.url, "--", "true"])
      #expect(code != 0)
      #expect(said.contains("Docker engine"), "\(said)")
      let nodes = try await Fairlead.run(["nodes", "--api", server.url, "-o", "json"])
      #expect(!nodes.output.contains("docker"), "\(nodes.output)")
      let client = try await RawClient.greet(port: server.port)
      client.send(
        .open(
          Open(
            session: .random(), create: Creation(target: Target(unchecked: "docker:web1")),
            size: .standard)), stream: 1)
      let refused = try #require(try await answer(client))
      #expect(refused.retry == nil, "an answer, not a reason to wait")
      try await server.stop()
    }
  }
}

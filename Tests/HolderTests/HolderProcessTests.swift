// A holder as a process: its terminals outlive its nodes, it lets in who knows its key, and it leaves nothing behind
// (promises P9, P11).

import CHolderBinary
import Foundation
import Glibc
import Holder
import TestSupport
import Testing

@Suite("A holder") struct HolderProcessTests {
  let client = ClientKey(high: 1, low: 2)

  /// One that has ended and is not reaped does not count.
  private func isAlive(_ pid: pid_t) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else {
      return false
    }
    return status.split(separator: ")").last?.hasPrefix(" Z") == false
  }

  /// Waits until it is so.
  private func until(_ what: Comment, _ condition: () -> Bool) throws {
    let end = Date().addingTimeInterval(HolderClient.patience)
    while !condition() {
      try #require(Date() < end, what)
      usleep(20_000)
    }
  }

  @Test(
    "is a static binary of less than 200 KB, of these sources",
    .enabled(if: RunningHolder.isStatic || RunningHolder.canBuild))
  func binary() throws {
    var count = 0
    #expect(holder_binary(&count) != nil, "the build carries none: run ./deploy/holder.sh")
    #expect(count < 200_000)
    #expect(
      String(cString: holder_stamp()) == (try RunningHolder.hashOfSources()) + "\n",
      "the build carries one of other sources: run ./deploy/holder.sh")
  }

  @Test("is carried for the other processor of engines, too, where that can be built")
  func foreignBinary() {
    for processor in ["x86_64", "aarch64"] where RunningHolder.hasMusl(of: processor) {
      var count = 0
      #expect(
        holder_binary_of(processor, &count) != nil,
        "the build carries none for \(processor): run ./deploy/holder.sh")
      #expect(count < 200_000)
    }
    var count = 1
    #expect(holder_binary_of("riscv64", &count) == nil && count == 0)
  }

  @Test("is also `fairlead holder`, where no static one could be built") func substitute() throws {
    let holder = try RunningHolder(of: [Fairlead.path, "holder"])
    let node = try holder.connect()
    let handle = try node.start(["/bin/cat"])
    node.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    node.send(
      .input(handle: handle, epoch: 1, client: client, offset: 0, bytes: Array("as one\r".utf8)))
    _ = try node.output(of: handle, until: "as one\r\nas one\r\n")
    node.send(.end(handle: handle, epoch: 1, grace: 5_000))
    #expect(try node.exit(of: handle) == .signalled(SIGHUP))
    let relay = try HolderProcess(
      ["relay", holder.directory], of: [Fairlead.path, "holder"], input: [], keepsInputOpen: true)
    #expect(relay.read().starts(with: [50, 0, 0, 0, 0x81]))
    relay.closeInput()
    #expect(relay.waitForExit() == 0)
    #expect(
      try HolderProcess(["nothing"], of: [Fairlead.path, "holder"], input: []).waitForExit() == 64)
  }

  @Test("starts a process on a terminal of the size, and tells its end after its last byte")
  func starts() throws {
    let holder = try RunningHolder()
    let node = try holder.connect()
    let handle = try node.start(
      ["/bin/sh", "-c", "tty; stty size; pwd; read line; echo got $line; exit 7"], directory: "/usr"
    )
    node.send(.credit(handle: handle, epoch: 1, upTo: 100_000))
    #expect(try node.output(of: handle, until: "/usr").contains("24 80"))
    node.send(.resize(handle: handle, epoch: 1, columns: 100, rows: 30))
    node.send(
      .input(handle: handle, epoch: 1, client: client, offset: 0, bytes: Array("hello\r".utf8)))
    #expect(
      try node.first("written") {
        if case .written(_, client, let offset) = $0 { offset } else { nil }
      } == 6)
    _ = try node.output(of: handle, until: "got hello")
    #expect(try node.exit(of: handle) == .exited(7))
  }

  @Test("says which step of a start failed, and nothing of it is left") func failedStarts() throws {
    let holder = try RunningHolder()
    let node = try holder.connect()
    for _ in 0..<50 {
      let noProgram = try node.tryToStart(["/no/such/program"])
      #expect(noProgram.handle == nil)
      #expect(noProgram.step == StartStep.program.rawValue)
      #expect(noProgram.error == UInt32(ENOENT))
      #expect(
        try node.tryToStart(["/bin/true"], directory: "/no/such").step
          == StartStep.directory.rawValue)
    }
    let files = try FileManager.default.contentsOfDirectory(
      atPath: "/proc/\(holder.process.pid)/fd")
    #expect(files.count < 12)
  }

  @Test("outlives its nodes: another attaches, and has every byte once") func takeover() throws {
    let holder = try RunningHolder()
    var first: HolderClient? = try holder.connect()
    let handle = try #require(try first?.start(["/bin/cat"]))
    first?.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    first?.send(
      .input(handle: handle, epoch: 1, client: client, offset: 0, bytes: Array("one\r".utf8)))
    _ = try first?.output(of: handle, until: "one\r\none\r\n")
    first = nil
    let second = try holder.connect()
    let state = try second.attach(handle, epoch: 2)
    #expect(state.ledgers == [HeldLedger(client: client, written: 4)])
    // It was typed at the first node and comes again.
    second.send(
      .input(handle: handle, epoch: 2, client: client, offset: 0, bytes: Array("one\rtwo\r".utf8)))
    let output = try second.output(of: handle, until: "two\r\ntwo\r\n")
    #expect(output == "one\r\none\r\ntwo\r\ntwo\r\n")
  }

  @Test("A node that was superseded can neither type nor resize nor end, and is told") func fence()
    throws
  {
    let holder = try RunningHolder()
    let old = try holder.connect()
    let handle = try old.start([
      "/bin/sh", "-c", "stty -echo; echo ready; while read x; do echo \"<$x>\"; stty size; done",
    ])
    old.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    _ = try old.output(of: handle, until: "ready")
    let new = try holder.connect()
    _ = try new.attach(handle, epoch: 9)
    #expect(
      try old.first("superseded") {
        if case .superseded(handle, let epoch) = $0 { epoch } else { nil }
      } == 9)
    old.send(
      .input(handle: handle, epoch: 1, client: client, offset: 0, bytes: Array("bad\r".utf8)))
    old.send(
      .input(handle: handle, epoch: 9, client: client, offset: 0, bytes: Array("bad\r".utf8)))
    old.send(.resize(handle: handle, epoch: 1, columns: 10, rows: 10))
    old.send(.signal(handle: handle, epoch: 9, number: 9))
    old.send(.end(handle: handle, epoch: 1, grace: 0))
    old.send(.attach(handle: handle, epoch: 9, next: nil))
    #expect(
      try old.first("refused") { if case .refused(handle, let epoch) = $0 { epoch } else { nil } }
        == 9)
    new.send(
      .input(handle: handle, epoch: 9, client: client, offset: 0, bytes: Array("good\r".utf8)))
    let output = try new.output(of: handle, until: "24 80")
    #expect(output.contains("<good>"))
    #expect(!output.contains("bad"))
  }

  @Test("Whoever does not know the key is let go, and starts nothing") func strangers() throws {
    let holder = try RunningHolder()
    let stranger = try HolderClient(holder.socket)
    #expect(throws: HolderClient.Ended.self) {
      try stranger.prove(key: [UInt8](repeating: 0, count: 32))
    }
    let silent = try HolderClient(holder.socket)
    silent.send(.list)
    #expect(throws: HolderClient.Ended.self) { try silent.next() }
    let garbage = try HolderClient(holder.socket)
    garbage.send(bytes: [UInt8](repeating: 0xff, count: 100))
    #expect(throws: HolderClient.Ended.self) { try garbage.next() }
    #expect(try holder.connect().identity == holder.identity)
  }

  @Test("Strangers do not keep a node out") func manyStrangers() throws {
    let holder = try RunningHolder()
    var strangers: [HolderClient] = []
    for _ in 0..<HolderLimits.peers { strangers.append(try HolderClient(holder.socket)) }
    let node = try holder.connect()
    #expect(try node.tryToStart(["/bin/true"]).handle != nil)
    strangers.removeAll()
  }

  @Test("ends all that a session started, whatever it did to get away") func endsForSure() throws {
    let holder = try RunningHolder()
    let node = try holder.connect()
    let mark = "FAIRLEAD_MARK=\(UInt64.random(in: 0...UInt64.max))"
    let script = """
      trap '' HUP; (setsid nohup sh -c 'echo pid $$ done >&3; exec sleep 1000' 3>&1 &); \
      (setsid sh -c 'trap "" HUP; (echo pid $$ done; exec sleep 1000) &'); nohup sleep 1000 & echo pid $! done; cat
      """
    let handle = try node.start(["/bin/sh", "-c", script], mark: mark)
    node.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    var output = ""
    while output.components(separatedBy: "done").count < 4 {
      output += try node.output(of: handle, until: "done")
    }
    let pids = output.split(separator: "pid ").compactMap { pid_t($0.prefix { $0.isNumber }) }
    #expect(pids.count == 3)
    node.send(.end(handle: handle, epoch: 1, grace: 50))
    #expect(try node.exit(of: handle) == .signalled(SIGKILL))
    node.send(.forget(handle: handle, epoch: 1))
    for pid in pids { try until("\(pid) lives on") { !isAlive(pid) } }
  }

  @Test("ends processes that fork without end, and is soon done with it") func endsForks() throws {
    let holder = try RunningHolder()
    let node = try holder.connect()
    let mark = "FAIRLEAD_MARK=\(UInt64.random(in: 0...UInt64.max))"
    // Each forks two that leave its session and group, and goes; so many at a time at most.
    let script = """
      export R='trap "" HUP TERM; (setsid sh -c "$R" &); sleep 0.02'
      for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (setsid sh -c "$R" &); done; echo ready; cat
      """
    let handle = try node.start(["/bin/sh", "-c", script], mark: mark)
    node.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    _ = try node.output(of: handle, until: "ready")
    func count() -> Int {
      let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
      return processes.count { name in
        guard Int(name) != nil,
          let bytes = FileManager.default.contents(atPath: "/proc/\(name)/environ")
        else { return false }
        return bytes.range(of: Data(mark.utf8)) != nil
      }
    }
    try until("none forks") { count() >= 12 }
    node.send(.end(handle: handle, epoch: 1, grace: 0))
    _ = try node.exit(of: handle)
    try until("some live on") { count() == 0 }
    usleep(200_000)
    #expect(count() == 0)
  }

  @Test(
    "holds what a process prints without a node until its log is full, and then the process waits")
  func fullLog() throws {
    let holder = try RunningHolder()
    var node: HolderClient? = try holder.connect()
    let handle = try #require(
      try node?.start(["/bin/sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo end"]))
    node = nil
    usleep(300_000)
    let second = try holder.connect()
    let state = try second.attach(handle, epoch: 2)
    #expect(state.logStart == 0)
    #expect(state.logEnd <= 1 << 20)
    var count = 0
    var offset: UInt64 = 0
    while count < 3_000_000 {
      let (at, bytes) = try second.first("output") {
        if case .output(handle, let at, let bytes) = $0 { (at, bytes) } else { nil }
      }
      #expect(at == offset)
      offset += UInt64(bytes.count)
      count += bytes.count { $0 == UInt8(ascii: "x") }
      // Whoever checkpoints makes room.
      second.send(
        .checkpoint(
          handle: handle, epoch: 2, part: .screen, isFirst: true, isLast: true, offset: offset,
          drop: 0, bytes: [1]))
    }
    #expect(count == 3_000_000)
    #expect(try second.exit(of: handle) == .exited(0))
  }

  @Test("says what runs at a terminal and where") func looks() throws {
    let holder = try RunningHolder()
    let node = try holder.connect()
    let handle = try node.start(["/bin/sh", "-c", "cd /usr/lib; echo ready; read x"])
    node.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    _ = try node.output(of: handle, until: "ready")
    node.send(.look(handle: handle))
    let found = try node.first("looked") {
      if case .looked(handle, let isForeground, let words, let directory) = $0 {
        (isForeground, words, directory)
      } else {
        nil
      }
    }
    #expect(found.0)
    #expect(found.1.starts(with: Array("/bin/sh\0-c\0".utf8)))
    #expect(found.2 == Array("/usr/lib".utf8))
  }

  @Test("There is one in a directory, and in none that others may enter") func oneInADirectory()
    throws
  {
    let holder = try RunningHolder()
    let secret = [UInt8](repeating: 0, count: 48)
    #expect(try HolderProcess(["serve", holder.directory], input: secret).waitForExit() == 75)
    let open = try RunningHolder.makeDirectory()
    chmod(open, 0o755)
    defer { try? FileManager.default.removeItem(atPath: open) }
    #expect(try HolderProcess(["serve", open], input: secret).waitForExit() == 71)
    #expect(try holder.connect().identity == holder.identity)
  }

  @Test("A folder that is removed while one begins to listen there is made anew")
  func removedFolder() throws {
    let directory = try RunningHolder.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = directory + "/holder.lock"
    let lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    try #require(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
    let watch = inotify_init1(O_CLOEXEC)
    defer { close(watch) }
    try #require(inotify_add_watch(watch, path, UInt32(IN_OPEN)) >= 0)
    let holder = try HolderProcess(["serve", directory], input: [UInt8](repeating: 1, count: 48))
    // It has come to the lock of the folder that goes.
    var event = [UInt8](repeating: 0, count: 4_096)
    try #require(read(watch, &event, event.count) > 0)
    unlink(path)
    rmdir(directory)
    close(lock)
    #expect(holder.read() == Array("ready\n".utf8))
    #expect(access(path, F_OK) == 0)
    let node = try HolderClient(directory + "/holder")
    #expect(node.identity == [UInt8](repeating: 1, count: 16))
  }

  @Test("A detached one is no child of whoever started it, and ends its sessions on SIGTERM")
  func detached() throws {
    let directory = try RunningHolder.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let key = [UInt8](repeating: 9, count: 32)
    let process = try HolderProcess(
      ["serve", directory, "--detach"], input: [UInt8](repeating: 1, count: 16) + key)
    #expect(process.read() == Array("ready\n".utf8))
    #expect(process.waitForExit() == 0)
    let node = try HolderClient(directory + "/holder")
    try node.prove(key: key)
    let handle = try node.start(["/bin/sh", "-c", "echo $PPID.; cat"])
    node.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    let said = try node.output(of: handle, until: ".")
    let holder = try #require(pid_t(said.prefix { $0.isNumber }))
    #expect(holder != process.pid)
    kill(holder, SIGTERM)
    #expect(try node.exit(of: handle) == .signalled(SIGHUP))
    node.send(.forget(handle: handle, epoch: 1))
    try until("it lives on") { !isAlive(holder) }
    #expect(!FileManager.default.fileExists(atPath: directory + "/holder"))
  }

  @Test("A relay passes on what a node and a holder say") func relay() throws {
    let holder = try RunningHolder()
    let relay = try HolderProcess(["relay", holder.directory], input: [], keepsInputOpen: true)
    var splitter = FrameSplitter()
    var hello: HolderFrame?
    while hello == nil {
      let bytes = relay.read()
      try #require(!bytes.isEmpty)
      splitter.append(bytes[...])
      if case .frame(let type, let body) = splitter.next() {
        hello = HolderFrame(type: type, body: body)
      }
    }
    guard case .hello(_, holder.identity, _) = hello else {
      Issue.record("\(String(describing: hello)) is no greeting of this holder")
      return
    }
    relay.closeInput()
    #expect(relay.waitForExit() == 0)
  }

  @Test("Bytes of any kind from one who knows the key harm no other node's session") func garbage()
    throws
  {
    var random = SeededGenerator.announced()
    let holder = try RunningHolder()
    let good = try holder.connect()
    let handle = try good.start(["/bin/cat"], epoch: 1 << 60)
    good.send(.credit(handle: handle, epoch: 1 << 60, upTo: 1 << 40))
    for _ in 0..<60 {
      let bad = try holder.connect()
      var writer = FrameWriter()
      for _ in 0..<Int.random(in: 1...60, using: &random) {
        let frame = writer.beginFrame(UInt8.random(in: 0x02...0x1e, using: &random))
        if random.chance(0.8) {
          for _ in 0..<2 { writer.write(UInt64.random(in: 0...4, using: &random)) }
        }
        for _ in 0..<Int.random(in: 0...40, using: &random) {
          writer.write(random.chance(0.6) ? UInt8(0) : UInt8.random(in: 0...255, using: &random))
        }
        writer.endFrame(frame)
        bad.send(bytes: writer.bytes)
        writer.bytes.removeAll()
      }
    }
    good.send(
      .input(handle: handle, epoch: 1 << 60, client: client, offset: 0, bytes: Array("here\r".utf8))
    )
    _ = try good.output(of: handle, until: "here\r\nhere")
  }
}

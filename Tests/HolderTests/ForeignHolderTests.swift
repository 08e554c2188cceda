// The holder for arm64 does what this machine's does; an emulator of that processor runs it (promise P11).

import Foundation
import Glibc
import Holder
import TestSupport
import Testing

@Suite("A holder for arm64") struct ForeignHolderTests {
  let client = ClientKey(high: 1, low: 2)

  private func holder() throws -> RunningHolder {
    guard let program = try RunningHolder.arm64Program.get() else {
      try Test.cancel("the build carries none, or there is no qemu-aarch64-static")
    }
    return try RunningHolder(of: program)
  }

  @Test("starts a process on a terminal, passes on what is typed and resized, and tells the end")
  func starts() throws {
    let holder = try holder()
    let node = try holder.connect()
    let handle = try node.start(
      ["/bin/sh", "-c", "tty; stty size; pwd; read line; echo got $line; stty size; exit 7"],
      directory: "/usr")
    node.send(.credit(handle: handle, epoch: 1, upTo: 100_000))
    #expect(try node.output(of: handle, until: "/usr").contains("24 80"))
    node.send(.resize(handle: handle, epoch: 1, columns: 100, rows: 30))
    node.send(
      .input(handle: handle, epoch: 1, client: client, offset: 0, bytes: Array("hello\r".utf8)))
    #expect(try node.output(of: handle, until: "30 100").contains("got hello"))
    #expect(try node.exit(of: handle) == .exited(7))
    #expect(
      try node.tryToStart(["/bin/true"], directory: "/no/such").step
        == StartStep.directory.rawValue)
  }

  @Test("gives its terminals to the next node, with every byte once; the last one is told")
  func takeover() throws {
    let holder = try holder()
    let first = try holder.connect()
    let handle = try first.start(["/bin/cat"])
    first.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    first.send(
      .input(handle: handle, epoch: 1, client: client, offset: 0, bytes: Array("one\r".utf8)))
    _ = try first.output(of: handle, until: "one\r\none\r\n")
    let second = try holder.connect()
    let state = try second.attach(handle, epoch: 2)
    #expect(state.ledgers == [HeldLedger(client: client, written: 4)])
    #expect(
      try first.first("superseded") {
        if case .superseded(handle, let epoch) = $0 { epoch } else { nil }
      } == 2)
    second.send(
      .input(handle: handle, epoch: 2, client: client, offset: 0, bytes: Array("one\rtwo\r".utf8)))
    let output = try second.output(of: handle, until: "two\r\ntwo\r\n")
    #expect(output == "one\r\none\r\ntwo\r\ntwo\r\n")
  }

  @Test("ends all that a session started, whatever it did to get away") func endsForSure() throws {
    let holder = try holder()
    let node = try holder.connect()
    let mark = "FAIRLEAD_MARK=\(UInt64.random(in: 0...UInt64.max))"
    let script =
      "trap '' HUP; (setsid nohup sh -c 'echo pid $$ done >&3; exec sleep 1000' 3>&1 &); cat"
    let handle = try node.start(["/bin/sh", "-c", script], mark: mark)
    node.send(.credit(handle: handle, epoch: 1, upTo: 1 << 40))
    let said = try node.output(of: handle, until: "done")
    let pid = try #require(
      said.components(separatedBy: "pid ").last.flatMap { pid_t($0.prefix { $0.isNumber }) })
    node.send(.end(handle: handle, epoch: 1, grace: 50))
    #expect(try node.exit(of: handle) == .signalled(SIGKILL))
    node.send(.forget(handle: handle, epoch: 1))
    let end = Date().addingTimeInterval(HolderClient.patience)
    // One that has ended and is not reaped has no command any more.
    while FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")?.isEmpty == false {
      try #require(Date() < end, "\(pid) lives on")
      usleep(20_000)
    }
  }

  @Test("lets nobody in who does not know the key, and its relay passes on what it says")
  func strangers() throws {
    let holder = try holder()
    let stranger = try HolderClient(holder.socket)
    #expect(throws: HolderClient.Ended.self) {
      try stranger.prove(key: [UInt8](repeating: 0, count: 32))
    }
    let relay = try HolderProcess(
      ["relay", holder.directory], of: try RunningHolder.arm64Program.get(), input: [],
      keepsInputOpen: true)
    #expect(relay.read().starts(with: [50, 0, 0, 0, 0x81]))
    relay.closeInput()
    #expect(relay.waitForExit() == 0)
  }
}

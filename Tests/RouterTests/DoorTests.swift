// What is behind a door is the same for every protocol: a client without any WebSocket has its
// terminal (promises P1 and P2).

import Auth
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import Wire

@testable import Router

/// Takes frames as they are.
private final class PlainDoor: Door {
  var isWritable = true
  private(set) var written: [(stream: UInt64, frame: Frame)] = []
  private(set) var heard: [(stream: UInt64, frame: Frame)] = []
  private(set) var parting: Parting?

  var unflushed: Int { written.count }
  func write(_ frame: Frame, stream: UInt64) { written.append((stream, frame)) }
  func flush(isLast: Bool) {
    heard += written
    written = []
  }
  func readingDidChange() {}
  func close(_ parting: Parting) { self.parting = parting }

  func frames(_ stream: UInt64) -> [Frame] { heard.filter { $0.stream == stream }.map(\.frame) }
}

@Suite struct DoorTests {
  private let router: EmbeddedRouter
  private let door = PlainDoor()
  private let client: ConnectedClient
  private let session = SessionID(unchecked: "s")

  init() throws {
    router = try EmbeddedRouter()
    client = ConnectedClient(loop: router.routerLoop, from: "::1", as: .anyone, door: door)
    router.know(session)
    client.receive(.open(Open(session: session, size: .standard)), stream: 1)
    router.loop.run()
    router.node.send(ScriptedNode.opened(session), stream: 1)
    router.loop.run()
  }

  @Test func aTerminalIsOpenedAndUsedWithoutHELLO() {
    router.node.send(.output(offset: 0, ByteBuffer(string: "$ ")), stream: 1)
    router.loop.run()
    #expect(door.frames(1).map(\.type) == [.opened, .output])
    client.receive(.input(offset: 0, ByteBuffer(string: "x")), stream: 1)
    client.receive(.outputAck(offset: 2, consumed: 2), stream: 1)
    router.loop.run()
    #expect(
      router.nodeHeard(1).dropFirst() == [
        .input(offset: 0, ByteBuffer(string: "x")), .outputAck(offset: 2, consumed: 2),
      ])
  }

  @Test func whatBreaksTheProtocolEndsItAndTheNodeHears() {
    client.receive(.take, stream: 7)
    router.loop.run()
    guard case .mistake? = door.parting else {
      Issue.record("\(String(describing: door.parting))")
      return
    }
    #expect(!client.takesFrames)
    #expect(router.nodeHeard(1).last?.type == .close)
  }

  /// What was waiting of a stream that has ended still comes, and then the stream is gone.
  @Test func theLastWordsOfAStreamWaitForASlowClient() {
    door.isWritable = false
    router.node.send(.output(offset: 0, ByteBuffer(string: "bye")), stream: 1)
    router.node.send(.ended(Ended(reason: .exited, status: nil)), stream: 1)
    router.loop.run()
    client.receive(.take, stream: 1)
    door.isWritable = true
    client.doorDidBecomeWritable()
    router.loop.run()
    #expect(door.frames(1).map(\.type) == [.opened, .output, .ended])
    #expect(router.nodeHeard(1).map(\.type) == [.linkOpen], "no frame for a stream that has ended")
  }

  /// A client that has left a stream wants nothing more of it.
  @Test func whatWaitsOfAStreamThatWasLeftIsNotSent() {
    door.isWritable = false
    router.node.send(.output(offset: 0, ByteBuffer(string: "late")), stream: 1)
    router.loop.run()
    client.receive(.close(.done), stream: 1)
    door.isWritable = true
    client.doorDidBecomeWritable()
    router.loop.run()
    #expect(door.frames(1).map(\.type) == [.opened])
  }

  @Test func aShutdownIsSaidToEveryDoor() {
    router.routerLoop.goAway()
    router.loop.run()
    #expect(door.frames(0).map(\.type) == [.goAway])
    router.routerLoop.close()
    guard case .shuttingDown? = door.parting else {
      Issue.record("\(String(describing: door.parting))")
      return
    }
    #expect(router.routerLoop.clientCount == 0)
  }
}

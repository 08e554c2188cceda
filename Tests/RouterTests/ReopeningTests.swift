// What a router does when the owner says no, or the link breaks: the client's WebSocket stays open, its
// output goes on where it stood and its input arrives once (promises P1, P2, P4).

import Links
import NIOConcurrencyHelpers
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

@Suite(.timeLimit(.minutes(patience))) struct ReopeningTests {
  /// Its time stands still, so that no lease ends however slow the machine is.
  let registry = MemoryRegistry(now: { 0 })
  let session = SessionID(unchecked: "s")

  /// A node that is the session's owner by the registry's word.
  private func owner(_ script: @escaping FakeNode.Script) async throws -> FakeNode {
    let node = FakeNode("a", script: script)
    await node.register(registry, port: try await node.listen())
    _ = try await registry.claim(session, node: node.id, incarnation: ScriptedNode.incarnation)
    return node
  }

  /// Opens the session, and returns the only thing that the client hears of it: the refusal.
  private func refusal(of port: Int) async throws -> Refused {
    let client = try await RawClient.greet(port: port)
    client.send(.open(Open(session: session, size: .standard)), stream: 1)
    let answer = try await client.frame("REFUSED", stream: 1) { $0.type == .refused }
    #expect(try client.frames(stream: 1).count == 1)
    guard case .refused(let refusal) = answer else { throw ChildError("\(answer)") }
    return refusal
  }

  @Test func aRefusalOfTheWrongNodeIsTriedThreeTimesAndThenSaid() async throws {
    let node = try await owner { frame, stream, link in
      guard case .linkOpen = frame else { return }
      link.send(.refused(Refused(.notOwner, "not mine")), stream: stream)
    }
    try await withRouter(registry) { port in
      let refusal = try await refusal(of: port)
      #expect(refusal.code == .unavailable)
      #expect(refusal.retry != nil)
      #expect(node.opens.count == RouterLimits.attempts)
    }
    try await node.stop()
  }

  /// Promise P5: it says itself that it is another start of the node, and may have the session from its holder. The
  /// registry lists the old one throughout.
  @Test(arguments: ["boot/h", nil])
  func aNodeThatWasStartedAnewIsTakenAtItsWordIfItHasAHolder(_ holder: String?) async throws {
    let node = FakeNode("a") { [session] frame, stream, link in
      guard case .linkOpen = frame else { return }
      link.send(ScriptedNode.opened(session), stream: stream)
    }
    let place = try await node.listen()
    await node.register(registry, port: place, holder: holder)
    _ = try await registry.claim(session, node: node.id, incarnation: ScriptedNode.incarnation)
    try await withRouter(registry) { [session] port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      _ = try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      try await node.stop()
      let anew = FakeNode("a", incarnation: Incarnation(rawValue: 77)) { frame, stream, link in
        guard case .linkOpen = frame else { return }
        link.send(ScriptedNode.opened(session), stream: stream)
      }
      _ = try await anew.listen(port: place)
      if holder == nil {
        try await eventually("it has greeted") { anew.connections.withLockedValue { $0 } > 1 }
        #expect(anew.opens.isEmpty)
      } else {
        try await eventually("it is opened there") { !anew.opens.isEmpty }
        #expect(anew.opens.first?.incarnation == Incarnation(rawValue: 77))
        #expect(anew.opens.first?.open.resume != nil)
      }
      try await anew.stop()
    }
  }

  /// Promise P5: a node whose lease has ended may only be cut off from the registry.
  @Test func aSilentOwnerIsTriedBeforeItCountsAsDead() async throws {
    let time = NIOLockedValueBox(0)
    let registry = MemoryRegistry(now: { time.withLockedValue { $0 } })
    let session = session
    let node = FakeNode("a") { frame, stream, link in
      guard case .linkOpen = frame else { return }
      link.send(ScriptedNode.opened(session), stream: stream)
    }
    await node.register(registry, port: try await node.listen())
    _ = try await registry.claim(session, node: node.id, incarnation: ScriptedNode.incarnation)
    time.withLockedValue { $0 = Lease.takeover }
    #expect(await registry.nodes().allSatisfy(\.isDead))
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      _ = try await client.frame("OPENED", stream: 1) { $0.type == .opened }
    }
    try await node.stop()
    try await withRouter(registry) { port in
      let refusal = try await refusal(of: port)
      #expect(refusal.code == .lost)
    }
  }

  @Test func aStaleRouteCostsOneMoreTry() async throws {
    let answers = NIOLockedValueBox(0)
    let session = session
    let node = try await owner { frame, stream, link in
      guard case .linkOpen = frame else { return }
      let count = answers.withLockedValue { count in
        count += 1
        return count
      }
      link.send(
        count == 1 ? .refused(Refused(.notOwner, "an old epoch")) : ScriptedNode.opened(session),
        stream: stream)
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      #expect(try client.frames(stream: 1).count == 1, "the client sees no try")
      #expect(node.opens.count == 2)
    }
    try await node.stop()
  }

  /// The node may have created the session and not come to say so; it knows by this that nobody else did.
  @Test func aCreateWithoutAnAnswerIsSaidToComeAgain() async throws {
    let session = session
    let links = NIOLockedValueBox(0)
    let node = try await owner { frame, stream, link in
      guard case .linkOpen = frame else { return }
      let count = links.withLockedValue { count in
        count += 1
        return count
      }
      switch count {
      case 1: link.close()
      case 2: link.send(.refused(Refused(.notOwner, "an old epoch")), stream: stream)
      default: link.send(ScriptedNode.opened(session), stream: stream)
      }
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(
        .open(Open(session: session, create: Creation(), size: .standard, exclusive: true)),
        stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      #expect(node.opens.map(\.again) == [nil, true, nil])
      #expect(node.opens.allSatisfy { $0.open.exclusive == true })
    }
    try await node.stop()
  }

  @Test func aLinkWhoseNodeRefusedSaysNothingOfAStreamThatWentElsewhere() async throws {
    let session = session
    let opens: FakeNode.Script = { frame, stream, link in
      if case .linkOpen = frame { link.send(ScriptedNode.opened(session), stream: stream) }
    }
    let a = try await owner(opens)
    let b = FakeNode("b", script: opens)
    await b.register(registry, port: try await b.listen())
    let registry = registry
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      // The session goes to b, and the router does not know.
      let record = try #require(try await registry.lookUp(session))
      _ = await registry.release(
        session, node: a.id, incarnation: ScriptedNode.incarnation, epoch: record.epoch,
        tombstone: nil)
      _ = try await registry.claim(
        session, node: b.id, incarnation: ScriptedNode.incarnation)
      a.act { frame, stream, link in
        guard case .linkOpen = frame else { return }
        link.send(.refused(Refused(.notOwner, "not mine")), stream: stream)
      }
      client.send(.open(Open(session: session, size: .standard)), stream: 2)
      try await client.frame("OPENED", stream: 2) { $0.type == .opened }
      #expect(b.opens.count == 1)
      client.send(.close(.done), stream: 1)
      try await eventually("a is left") { !a.heard { $0.type == .close }.isEmpty }
      a.breakLinks()
      client.send(.take, stream: 2)
      try await eventually("b hears the client") { !b.heard { $0 == .take }.isEmpty }
      #expect(try client.frames(stream: 2).map(\.type) == [.opened], "no pause, no end")
      #expect(b.opens.count == 1)
    }
    try await a.stop()
    try await b.stop()
  }

  /// Who answers at a node's address without a WELCOME, and so without proof of the cluster's key, is not
  /// believed (promise P9).
  @Test func whatComesBeforeTheWelcomeIsNotBelieved() async throws {
    let impostor = FakeNode("a", greets: false) { frame, _, link in
      guard case .hello = frame else { return }
      link.send(ScriptedNode.opened(SessionID(unchecked: "s")), stream: 1)
      link.send(.output(offset: 0, ByteBuffer(string: "password: ")), stream: 1)
    }
    await impostor.register(registry, port: try await impostor.listen())
    _ = try await registry.claim(
      session, node: impostor.id, incarnation: ScriptedNode.incarnation)
    try await withRouter(registry) { port in
      let refusal = try await refusal(of: port)
      #expect(refusal.code == .unavailable)
    }
    try await impostor.stop()
  }

  @Test func aNodeThatTakesNoConnectionIsSaid() async throws {
    let node = FakeNode("a") { _, _, _ in }
    await node.register(registry, port: try freePort())
    _ = try await registry.claim(session, node: node.id, incarnation: ScriptedNode.incarnation)
    try await withRouter(registry) { port in
      let refusal = try await refusal(of: port)
      #expect(refusal.code == .unavailable)
      #expect(refusal.message.contains("does not answer"))
    }
  }

  @Test func aBrokenLinkIsOpenedAgainWhereItStood() async throws {
    let session = session
    let opens = NIOLockedValueBox(0)
    let node = try await owner { frame, stream, link in
      switch frame {
      case .linkOpen(let request):
        if opens.withLockedValue({
          $0 += 1
          return $0
        }) == 1 {
          link.send(ScriptedNode.opened(session), stream: stream)
          link.send(.output(offset: 0, ByteBuffer(string: "hello")), stream: stream)
        } else {
          let next = request.open.resume?.next ?? 0
          // The node accepted two of the three bytes typed.
          link.send(ScriptedNode.opened(session, output: next, input: 2), stream: stream)
          link.send(.output(offset: next, ByteBuffer(string: " world")), stream: stream)
        }
      case .input(let offset, let bytes) where offset == 0:
        link.send(.inputAck(offset: 1), stream: stream)
        _ = bytes
      default: break
      }
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, create: Creation(), size: .standard)), stream: 1)
      try await client.frame("hello", stream: 1) { $0.type == .output }
      client.send(.input(offset: 0, ByteBuffer(string: "abc")), stream: 1)
      try await client.frame("INPUT_ACK", stream: 1) { $0 == .inputAck(offset: 1) }
      client.send(.outputAck(offset: 5, consumed: 5), stream: 1)
      client.send(.resize(TerminalSize(columns: 100, rows: 30)), stream: 1)
      try await eventually("the node has heard the RESIZE") {
        !node.heard { $0.type == .resize }.isEmpty
      }
      node.breakLinks()
      try await client.frame("the second output", stream: 1) {
        $0 == .output(offset: 5, ByteBuffer(string: " world"))
      }
      #expect(
        try client.frames(stream: 1).map(\.type) == [
          .opened, .output, .inputAck, .event, .opened, .output,
        ])
      let second = try #require(node.opens.last)
      #expect(second.open.resume == Resume(life: Life(rawValue: 9), next: 5, input: 1))
      #expect(second.open.create == nil, "an OPEN that resumes never creates")
      #expect(second.open.size == TerminalSize(columns: 100, rows: 30))
      #expect(second.sent == 5)
      #expect(second.consumed == 5)
      #expect(!client.isClosed)

      // What was sent before the client knew of the second OPENED lies beyond its offset.
      client.send(.input(offset: 3, ByteBuffer(string: "late")), stream: 1)
      client.send(.input(offset: 2, ByteBuffer(string: "c")), stream: 1)
      client.send(.input(offset: 3, ByteBuffer(string: "late")), stream: 1)
      try await eventually("the resent input has arrived") { node.inputs.count == 3 }
      #expect(
        node.inputs == [
          .input(offset: 0, ByteBuffer(string: "abc")), .input(offset: 2, ByteBuffer(string: "c")),
          .input(offset: 3, ByteBuffer(string: "late")),
        ])
    }
    try await node.stop()
  }

  @Test func aResumingClientsInputIsRememberedAcrossALinkLoss() async throws {
    let session = session
    let node = try await owner { frame, stream, link in
      if case .linkOpen = frame {
        link.send(ScriptedNode.opened(session, output: 70, input: 50), stream: stream)
      }
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(
        .open(
          Open(
            session: session, resume: Resume(life: Life(rawValue: 9), next: 70, input: 50),
            size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      node.breakLinks()
      try await eventually("the stream is opened again") { node.opens.count == 2 }
      #expect(
        node.opens.last?.open.resume == Resume(life: Life(rawValue: 9), next: 70, input: 50))
    }
    try await node.stop()
  }

  @Test func anInterruptedSnapshotIsAskedForWhole() async throws {
    let session = session
    let node = try await owner { frame, stream, link in
      guard case .linkOpen = frame else { return }
      link.send(ScriptedNode.opened(session, output: 500, resumed: .snapshot), stream: stream)
      link.send(
        .snapshot(
          SnapshotPart(
            id: 1, isFirst: true, isLast: false, offset: 500, size: .standard,
            bytes: ByteBuffer(string: "half"))), stream: stream)
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("half a snapshot", stream: 1) { $0.type == .snapshot }
      node.breakLinks()
      try await eventually("the stream is opened again") { node.opens.count == 2 }
      #expect(node.opens.last?.open.resume == Resume(life: Life(rawValue: 9), next: nil, input: 0))
      #expect(node.opens.last?.sent == 4)
    }
    try await node.stop()
  }

  @Test func aLinkIsTriedUntilItsNodeIsBackAndOtherStreamsGoOn() async throws {
    let session = session
    let open: FakeNode.Script = { frame, stream, link in
      guard case .linkOpen(let request) = frame else {
        if case .input(_, let bytes) = frame {
          link.send(.output(offset: 0, bytes), stream: stream)
        }
        return
      }
      link.send(ScriptedNode.opened(request.open.session ?? session), stream: stream)
    }
    let node = FakeNode("a", script: open)
    let away = try await node.listen()
    await node.register(registry, port: away)
    _ = try await registry.claim(session, node: node.id, incarnation: ScriptedNode.incarnation)
    let other = FakeNode("b", script: open)
    await other.register(registry, port: try await other.listen())
    let elsewhere = SessionID(unchecked: "elsewhere")
    _ = try await registry.claim(elsewhere, node: other.id, incarnation: ScriptedNode.incarnation)
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      client.send(.open(Open(session: elsewhere, size: .standard)), stream: 2)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      try await client.frame("OPENED", stream: 2) { $0.type == .opened }
      try await node.stop()
      try await client.frame("paused", stream: 1) { $0 == .event(.paused) }
      client.send(.input(offset: 0, ByteBuffer(string: "echo")), stream: 2)
      try await client.frame("an echo", stream: 2) { $0.type == .output }
      _ = try await node.listen(port: away)
      try await eventually("the stream is open again") {
        try client.frames(stream: 1).filter { $0.type == .opened }.count == 2
      }
      #expect(try client.frames(stream: 1).map(\.type) == [.opened, .event, .opened])
    }
    try await node.stop()
    try await other.stop()
  }

  @Test func aNodeThatBreaksTheProtocolLosesItsLinkAndNoClientItsConnection() async throws {
    let session = session
    let node = try await owner { frame, stream, link in
      guard case .linkOpen = frame else { return }
      link.send(ScriptedNode.opened(session), stream: stream)
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      node.act { frame, stream, link in
        if case .linkOpen = frame { link.send(ScriptedNode.opened(session), stream: stream) }
        // A body of 16 KiB and more.
        if case .resize = frame {
          link.send(.output(offset: 0, ByteBuffer(repeating: 0, count: 20_000)), stream: stream)
        }
      }
      client.send(.resize(TerminalSize(columns: 99, rows: 33)), stream: 1)
      try await eventually("the stream is open again") {
        try client.frames(stream: 1).filter { $0.type == .opened }.count == 2
      }
      #expect(!client.isClosed)
    }
    try await node.stop()
  }

  @Test func aClientWaitsForANodeThatDoesNotReadAndNothingIsLost() async throws {
    let session = session
    let node = try await owner { frame, stream, link in
      if case .linkOpen = frame { link.send(ScriptedNode.opened(session), stream: stream) }
    }
    try await withRouter(registry) { port in
      let client = try await RawClient.greet(port: port)
      client.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      try await node.setReading(false)
      // 17 MB, more than the link may queue and all sockets between hold; always the same bytes, since a
      // router leaves it to the node what is new.
      let input = Frame.input(offset: 0, Pattern.bytes(at: 0, count: 16_000))
      let message = WebSocketMessage.bytes(WebSocketMessage.binary, input.bytes(stream: 1))
      let count = 1_100
      let sent = NIOLockedValueBox(0)
      let typing = Task {
        for _ in 0..<count {
          try await client.sendAndWait(message)
          sent.withLockedValue { $0 += 1 }
        }
      }
      var before = -1
      try await eventually("the client is read no further") {
        let now = sent.withLockedValue { $0 }
        defer { before = now }
        if now == before { return true }
        try await Task.sleep(for: .milliseconds(500))
        return false
      }
      #expect(sent.withLockedValue { $0 } < count)
      #expect(!client.isClosed)
      try await node.setReading(true)
      try await typing.value
      client.send(.take, stream: 1)
      try await eventually("all has arrived") { !node.heard { $0 == .take }.isEmpty }
      #expect(node.inputs.count == count)
      #expect(node.inputs.allSatisfy { $0 == input })
      #expect(node.opens.count == 1, "over one link")
    }
    try await node.stop()
  }

  @Test func aFloodOfOneClientDoesNotBreakTheLinkOfAnother() async throws {
    let session = session
    let node = try await owner { frame, stream, link in
      switch frame {
      case .linkOpen: link.send(ScriptedNode.opened(session), stream: stream)
      case .input(let offset, let bytes):
        link.send(.inputAck(offset: offset + UInt64(bytes.readableBytes)), stream: stream)
      default: break
      }
    }
    try await withRouter(registry) { port in
      let quiet = try await RawClient.greet(port: port)
      quiet.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await quiet.frame("OPENED", stream: 1) { $0.type == .opened }
      let flooding = try await RawClient.greet(port: port)
      flooding.send(.open(Open(session: session, size: .standard)), stream: 1)
      try await flooding.frame("OPENED", stream: 1) { $0.type == .opened }
      // However long it takes, the quiet one shows that it lives.
      let living = quiet.keepAlive()
      defer { living.cancel() }
      // 400,000 frames of a kind that no window bounds.
      let resizes = (0..<2_000).flatMap { number in
        Frame.resize(TerminalSize(columns: 80 + number % 80, rows: 24)).bytes(stream: 1)
      }
      let message = WebSocketMessage.bytes(WebSocketMessage.binary, resizes)
      for _ in 0..<200 { try await flooding.sendAndWait(message) }
      quiet.send(.input(offset: 0, ByteBuffer(string: "x")), stream: 1)
      try await quiet.frame("INPUT_ACK", stream: 1) { $0 == .inputAck(offset: 1) }
      #expect(node.connections.withLockedValue { $0 } <= 2, "one link for each loop, none again")
      #expect(try quiet.frames(stream: 1).map(\.type) == [.opened, .inputAck])
    }
    try await node.stop()
  }
}

// A real node over a real link: who gets in where something exists already, what it owns and has room
// for, and what one session's or one peer's nonsense costs the others (promises P4, P7, P9, P10).

import NIOCore
import Pipes
import Sessions
import TestSupport
import Testing
import Wire

@testable import Node

private let cat = Creation(command: ["cat"])

private func access(_ subject: String, _ rights: Rights? = nil, own: Rights? = .write) -> Access {
  Access(subject: subject, rights: rights, asCreator: own)
}

@Suite(.timeLimit(.minutes(2 * patience))) struct CreatingTests {
  @Test func anOpenThatWouldCreateIsToldWhatElseItGot() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("s", create: cat, as: access("ann"))
      let first = try await link.opened()
      #expect(first.created && first.state == .running && first.differs == nil)
      link.open("s", create: cat, as: access("ann"), stream: 2)
      let same = try await link.opened(stream: 2)
      #expect(!same.created && same.differs == nil)
      let other = Creation(
        command: ["sh"], environment: ["A": "b"], workingDirectory: "/",
        user: UserName("nobody"), idle: .never, keep: .seconds(1), timeout: .seconds(1))
      link.open("s", create: other, as: access("bob", .write), stream: 3)
      #expect(
        try await link.opened(stream: 3).differs
          == ["owner", "command", "cwd", "env", "user", "idle", "keep", "timeout"])
      link.open("s", create: other, as: access("eve", .read), stream: 4)
      let watching = try await link.opened(stream: 4)
      #expect(watching.mode == .watcher)
      #expect(watching.differs == ["owner"], "how it was started is not for who may only look")
      link.open("s", as: access("ann"), stream: 5)
      #expect(try await link.opened(stream: 5).differs == nil, "it asked for nothing else")
    }
  }

  /// A router remembers an epoch. One of a session that is no more does not keep a new one of its name from being
  /// created; a larger one, of another owner's session, is told.
  @Test func anOpenOfAnotherEpochIsRefusedOnlyWhereThereIsASession() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      func open(epoch: Epoch, stream: UInt64) {
        let open = Open(session: SessionID(unchecked: "s"), create: cat, size: .standard)
        link.send(
          .linkOpen(
            LinkOpen(
              client: .random(), access: .open, from: "a test", epoch: epoch, open: open)),
          stream: stream)
      }
      open(epoch: Epoch(999), stream: 1)
      let opened = try await link.opened()
      #expect(opened.created && opened.epoch != Epoch(999))
      open(epoch: Epoch(999), stream: 2)
      #expect(try await link.refused(stream: 2).code == .notOwner)
      open(epoch: opened.epoch, stream: 3)
      #expect(try await link.opened(stream: 3).created == false)
      // One of an earlier start of the node, which its holder has outlived, or of an earlier life.
      open(epoch: Epoch(opened.epoch.rawValue - 1), stream: 4)
      #expect(try await link.opened(stream: 4).epoch == opened.epoch)
    }
  }

  @Test func moreViewersThanASessionTakesAreRefused() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("s", create: cat)
      _ = try await link.opened()
      let most = UInt64(SessionLimits.streams)
      for stream in 2...most + 44 { link.open("s", stream: stream) }
      #expect(try await link.opened(stream: most).session.rawValue == "s")
      for stream in [most + 1, most + 44] {
        let refused = try await link.refused(stream: stream)
        #expect(refused.code == .tooMany && refused.message.contains("\(most) viewers"))
      }
      // A place that is left is another's.
      link.send(.close(.done), stream: 7)
      link.open("s", stream: most + 45)
      _ = try await link.opened(stream: most + 45)
    }
  }

  @Test func aUserThatTheNodeDoesNotAllowIsRefused() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      let mine = try #require(Account.own)
      let other = try #require(UserName(mine.name == "nobody" ? "daemon" : "nobody"))
      link.open("s", create: Creation(command: ["cat"], user: other))
      let refused = try await link.refused()
      #expect(refused.code == .startFailed && refused.retry == nil)
      #expect(refused.message.contains("\(other)"), "\(refused.message)")
      // The name is free, and itself it may be.
      link.open("s", create: Creation(command: ["cat"], user: UserName("\(mine.uid)")), stream: 2)
      #expect(try await link.opened(stream: 2).created)
      #expect(try await link.sessions().first?.user == UserName("\(mine.uid)"))
    }
  }

  @Test func anExclusiveOpenCreatesOrIsRefused() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("s", create: cat, exclusive: true, as: access("ann"))
      #expect(try await link.opened().created)
      link.open("s", create: cat, exclusive: true, as: access("ann"), stream: 2)
      let same = try await link.refused(stream: 2)
      #expect(same.code == .exists && same.state == .running && same.differs == nil)
      #expect(same.retry == nil)
      link.open(
        "s", create: Creation(command: ["sh"]), exclusive: true, as: access("bob", .write),
        stream: 3)
      #expect(try await link.refused(stream: 3).differs == ["owner", "command"])
      // Of another's session nothing is told to who may not enter it.
      link.open("s", create: cat, exclusive: true, as: access("eve"), stream: 4)
      let foreign = try await link.refused(stream: 4)
      #expect(foreign.code == .forbidden && foreign.differs == nil && foreign.state == nil)
      link.open("s", create: cat, as: access("eve"), stream: 5)
      #expect(try await link.refused(stream: 5).code == .forbidden, "nor is it entered")
      link.send(.kill)
      try await link.frame("the end") { $0.type == .ended }
      link.open("s", create: cat, exclusive: true, as: access("ann"), stream: 6)
      let ended = try await link.refused(stream: 6)
      #expect(ended.code == .exists && ended.state == .ended && ended.status != nil)
    }
  }

  /// The first OPEN created it, and its link, or its client's connection, broke before the answer.
  @Test func anExclusiveOpenThatComesAgainIsNotRefusedForWhatItCreated() async throws {
    try await LinkedNode.run { node in
      let client = ClientID.random()
      let first = try await node.link()
      first.open("s", create: cat, exclusive: true, as: access("ann"), client: client)
      _ = try await first.opened()
      first.raw.close()
      let second = try await node.link()
      second.open("s", create: cat, exclusive: true, as: access("ann"), client: client)
      #expect(try await second.opened().created, "it does not know yet")
      second.open(
        "s", create: cat, exclusive: true, as: access("ann"), client: client, again: true, stream: 2
      )
      #expect(try await second.opened(stream: 2).created)
      second.open("s", create: cat, exclusive: true, as: access("ann"), again: true, stream: 3)
      #expect(try await second.refused(stream: 3).code == .exists, "another client's")
      second.send(.close(.done), stream: 2)
      second.open("s", create: cat, exclusive: true, as: access("ann"), client: client, stream: 4)
      #expect(try await second.refused(stream: 4).code == .exists, "it has had its answer")
    }
  }
}

@Suite(.timeLimit(.minutes(2 * patience))) struct RoomTests {
  @Test func whatHasEndedTakesNoPlace() async throws {
    try await LinkedNode.run(capacity: 3) { node in
      let link = try await node.link()
      for number in 1...6 as ClosedRange<UInt64> {
        link.open("s\(number)", create: Creation(command: ["true"]), stream: number)
        try await link.frame("the end", stream: number) { $0.type == .ended }
      }
      #expect(node.node.sessions == 0)
      let states = try await link.sessions().map(\.state)
      #expect(states == [SessionState](repeating: .ended, count: 6), "they can still be read")
      for number in 7...9 as ClosedRange<UInt64> {
        link.open("s\(number)", create: cat, stream: number)
        _ = try await link.opened(stream: number)
      }
      link.open("s10", create: cat, stream: 10)
      #expect(try await link.refused(stream: 10).code == .noCapacity)
      link.send(.kill, stream: 7)
      try await link.frame("the end", stream: 7) { $0.type == .ended }
      link.open("s11", create: cat, stream: 11)
      _ = try await link.opened(stream: 11)
      let ended = try #require(try await link.sessions().first { $0.session.rawValue == "s7" })
      #expect(ended.reason == .killed && ended.ended != nil && ended.status != nil)
    }
  }

  @Test func aSessionThatIsBeingStartedIsOwned() async throws {
    let starter = HeldStarter()
    try await LinkedNode.run(pty: starter) { node in
      let link = try await node.link()
      link.open("slow", create: cat)
      try await eventually("it is being started") { starter.count == 1 }
      let held = try await node.node.ownedSessions()
      #expect(held.keys.map(\.rawValue) == ["slow"])
      starter.fail()
      #expect(try await link.refused().code == .startFailed)
      #expect(try await node.node.ownedSessions().isEmpty)
    }
  }

  @Test func aStartThatHangsDoesNotKeepTheNodeFromLeaving() async throws {
    let starter = HeldStarter()
    // It returns once the node has left.
    try await LinkedNode.run(pty: starter) { node in
      let link = try await node.link()
      link.open("slow", create: cat)
      try await eventually("it is being started") { starter.count == 1 }
    }
  }

  @Test func timesOfCreateEndASessionAndSayWhy() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("s", create: Creation(command: ["cat"], timeout: .seconds(1)))
      let end = try await link.frame("the end") { $0.type == .ended }
      guard case .ended(let ended) = end else {
        Issue.record("\(end)")
        return
      }
      #expect(ended.reason == .timeout)
      // One that is not kept is gone at once.
      link.open("t", create: Creation(command: ["true"], keep: .seconds(0)), stream: 2)
      try await link.frame("the end", stream: 2) { $0.type == .ended }
      try await eventually("it is forgotten") {
        try await link.sessions().allSatisfy { $0.session.rawValue != "t" }
      }
    }
  }
}

@Suite(.timeLimit(.minutes(2 * patience))) struct NewerRouterTests {
  @Test func whatOnlyNewerNodesKnowIsAnsweredAndTheLinkGoesOn() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("s", create: cat)
      _ = try await link.opened()
      let open = Open(kind: StreamKind(rawValue: "files"), session: nil, size: .standard)
      link.send(
        .linkOpen(LinkOpen(client: .random(), access: .open, from: "a test", open: open)), stream: 2
      )
      #expect(try await link.refused(stream: 2).code == .unknownKind)
      let session = SessionID(unchecked: "s")
      link.send(
        .request(LinkRequest(id: 1, method: .init(rawValue: "move"), session: session)), stream: 0)
      link.send(
        .request(
          LinkRequest(
            id: 2, method: .screen, session: session, format: ScreenFormat(rawValue: "html"),
            access: .open)), stream: 0)
      for id in [1, 2] as [UInt64] {
        let expected = LinkResponse(id: id, isLast: true, error: .unknown)
        try await link.frame("answer \(id)", stream: 0) { $0 == .response(expected) }
      }
      try await link.echo("still-here", at: 0)
    }
  }
}

@Suite(.timeLimit(.minutes(2 * patience))) struct SummaryTests {
  /// Promise P4: what the registry has no record of is asked for here.
  @Test func whetherASessionIsHereIsToldWithItsEpoch() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("s", create: cat)
      let epoch = try await link.opened().epoch
      for (id, session, expected) in [(1, "s", epoch), (2, "t", nil)] as [(UInt64, String, Epoch?)]
      {
        link.send(
          .request(
            LinkRequest(id: id, method: .announce, session: SessionID(unchecked: session))),
          stream: 0)
        let answer = LinkResponse(id: id, isLast: true, epoch: expected)
        try await link.frame("answer \(id)", stream: 0) { $0 == .response(answer) }
      }
    }
  }

  @Test func aCommandIsToldWholeHoweverLongItIs() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      let subject = String(repeating: "\"", count: WireLimits.subject)
      let nasty = access(subject, .admin, own: .admin)
      // As long as a LINK_OPEN can be, in characters that JSON writes with six bytes each, and with two.
      let commands = [
        ["echo", String(repeating: "\u{1}", count: 2_700)],
        ["echo"] + [String](repeating: String(repeating: "\"", count: 40), count: 190),
        ["echo", "a b", "", "ü"],
      ]
      for (index, command) in commands.enumerated() {
        link.open(
          "s\(index)", create: Creation(command: command), as: nasty, stream: UInt64(index * 8 + 1))
        _ = try await link.opened(stream: UInt64(index * 8 + 1))
        for viewer in 2...5 {
          link.open("s\(index)", as: nasty, stream: UInt64(index * 8 + viewer))
          try await link.frame("an answer", stream: UInt64(index * 8 + viewer)) {
            $0.type == .opened
          }
        }
      }
      let told = try await link.sessions().sorted { $0.session.rawValue < $1.session.rawValue }
      #expect(told.map(\.command) == commands)
      #expect(told.allSatisfy { $0.creator == subject })
    }
  }

  @Test func manySessionsAreToldInPartsThatFit() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      let word = String(repeating: "x", count: 5_000)
      for number in 1...9 as ClosedRange<UInt64> {
        link.open("s\(number)", create: Creation(command: ["true", word]), stream: number)
        _ = try await link.opened(stream: number)
      }
      let told = try await link.sessions()
      #expect(Set(told.map(\.session.rawValue)).count == 9)
      #expect(told.count == 9)
      let parts = try link.frames(stream: 0).filter { $0.type == .response }
      #expect(parts.count >= 3, "three of them fill a part")
    }
  }
}

@Suite(.timeLimit(.minutes(4 * patience))) struct HostilePeerTests {
  @Test(
    "numbers that contradict each other end their own link only",
    arguments: [
      ("0", "18446744073709551615"), ("9223372036854775808", "0"), ("5", "6"),
      ("18446744073709551615", "18446744073709551615"), ("18446744073709551615", "1"),
    ])
  func credit(sent: String, consumed: String) async throws {
    try await LinkedNode.run { node in
      let good = try await node.link()
      good.open("s", create: cat)
      _ = try await good.opened()
      let bad = try await node.link()
      let json =
        #"{"client":"c","access":{"rights":"admin"},"from":"x","sent":\#(sent),"consumed":\#(consumed),"open":{"session":"s","resume":{"life":"1","next":18446744073709551615,"input":18446744073709551615}}}"#
      var wire = ByteBuffer()
      wire.writeVarint(UInt64(2 + json.utf8.count))
      wire.writeInteger(FrameType.linkOpen.rawValue)
      wire.writeVarint(1)
      wire.writeString(json)
      bad.raw.send(Array(wire.readableBytesView))
      try await eventually("the link is closed") { bad.raw.isClosed }
      try await good.echo("still-here", at: 0)
    }
  }

  @Test func offsetsFromBeyondEverythingAreAnsweredAndHarmNothing() async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("s", create: cat)
      let life = try await link.opened().life
      for (index, offset) in [Varint.maximum, Varint.maximum + 1, .max].enumerated() {
        let stream = UInt64(index + 2)
        var open = Open(
          session: SessionID(unchecked: "s"),
          resume: Resume(life: life, next: offset, input: offset), size: .standard)
        open.attempt = offset
        link.send(
          .linkOpen(
            LinkOpen(
              client: .random(), access: .open, from: "", sent: Varint.maximum,
              consumed: Varint.maximum - 1, open: open)), stream: stream)
        guard offset <= Varint.maximum else {
          #expect(try await link.refused(stream: stream).code == .badRequest)
          continue
        }
        let opened = try await link.opened(stream: stream)
        #expect(opened.resumed == .snapshot && opened.inDoubt == true)
        link.send(.input(offset: Varint.maximum, ByteBuffer(string: "xx")), stream: stream)
        try await link.frame("CLOSE", stream: stream) { $0 == .close(.inputGap) }
      }
      link.send(.outputAck(offset: 0, consumed: Varint.maximum))
      try await link.frame("CLOSE") { $0 == .close(.badAck) }
      link.open("s", stream: 9)
      _ = try await link.opened(stream: 9)
      try await link.echo("still-here", at: 0, stream: 9)
    }
  }

  @Test(
    "a flood of RESIZE changes the size a few times, and another session is served",
    arguments: [(20_000, 80, 24), (1_400, 1_000, 1_000)])
  func flood(count: Int, columns: Int, rows: Int) async throws {
    try await LinkedNode.run { node in
      let link = try await node.link()
      link.open("flooded", create: cat)
      link.open("other", create: cat, stream: 2)
      _ = try await link.opened()
      _ = try await link.opened(stream: 2)
      let start = ContinuousClock.now
      let last = TerminalSize(columns: 97, rows: 31)
      var flood: [UInt8] = []
      for number in 0..<count {
        let size = TerminalSize(columns: columns - number % 2, rows: rows)
        flood += Frame.resize(size).bytes(stream: 1)
      }
      link.raw.send(flood + Frame.resize(last).bytes(stream: 1))
      try await link.echo("between", at: 0, stream: 2)
      try await link.frame("the last size") {
        if case .resized(_, let size) = $0 { size == last } else { false }
      }
      let changes = try link.frames().filter { $0.type == .resized }.count
      let most = (ContinuousClock.now - start) / .milliseconds(30) + 2
      #expect(Double(changes) <= most, "\(changes) changes of the size")
      try await link.echo("after", at: 0)
    }
  }
}

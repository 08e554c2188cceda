// A stream as a value: what it asks for in each of its states, whatever happens to it (promises P1, P2, P4).

import Auth
import NIOCore
import Registry
import Testing
import Wire

@testable import Router

/// A stream, and what it has asked for.
struct StreamUnderTest {
  static let session = SessionID(unchecked: "s")
  static let life = Life(rawValue: 9)
  var stream: RoutedStream

  init(
    create: Creation? = nil, exclusive: Bool? = nil, resume: Resume? = nil,
    mayNotCreate: String? = nil
  ) {
    stream = RoutedStream(
      session: Self.session,
      open: Open(
        session: Self.session, create: create, resume: resume, size: .standard,
        exclusive: exclusive),
      mayNotCreate: mayNotCreate, client: ClientID(unchecked: "tab"), access: .open, from: "::1")
  }

  mutating func actions() -> [RoutedStream.Action] {
    var actions: [RoutedStream.Action] = []
    while let action = stream.nextAction() { actions.append(action) }
    return actions
  }

  @discardableResult
  mutating func handle(_ events: RoutedStream.Event...) -> [RoutedStream.Action] {
    for event in events { stream.handle(event) }
    return actions()
  }

  static func route(_ node: String = "a", epoch: UInt64? = 1) -> Route {
    Route(
      node: NodeID(unchecked: node), incarnation: Incarnation(rawValue: 1),
      epoch: epoch.map { Epoch($0) }, loop: 0, address: NodeAddress(host: node, port: 1))
  }

  static func opened(
    output: UInt64 = 0, input: UInt64 = 0, life: Life = life, resumed: Opened.Resumed = .exact,
    mayKill: Bool = true
  ) -> RoutedStream.Event {
    .node(
      .opened(
        Opened(
          session: session, life: life, epoch: Epoch(1), created: resumed == .new,
          resumed: resumed, output: output, input: input, size: .standard, mode: .driver,
          mayKill: mayKill)))
  }

  static func output(_ text: String, at offset: UInt64 = 0) -> Frame {
    .output(offset: offset, ByteBuffer(string: text))
  }

  /// The states that a stream can be in.
  enum State: CaseIterable {
    case resolving, opening, live, paused, resolvingAgain, openingAgain, closed
  }

  /// Brought there, with all that it asked for done.
  static func inState(_ state: State, create: Creation? = nil) -> StreamUnderTest {
    var test = StreamUnderTest(create: create)
    if state != .resolving { test.handle(.found(route())) }
    switch state {
    case .resolving, .opening: break
    case .live: test.handle(opened())
    case .paused: test.handle(opened(), .linkBroke(because: "gone"))
    case .resolvingAgain: test.handle(opened(), .linkBroke(because: "gone"), .timeToRetry)
    case .openingAgain:
      test.handle(opened(), .linkBroke(because: "gone"), .timeToRetry, .found(route()))
    case .closed: test.handle(.left(.done))
    }
    _ = test.actions()
    return test
  }
}

extension [RoutedStream.Action] {
  var delivered: [Frame] { compactMap { if case .deliver(let frame) = $0 { frame } else { nil } } }
  var sent: [Frame] { compactMap { if case .send(let frame) = $0 { frame } else { nil } } }
  var request: LinkOpen? {
    for case .open(_, let request) in self { return request }
    return nil
  }
  var refusal: Refused? {
    for case .refused(let refusal) in delivered { return refusal }
    return nil
  }
  var audits: [AuditEvent] {
    compactMap { if case .audit(let event) = $0 { event } else { nil } }
  }
}

@Suite struct RoutedStreamTests {
  typealias Test = StreamUnderTest

  @Test func itLooksForItsNodeThenOpensThenIsLive() {
    var test = Test()
    #expect(test.actions() == [.resolve])
    #expect(test.stream.question?.session == Test.session)
    let asked = test.handle(.found(Test.route()))
    #expect(asked.count == 1 && asked.request?.epoch == Epoch(1) && asked.request?.sent == 0)
    #expect(test.stream.question == nil)
    let opened = test.handle(Test.opened())
    #expect(opened.audits.map(\.what) == [.open])
    #expect(opened.contains(.remember(Test.session, Test.route(), Epoch(1))))
    #expect(opened.delivered.map(\.type) == [.opened])
    #expect(
      test.handle(.client(.input(offset: 0, ByteBuffer(string: "x"))))
        == [.send(.input(offset: 0, ByteBuffer(string: "x")))])
    #expect(test.handle(.node(Test.output("hi"))) == [.deliver(Test.output("hi"))])
  }

  // MARK: The link breaks

  /// Promise P5: what the registry need not be asked for is not.
  @Test func aNodeThatWasStartedAnewIsAskedNextAndSoon() {
    var test = Test.inState(.openingAgain)
    test.handle(.linkBroke(because: "gone"), .timeToRetry)
    #expect(test.stream.question?.isDoubting == true)
    test.handle(.found(Test.route()))
    let route = Test.route()
    #expect(
      test.handle(.linkBroke(because: "anew", isRestart: true)) == [
        .remember(Test.session, route, Epoch(1)), .retry(within: RouterLimits.reopenFirst),
      ])
    test.handle(.timeToRetry)
    #expect(test.stream.question?.isDoubting == false)
    // One that is new each time is no faster way round.
    test.handle(.found(route))
    let again = test.handle(.linkBroke(because: "anew", isRestart: true))
    #expect(again.last == .retry(within: RouterLimits.reopenFirst * 2))
  }

  @Test func aFirstOpenGoesToTheNodeThatWasStartedAnewToo() {
    var test = Test.inState(.opening)
    #expect(
      test.handle(.linkBroke(because: "anew", isRestart: true)).first
        == .remember(Test.session, Test.route(), Epoch(1)))
    test.handle(.timeToRetry)
    #expect(test.stream.question?.isDoubting == false)
  }

  @Test func aBrokenLinkPausesALiveStreamAndItIsOpenedWhereItStood() {
    var test = Test(create: Creation())
    test.handle(.found(Test.route(epoch: nil)), Test.opened(resumed: .new))
    test.handle(.node(Test.output("hello")), .handedOver(5), .node(.inputAck(offset: 3)))
    test.handle(.client(.outputAck(offset: 4, consumed: 4)))
    #expect(
      test.handle(.linkBroke(because: "gone"))
        == [.deliver(.event(.paused)), .retry(within: RouterLimits.reopenFirst)])
    #expect(test.handle(.timeToRetry) == [.resolve])
    #expect(test.stream.question?.creation == nil && test.stream.question?.isResuming == true)
    let request = test.handle(.found(Test.route())).request
    #expect(request?.open.resume == Resume(life: Test.life, next: 5, input: 3))
    #expect(request?.open.create == nil)
    #expect(request?.sent == 5 && request?.consumed == 4)
    #expect(request?.again == nil)
  }

  /// "Exclusive" is of the creation; the node would refuse it in an OPEN that creates nothing.
  @Test func aSessionThatHadToBeNewIsOpenedAgainLikeAnyOther() {
    var test = Test(create: Creation(), exclusive: true)
    #expect(test.handle(.found(Test.route(epoch: nil))).request?.open.exclusive == true)
    test.handle(Test.opened(resumed: .new), .linkBroke(because: "gone"), .timeToRetry)
    let request = test.handle(.found(Test.route())).request
    #expect(request?.open.problem == nil)
    #expect(request?.open.exclusive == nil)
  }

  @Test func aSnapshotThatWasCutIsAskedForWhole() {
    func part(isLast: Bool) -> RoutedStream.Event {
      .node(
        .snapshot(
          SnapshotPart(
            id: 1, isFirst: true, isLast: isLast, offset: 500, size: .standard,
            bytes: ByteBuffer(string: "half"))))
    }
    for (isLast, next) in [(false, nil), (true, 500)] as [(Bool, UInt64?)] {
      var test = Test()
      test.handle(.found(Test.route()), Test.opened(output: 500, resumed: .snapshot))
      test.handle(part(isLast: isLast), .linkBroke(because: "gone"), .timeToRetry)
      let request = test.handle(.found(Test.route())).request
      #expect(request?.open.resume?.next == next)
      #expect(request?.sent == 4)
    }
  }

  @Test func eachTryWaitsLonger() {
    var test = Test.inState(.live)
    var waits: [Duration] = []
    for _ in 0..<9 {
      for case .retry(let longest) in test.handle(.linkBroke(because: "gone")) {
        waits.append(longest)
      }
      test.handle(.timeToRetry, .found(Test.route()))
    }
    let expected = [50, 100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000]
    #expect(waits == expected.map { .milliseconds($0) })
    // And once it is open, from the beginning.
    test.handle(Test.opened())
    #expect(
      test.handle(.linkBroke(because: "gone")).contains(.retry(within: RouterLimits.reopenFirst)))
  }

  @Test func inputOfBeforeAReopeningComesAgainAndOnlyThen() {
    var test = Test.inState(.openingAgain)
    let late = Frame.input(offset: 3, ByteBuffer(string: "late"))
    let resent = Frame.input(offset: 2, ByteBuffer(string: "c"))
    #expect(test.handle(.client(late)).isEmpty, "there is no link to send it over")
    test.handle(Test.opened(input: 2))
    #expect(test.handle(.client(late)).isEmpty, "sent before the client knew")
    #expect(test.handle(.client(resent)) == [.send(resent)])
    #expect(test.handle(.client(late)) == [.send(late)])
  }

  @Test func inAnotherLifeNoInputIsAcknowledged() {
    var test = Test(resume: Resume(life: Life(rawValue: 1), next: 70, input: 50))
    test.handle(
      .found(Test.route()), Test.opened(output: 0), .linkBroke(because: "gone"), .timeToRetry)
    #expect(
      test.handle(.found(Test.route())).request?.open.resume
        == Resume(life: Test.life, next: 0, input: 0))
  }

  // MARK: What the client says meanwhile

  @Test(
    "what was said without a link is said once there is one",
    arguments: [Test.State.paused, .resolvingAgain, .openingAgain])
  func whatWasSaidWithoutALinkIsSaidOnce(state: StreamUnderTest.State) {
    var test = Test.inState(state)
    let size = TerminalSize(columns: 99, rows: 33)
    #expect(
      test.handle(.client(.take), .client(.kill), .client(.resize(size))).isEmpty, "it has no link")
    if state == .paused { test.handle(.timeToRetry) }
    if state != .openingAgain {
      #expect(test.handle(.found(Test.route())).request?.open.size == size)
    }
    let opened = test.handle(Test.opened())
    #expect(opened.sent == (state == .openingAgain ? [.resize(size)] : []) + [.take, .kill])
    #expect(opened.audits.map(\.what) == [.kill])
    test.handle(.node(.event(.sizeOwner(ClientID(unchecked: "tab")))))
    // Once, but for KILL, which the link may have broken under.
    test.handle(.linkBroke(because: "gone"), .timeToRetry, .found(Test.route()))
    let again = test.handle(Test.opened())
    #expect(again.sent == [.kill])
    #expect(again.audits.isEmpty, "it was asked for once")
  }

  /// TAKE has no answer but the word of who has the size.
  @Test func aTakeThatItsLinkMayHaveTakenAlongIsSaidAgain() {
    var test = Test.inState(.live)
    test.handle(.node(.event(.sizeOwner(ClientID(unchecked: "other")))))
    #expect(test.handle(.client(.take)).sent == [.take])
    func reopens() -> [Frame] {
      test.handle(.linkBroke(because: "gone"), .timeToRetry, .found(Test.route()))
      return test.handle(Test.opened()).sent
    }
    #expect(reopens() == [.take])
    test.handle(.node(.event(.viewers([], sizeOwner: ClientID(unchecked: "other")))))
    #expect(reopens() == [.take], "that was so before")
    test.handle(.node(.event(.sizeOwner(ClientID(unchecked: "tab")))))
    #expect(reopens() == [])
    test.handle(.node(.event(.sizeOwner(ClientID(unchecked: "other")))), .client(.take))
    test.handle(.node(.event(.sizeOwner(ClientID(unchecked: "third")))))
    #expect(reopens() == [], "nobody is robbed of what they took later")
  }

  @Test func creditThatWasGivenDuringAnOpenFollowsIt() {
    var test = Test.inState(.live)
    test.handle(.node(Test.output("hello")), .handedOver(5), .linkBroke(because: "gone"))
    test.handle(.timeToRetry, .found(Test.route()))
    #expect(test.handle(.client(.outputAck(offset: 5, consumed: 5))).isEmpty)
    #expect(test.handle(Test.opened(output: 5)).sent == [.outputAck(offset: 5, consumed: 5)])
  }

  @Test func whoMayNotEndTheSessionIsToldAndItIsLoggedEachTime() {
    var test = Test()
    test.handle(.found(Test.route()), Test.opened(mayKill: false))
    for _ in 0..<2 {
      let refused = test.handle(.client(.kill))
      #expect(refused.audits.map(\.result) == ["forbidden"])
      #expect(refused.delivered.map(\.type) == [.event] && refused.sent.isEmpty)
    }
  }

  @Test(
    "a client that breaks a rule of the stream loses it, and its node hears why",
    arguments: [
      (.live, .outputAck(offset: 1, consumed: 1), .badAck),
      (.live, .resize(TerminalSize(columns: 0, rows: 1)), .badSize),
      (.opening, .input(offset: 0, ByteBuffer(string: "x")), .inputBeforeOpened),
      (.resolving, .input(offset: 0, ByteBuffer(string: "x")), .inputBeforeOpened),
    ] as [(StreamUnderTest.State, Frame, Close)])
  func mistakes(state: StreamUnderTest.State, frame: Frame, close: Close) {
    var test = Test.inState(state)
    let left: [RoutedStream.Action] = state == .resolving ? [] : [.leave(close)]
    #expect(test.handle(.client(frame)) == left + [.deliver(.close(close)), .finish])
    #expect(test.handle(.client(frame), .timeToRetry, .left(.done)).isEmpty)
  }

  // MARK: What the node will not do

  @Test func theWrongNodeIsTriedThreeTimes() {
    var test = Test()
    for number in 1...RouterLimits.attempts {
      test.handle(.found(Test.route()))
      let refused = test.handle(.node(.refused(Refused(.notOwner, "not mine"))))
      #expect(refused.first == .leave(nil) && refused.contains(.forget(Test.session)))
      if number < RouterLimits.attempts {
        #expect(refused.refusal == nil)
        test.handle(.timeToRetry)
      } else {
        #expect(refused.refusal?.code == .unavailable && refused.last == .finish)
      }
    }
  }

  @Test func anotherNodeIsAskedForWhatOneHasNoRoomFor() {
    var test = Test(create: Creation())
    for node in ["a", "b"] {
      test.handle(.found(Test.route(node, epoch: nil)))
      let refused = test.handle(.node(.refused(Refused(.noCapacity, "\(node) is full", retry: 2))))
      #expect(
        refused == [.leave(nil), .noteRefused(by: NodeID(unchecked: node)), .resolve])
    }
    #expect(test.stream.question?.avoiding == [NodeID(unchecked: "a"), NodeID(unchecked: "b")])
    // None is left: the last one's words tell more than that.
    let last = test.handle(.notFound(Refused(.noCapacity, "no node can take it", retry: 2)))
    #expect(last.refusal == Refused(.noCapacity, "b is full", retry: 2))
    #expect(last.audits.map(\.result) == ["no_capacity"])
  }

  @Test func aNodeThatHangsIsNotAskedAgain() {
    var test = Test(create: Creation())
    test.handle(.found(Test.route(epoch: nil)))
    #expect(test.handle(.nodeHangs(because: "silence")) == [.leave(.done), .resolve])
    #expect(test.stream.question?.avoiding == [NodeID(unchecked: "a")])
    // One that has opened it is left to its link.
    test.handle(.found(Test.route("b", epoch: nil)), Test.opened(resumed: .new))
    #expect(test.handle(.nodeHangs(because: "silence")).isEmpty)
  }

  @Test func aCreateWithoutAnAnswerIsSaidToComeAgain() {
    var test = Test(create: Creation())
    #expect(test.handle(.found(Test.route(epoch: nil))).request?.again == nil)
    test.handle(.linkBroke(because: "gone"), .timeToRetry)
    #expect(test.stream.question?.isDoubting == true)
    #expect(test.handle(.found(Test.route("b", epoch: nil))).request?.again == true)
  }

  @Test func aFirstOpenIsRefusedAndAnOpenStreamWaits() {
    let refusal = Refused(.unavailable, "the registry is away", retry: 1_000)
    var first = Test.inState(.resolving)
    #expect(first.handle(.notFound(refusal)).refusal == refusal)
    var again = Test.inState(.resolvingAgain)
    let waits = again.handle(.notFound(refusal))
    #expect(waits.count == 1 && waits.refusal == nil)
    #expect(again.handle(.timeToRetry) == [.resolve])
  }

  @Test func aSessionThatIsAnothersByNowIsFollowedThere() {
    var test = Test.inState(.live)
    let left = test.handle(.node(.refused(Refused(.notOwner, "another's", retry: 0))))
    #expect(left[0] == .leave(nil) && left[1] == .forget(Test.session))
    #expect(left.delivered == [.event(.paused)])
    test.handle(.timeToRetry)
    #expect(test.handle(.found(Test.route("b"))).request?.open.resume?.life == Test.life)
  }

  /// Promise P11: a node that was started again may take longer than that.
  @Test func whatWasOpenWaitsForAsLongAsItsOwnerIsNotSettled() {
    var test = Test.inState(.live)
    test.handle(.node(.refused(Refused(.notOwner, "not any more", retry: 0))))
    for _ in 0...2 * RouterLimits.attempts {
      test.handle(.timeToRetry)
      test.handle(.found(Test.route()))
      let waits = test.handle(.node(.refused(Refused(.notOwner, "not yet", retry: 0))))
      #expect(
        waits.refusal == nil && waits.contains { if case .retry = $0 { true } else { false } })
    }
    test.handle(.timeToRetry)
    #expect(test.handle(.found(Test.route())).request?.open.resume?.life == Test.life)
  }

  @Test func whatMayNotBeCreatedIsEnteredOrForbidden() {
    var test = Test(create: Creation(user: UserName("root")), mayNotCreate: "not you")
    #expect(test.stream.question?.creation == nil)
    let refused = test.handle(.notFound(Refused(.notFound, "no session s")))
    #expect(refused.refusal == Refused(.forbidden, "not you"))
    #expect(refused.audits.map(\.what) == [.create] && refused.audits.first?.message == "not you")
    #expect(refused.audits.first?.target == "pty" && refused.audits.first?.user == "root")
  }

  // MARK: Another token

  @Test(arguments: StreamUnderTest.State.allCases)
  func anotherTokenOpensTheStreamAgain(state: StreamUnderTest.State) {
    var test = Test.inState(state)
    #expect(test.handle(.reauthorized(.open)).isEmpty, "it gives the same")
    let access = Access(subject: "sam", rights: .write, asCreator: nil)
    let asked = test.handle(.reauthorized(access))
    switch state {
    case .live:
      #expect(
        asked == [
          .leave(.done), .deliver(.event(.paused)), .retry(within: RouterLimits.reopenFirst),
        ])
    case .opening: #expect(asked == [.leave(.done), .resolve])
    case .openingAgain: #expect(asked.first == .leave(.done) && asked.count == 2)
    case .resolving, .resolvingAgain, .paused, .closed: #expect(asked.isEmpty)
    }
    guard state != .closed else { return }
    test.handle(.timeToRetry)
    #expect(test.handle(.found(Test.route())).request?.access == access)
  }
}

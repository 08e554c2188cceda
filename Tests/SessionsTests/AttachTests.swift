// Who gets in, who takes whose place, and where the output goes on for them (promises P1, P2, P4, P9, P10).

import NIOCore
import Sessions
import TestSupport
import Testing
import Wire

@Suite struct AttachTests {
  private let client = ClientID.random()

  private func opened(_ test: TestSession, _ number: UInt64) throws -> Opened {
    for case .opened(let opened) in test.frames(number) { return opened }
    throw ChildError("\(test.frames(number))")
  }

  private func refused(_ test: TestSession, _ number: UInt64) throws -> Refused {
    for case .refused(let refused) in test.frames(number) { return refused }
    throw ChildError("\(test.frames(number))")
  }

  private func request(
    _ test: TestSession, create: Creation? = nil, exclusive: Bool? = nil,
    access: Access = .open
  ) -> LinkOpen {
    LinkOpen(
      client: client, access: access, from: "a test",
      open: Open(session: test.core.id, create: create, size: .standard, exclusive: exclusive))
  }

  // MARK: Superseding

  @Test func aNewStreamOfTheSameClientTakesThePlaceOfTheOld() {
    let test = TestSession()
    test.attach(1, client: client, isNew: true)
    test.attach(2, client: client)
    #expect(test.frames(1).last == .close(.superseded))
    test.type("old", at: 0, 1)
    test.type("new", at: 0, 2)
    #expect(test.written == ByteBuffer(string: "new"))
  }

  @Test func anOpenThatWasOvertakenByANewerOneIsClosed() {
    let test = TestSession()
    test.attach(1, client: client, attempt: 2, isNew: true)
    test.attach(2, client: client, attempt: 1)
    #expect(test.frames(2) == [.close(.superseded)])
    #expect(!test.isClosed(1))
    test.attach(3, client: client, attempt: 3)
    #expect(test.isClosed(1) && !test.isClosed(3))
  }

  @Test func theSameClientIDOfAnotherSubjectIsAnotherClient() {
    let test = TestSession()
    let access = ["ann", "eve"].map { Access(subject: $0, rights: .write, asCreator: nil) }
    test.attach(1, client: client, access: access[0], isNew: true)
    test.attach(2, client: client, access: access[1])
    #expect(!test.isClosed(1), "it must not pass for another")
    test.type("ann", at: 0, 1)
    test.type("eve", at: 0, 2)
    #expect(test.written == ByteBuffer(string: "anneve"))
  }

  @Test func theNumberOfStreamsIsBounded() throws {
    let test = TestSession()
    for number in 1...UInt64(SessionLimits.streams) { test.attach(number, mode: .watcher) }
    test.attach(1_000)
    #expect(try refused(test, 1_000).code == .tooMany)
    test.leave(1)
    test.attach(1_001)
    #expect(!test.isClosed(1_001))
  }

  // MARK: Resuming

  @Test func whoKnowsTheLifeGoesOnWhereItWas() throws {
    let test = TestSession()
    test.prints("0123456789")
    let life = test.core.life
    test.attach(1, resume: Resume(life: life, next: 4, input: 0))
    let opened = try opened(test, 1)
    #expect(opened.resumed == .exact && opened.output == 4)
    var output = ByteBuffer()
    for case .output(_, var bytes) in test.frames() { output.writeBuffer(&bytes) }
    #expect(output == ByteBuffer(string: "456789"))
  }

  @Test func whoIsTooLateForTheLogOrAheadOfItOrOfAnotherLifeGetsASnapshot() throws {
    let test = TestSession(settings: SessionSettings(logLimit: SessionLimits.logPage))
    test.prints(SessionLimits.logPage * 8)
    test.settle()
    let (life, end) = (test.core.life, test.core.log.end)
    let resumes = [
      Resume(life: life, next: 0), Resume(life: life, next: end + 1), Resume(life: life),
      Resume(life: Life(rawValue: life.rawValue &+ 1), next: end),
    ]
    for (index, resume) in resumes.enumerated() {
      let number = UInt64(index + 1)
      test.attach(number, resume: resume)
      let opened = try opened(test, number)
      #expect(opened.resumed == .snapshot && opened.output == end)
      #expect(test.frames(number).contains { $0.type == .snapshot })
    }
  }

  @Test func whatOfItsInputArrivedIsToldToWhoComesBackAndInDoubtToWhoWasForgotten() throws {
    let test = TestSession()
    test.takesInput = false
    test.attach(1, client: client, isNew: true)
    test.type("hello", at: 0)
    test.reads(5)
    test.type("!", at: 5)
    test.leave(1)
    let resume = Resume(life: test.core.life, next: 0, input: 5)
    test.attach(2, client: client, resume: resume)
    let back = try opened(test, 2)
    #expect(back.input == 6 && back.inDoubt == nil)
    test.attach(3, resume: resume)
    #expect(try opened(test, 3).inDoubt == true, "nobody knows what became of it")
  }

  // MARK: Who may enter

  @Test func whoMayNotEnterIsTold() throws {
    let test = TestSession(subject: "bob")
    let eve = Access(subject: "eve", rights: nil, asCreator: .admin)
    test.open(1, request(test, create: Creation(), exclusive: true, access: eve))
    let refusal = try refused(test, 1)
    #expect(refusal.code == .forbidden && refusal.state == nil && refusal.differs == nil)
    test.open(2, request(test, access: Access(subject: "bob", rights: nil, asCreator: .write)))
    #expect(try opened(test, 2).mode == .driver)
    test.open(3, request(test, access: Access(subject: "ann", rights: .read, asCreator: nil)))
    #expect(try opened(test, 3).mode == .watcher)
  }

  @Test func anExclusiveOpenIsRefusedUnlessItCreatedTheSession() throws {
    let test = TestSession(Creation(command: ["cat"]))
    let other = Creation(command: ["sh"])
    test.open(1, request(test, create: other, exclusive: true))
    let refusal = try refused(test, 1)
    #expect(refusal.code == .exists && refusal.state == .running)
    #expect(refusal.differs == ["command"])
    test.open(2, request(test, create: other))
    #expect(try opened(test, 2).differs == ["command"])
    test.open(3, request(test, create: test.core.creation, exclusive: true), isFirst: true)
    #expect(try opened(test, 3).created)
  }

  /// Its connection broke before OPENED: it is not told that its own session is in its way.
  @Test func whoCreatedASessionAndDoesNotKnowIsToldAtTheNextOpen() throws {
    let test = TestSession(Creation(command: ["cat"]), creator: client)
    let again = request(test, create: test.core.creation, exclusive: true)
    test.open(1, again, isFirst: true)
    test.leave(1)
    test.prints("ready")
    let eve = Access(subject: "eve", rights: .write, asCreator: nil)
    test.open(2, request(test, create: test.core.creation, exclusive: true, access: eve))
    #expect(try refused(test, 2).code == .exists, "the same ClientID of somebody else")
    test.open(3, again)
    let opened = try opened(test, 3)
    #expect(opened.created && opened.resumed == .new && opened.output == 0)
    test.type("x", at: 0, 3)
    test.leave(3)
    test.open(4, again)
    #expect(try refused(test, 4).code == .exists, "it has had its OPENED")
  }
}

@Suite struct ViewersTests {
  private let alice = Access(subject: "alice", rights: .write, asCreator: nil)
  private let admin = Access(subject: "root", rights: .admin, asCreator: nil)

  private func named(_ test: TestSession, _ stream: UInt64) -> [String?]? {
    test.frames(stream).compactMap { frame -> [String?]? in
      if case .event(.viewers(let viewers, _)) = frame { viewers.map(\.sub) } else { nil }
    }.last
  }

  @Test func onlyWhoMayKnowIsToldWhoTheOthersAre() {
    let test = TestSession(subject: "bob")
    test.attach(1, access: Access(subject: "bob", rights: nil, asCreator: .write), isNew: true)
    test.attach(2, access: alice)
    test.attach(3, access: admin)
    var teacher = alice
    teacher.names = true
    test.attach(4, access: teacher)
    test.attach(
      5, access: Access(subject: "bob", rights: nil, asCreator: .write, namesAsCreator: true))
    test.attach(
      6, access: Access(subject: "eve", rights: .read, asCreator: nil, namesAsCreator: true))
    let all = ["bob", "alice", "root", "alice", "bob", "eve"]
    for stream in [3, 4, 5] as [UInt64] { #expect(named(test, stream) == all, "\(stream)") }
    for stream in [1, 2, 6] as [UInt64] {
      #expect(named(test, stream) == [String?](repeating: nil, count: 6), "\(stream)")
    }
  }

  @Test func anEventOfManyViewersWithLongNamesIsOneFrame() throws {
    let test = TestSession()
    let long = String(repeating: "\"", count: WireLimits.subject)
    for number in 1...100 as ClosedRange<UInt64> {
      test.attach(number, access: Access(subject: long, rights: .admin, asCreator: nil))
    }
    let names = try #require(named(test, 100))
    #expect(names.count == SessionLimits.viewersNamed)
    #expect(names.first == long && names.last == .some(nil))
  }

  @Test func thoseWhoComeAtOnceAreToldOnce() {
    let test = TestSession()
    for number in 1...50 as ClosedRange<UInt64> { test.attach(number, mode: .watcher) }
    #expect(test.frames(1).filter { $0.type == .event }.count == 1)
  }

  @Test func theTitleIsToldWhenItChangesAndToWhoComesLater() {
    let test = TestSession()
    test.attach(1, isNew: true)
    test.prints("\u{1B}]2;vim\u{7}")
    test.attach(2)
    for number in 1...2 as ClosedRange<UInt64> {
      #expect(test.frames(number).contains(.event(.title("vim"))))
    }
  }
}

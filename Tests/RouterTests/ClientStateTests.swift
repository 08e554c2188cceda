// How far a client has come, as a value: each frame in each state (promise P9).

import Auth
import Testing
import Wire

@testable import Router

@Suite struct ClientStateTests {
  private let hello = Hello(client: ClientID(unchecked: "tab"))

  private func greeted(expires: Double? = nil) throws -> ClientState {
    var state = ClientState()
    #expect(try state.receive(.hello(hello), stream: 0) == .identify(hello))
    #expect(state.principal == nil)
    state.identified(as: Principal(subject: "sam", grants: .everything, expires: expires))
    #expect(state.principal?.subject == "sam")
    return state
  }

  private func open(_ session: String? = "s") -> Open {
    Open(session: session.map { SessionID(unchecked: $0) }, size: .standard)
  }

  @Test(
    "before HELLO nothing else is taken",
    arguments: [.ping(1), .open(Open(session: nil, size: .standard)), .kill, .token(Renewal())]
      as [Frame])
  func beforeHello(frame: Frame) {
    var state = ClientState()
    #expect(throws: WireError.self) { try state.receive(frame, stream: 1) }
  }

  @Test func nothingIsDoneForWhoIsNotKnownYet() throws {
    var state = ClientState()
    _ = try state.receive(.hello(hello), stream: 0)
    #expect(try state.receive(.open(open()), stream: 1) == .ignore)
    #expect(try state.receive(.ping(1), stream: 0) == .ignore)
  }

  @Test func aFrameIsForAStreamThatWasOpened() throws {
    var state = try greeted()
    #expect(throws: WireError.self) { try state.receive(.take, stream: 1) }
    #expect(try state.receive(.open(open()), stream: 3) == .open(open()))
    #expect(try state.receive(.take, stream: 1) == .ignore)
    #expect(try state.receive(.take, stream: 3) == .ignore)
    #expect(throws: WireError.self) { try state.receive(.take, stream: 4) }
    #expect(throws: WireError.self) { try state.receive(.open(open()), stream: 3) }
    state.close()
    #expect(try state.receive(.take, stream: 3) == .ignore)
  }

  @Test func anotherTokenMustBeTheSamePersons() throws {
    var state = try greeted()
    #expect(throws: AuthError.self) {
      try state.renewed(as: Principal(subject: "kim", grants: .everything))
    }
    try state.renewed(as: Principal(subject: "sam", grants: Grants.everything, expires: 100))
    #expect(state.principal?.expires == 100)
  }

  @Test(
    "another token is asked for in time, and no timer of years is set",
    arguments: [
      (nil, nil), (1_000, .ask(after: 940, notice: 60)), (40, .ask(after: 20, notice: 20)),
      (-5, .ask(after: 0, notice: 0)), (1e9, .look(after: RouterLimits.tokenCheck)),
    ] as [(Double?, ClientState.TokenWait?)])
  func tokenTimes(left: Double?, wait: ClientState.TokenWait?) throws {
    let state = try greeted(expires: left.map { $0 + 5_000 })
    #expect(state.tokenWait(now: 5_000) == wait)
  }

  @Test func anOpenIsRefusedForWhatIsWrongWithIt() throws {
    let state = try greeted()
    func code(_ open: Open, among count: Int = 0) -> Refused.Code? {
      guard
        case .refused(let refusal) = state.opening(open, among: count, from: "", name: .random())
      else {
        return nil
      }
      return refusal.code
    }
    #expect(code(open()) == nil)
    #expect(code(open(), among: WireLimits.streamsPerConnection) == .tooMany)
    #expect(code(open(nil)) == .badRequest)
  }
}

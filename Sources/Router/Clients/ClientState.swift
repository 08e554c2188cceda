// How far a client has come: HELLO, who it is, and which streams it may open. Its frames are checked here one by
// one, since a router carries no byte that it has not understood (promise P9). Pure.

import Auth
import Wire

struct ClientState {
  private enum State {
    /// HELLO has not come.
    case greeting
    /// HELLO has come, and whose token it brought is not known.
    case authenticating(ClientID)
    case open(Known)
    case closed
  }

  private struct Known {
    let client: ClientID
    var principal: Principal
  }

  /// What a frame asks for.
  enum Step: Equatable {
    case ignore
    /// Find out whose token it brings, and call `identified(as:)`.
    indirect case identify(Hello)
    /// Find out whose its other token is, and call `renewed(as:)`.
    indirect case renew(Renewal)
    indirect case open(Open)
    case answer(Frame)
    /// Refuse the stream that it begins.
    indirect case refuse(Refused)
  }

  private var state: State
  private var highestStream: UInt64 = 0

  init() { state = .greeting }

  /// A client that is known by other means than HELLO.
  init(_ client: ClientID, _ principal: Principal) {
    state = .open(Known(client: client, principal: principal))
  }

  var principal: Principal? { if case .open(let known) = state { known.principal } else { nil } }

  /// Nil: it has not said HELLO, or has left.
  var client: ClientID? { if case .open(let known) = state { known.client } else { nil } }

  mutating func close() { state = .closed }

  // MARK: Frames

  /// Takes a frame of the connection, or of a stream that is not open.
  mutating func receive(_ frame: Frame, stream: UInt64) throws(WireError) -> Step {
    if frame.isOfStream, case .open = state {
      // Its stream has ended, and more of its frames may be under way. A frame of a stream that was never opened is a
      // mistake.
      guard stream > 0, stream <= highestStream else {
        throw WireError(.unexpected, "\(frame.type) on stream \(stream), which was never opened")
      }
      return .ignore
    }
    switch state {
    case .greeting: return .identify(try greet(frame))
    case .open: return try receiveControl(frame, stream: stream)
    case .authenticating, .closed: return .ignore
    }
  }

  private mutating func greet(_ frame: Frame) throws(WireError) -> Hello {
    guard case .hello(let hello) = frame else {
      throw WireError(.unexpected, "a connection begins with HELLO")
    }
    guard hello.versions.contains(1) else {
      throw WireError(.unexpected, "this server speaks version 1")
    }
    guard let client = hello.client else {
      throw WireError(.malformed, "hello: \"client\" is missing")
    }
    state = .authenticating(client)
    return hello
  }

  private mutating func receiveControl(
    _ frame: Frame, stream: UInt64
  ) throws(WireError) -> Step {
    switch frame {
    case .open(let open):
      try begin(stream)
      return .open(open)
    case .unreadableOpen(let problem):
      try begin(stream)
      return .refuse(Refused(.badRequest, problem))
    case .ping(let opaque): return .answer(.pong(opaque))
    case .pong: return .ignore
    case .token(let renewal): return .renew(renewal)
    default: throw WireError(.unexpected, "\(frame.type) is not for a client to send")
    }
  }

  /// Notes that a stream begins: its number is used from now on.
  private mutating func begin(_ stream: UInt64) throws(WireError) {
    guard stream > 0 else { throw WireError(.unexpected, "stream 0 is the connection itself") }
    guard stream > highestStream else {
      throw WireError(.unexpected, "stream \(stream) was used before; numbers only rise")
    }
    highestStream = stream
  }

  // MARK: Who it is

  mutating func identified(as principal: Principal) {
    guard case .authenticating(let client) = state else { return }
    state = .open(Known(client: client, principal: principal))
  }

  /// Takes another token, before the last one has run out. It must be the same person's, and what it gives holds from
  /// now on.
  mutating func renewed(as principal: Principal) throws(AuthError) {
    guard case .open(var known) = state else { return }
    guard principal.subject == known.principal.subject else {
      throw AuthError(.subject, "the new token is for somebody else; connect anew with it")
    }
    known.principal = principal
    state = .open(known)
  }

  /// What to do about a token's end.
  enum TokenWait: Equatable {
    /// It is far away: look again after so many seconds.
    case look(after: Double)
    /// Ask for another one after so many seconds. It runs out `notice` after that.
    case ask(after: Double, notice: Double)
  }

  /// - Parameter now: seconds since 1970.
  /// - Returns: nil: the token has no end.
  func tokenWait(now: Double) -> TokenWait? {
    guard let expires = principal?.expires else { return nil }
    let left = expires - now
    let notice = min(RouterLimits.tokenNotice, left / 2)
    return left - notice > RouterLimits.tokenCheck
      ? .look(after: RouterLimits.tokenCheck)
      : .ask(after: max(0, left - notice), notice: max(0, notice))
  }

  // MARK: Opening

  enum Opening {
    case stream(RoutedStream)
    case refused(Refused)
    /// Refused since the token does not allow it: that goes into the audit log.
    case forbidden(Refused, SessionID)
  }

  /// - Parameters:
  ///   - count: the streams that are open.
  ///   - from: the client's address.
  ///   - name: of the session, where the client gives none.
  func opening(
    _ open: Open, among count: Int, from: String, name: @autoclosure () -> SessionID
  ) -> Opening {
    guard case .open(let known) = state else {
      return .refused(Refused(.unavailable, "the connection ends"))
    }
    guard count < WireLimits.streamsPerConnection else {
      return .refused(
        Refused(.tooMany, "at most \(WireLimits.streamsPerConnection) streams at a time"))
    }
    guard open.kind == .terminal else { return .refused(.unknown(open.kind)) }
    if let problem = open.problem { return .refused(Refused(.badRequest, problem)) }
    let session = open.session ?? name()
    let mayNotCreate = known.principal.mayNotCreate(open, session)
    if let why = known.principal.obstacle(to: open, session, mayNotCreate: mayNotCreate) {
      return .forbidden(Refused(.forbidden, why), session)
    }
    return .stream(
      RoutedStream(
        session: session, open: open, mayNotCreate: mayNotCreate, client: known.client,
        access: known.principal.access(to: session), from: from))
  }
}

extension Frame {
  /// What a client says on a stream that it has opened.
  var isOfStream: Bool {
    switch self {
    case .input, .outputAck, .resize, .take, .colors, .kill, .close: true
    default: false
    }
  }
}

extension Principal {
  /// Why it may not create what the OPEN asks for; nil: it may, or it does not ask.
  fileprivate func mayNotCreate(_ open: Open, _ session: SessionID) -> String? {
    guard let creation = open.create,
      case .refused(let why) = allows(.create(creation), session: session)
    else { return nil }
    return why
  }

  /// Why the OPEN is refused whether the session exists or not; nil: it is not. Whether the client may enter a session
  /// that exists is for the session's node to say, also where it could not create it.
  fileprivate func obstacle(
    to open: Open, _ session: SessionID, mayNotCreate: String?
  ) -> String? {
    // No session has a random name, and one that must not exist is not entered.
    if let mayNotCreate, open.session == nil || open.exclusive == true { return mayNotCreate }
    guard access(to: session).isNothing, mayNotCreate != nil || open.create == nil else {
      return nil
    }
    return mayNotCreate ?? "this token may not enter session \(session)"
  }
}

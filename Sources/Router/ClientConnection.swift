// A client's connection: its frames are checked here one by one, since a router carries no byte that
// it has not understood (promise P9), and what goes to it is written by turns among its streams.

import Auth
import DequeModule
import NIOCore
import Wire

/// What carries a client's bytes.
protocol ClientTransport: AnyObject {
  var isWritable: Bool { get }
  /// False: nothing more is to be read from the client for now.
  var isReading: Bool { get set }
  func write(_ buffer: ByteBuffer)
  /// Ends the connection with a WebSocket close code and a reason.
  func close(code: UInt16, reason: String)
}

/// Confined to its loop.
final class ClientConnection: StreamOwner {
  private let loop: RouterLoop
  private let from: String
  private var transport: (any ClientTransport)?
  private var decoder = FrameDecoder()
  private let identity: Result<Principal?, AuthError>
  private var client: ClientID?
  private var principal: Principal?
  private var streams: [UInt64: RoutedStream] = [:]
  private var highestStream: UInt64 = 0
  private var turns: Deque<RoutedStream> = []
  private var out = ByteBuffer()
  private var isFlushScheduled = false
  private var helloDeadline: Scheduled<Void>?
  private var tokenTimer: Scheduled<Void>?
  private var isHandling = false
  /// Links that must drain before the client is read any further.
  private var holds: Set<ObjectIdentifier> = []
  /// A slow registry holds back only the streams that ask it: so many ask at a time, the others wait.
  private var lookUps = 0
  private var waitingToLookUp: Deque<RoutedStream> = []

  /// - Parameters:
  ///   - identity: who the upgrade's headers say it is, if anybody; HELLO's token goes before it.
  init(
    loop: RouterLoop, from: String, identity: Result<Principal?, AuthError>,
    transport: any ClientTransport
  ) {
    self.loop = loop
    self.from = from
    self.identity = identity
    self.transport = transport
    loop.add(self)
    let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
    helloDeadline = loop.eventLoop.scheduleTask(in: RouterLimits.helloDeadline) {
      bound.value.fail(WireError(.unexpected, "no HELLO came"))
    }
  }

  // MARK: In

  func receive(_ bytes: ByteBuffer) {
    guard transport != nil else { return }
    decoder.append(bytes)
    readOn()
  }

  private var isHeld: Bool { !holds.isEmpty }

  func whenLookUpIsFree(for stream: RoutedStream) {
    guard lookUps >= RouterLimits.lookUps else { return lookUp(stream) }
    if !waitingToLookUp.contains(where: { $0 === stream }) { waitingToLookUp.append(stream) }
  }

  private func lookUp(_ stream: RoutedStream) {
    lookUps += 1
    stream.lookUp()
  }

  func didLookUp() {
    lookUps -= 1
    // One that was closed while it waited has nothing to ask any more.
    while lookUps < RouterLimits.lookUps, let stream = waitingToLookUp.popFirst() {
      if stream.isResolving { lookUp(stream) }
    }
  }

  private func readOn() {
    // A frame may end in here again, when what it opens is refused at once.
    guard !isHandling else { return }
    isHandling = true
    defer { isHandling = false }
    do throws(WireError) {
      while transport != nil, !isHeld, let (stream, frame) = try decoder.next() {
        try handle(frame, stream)
      }
    } catch {
      fail(error)
    }
    transport?.isReading = !isHeld
  }

  func hold(until link: NodeLink) {
    guard holds.insert(ObjectIdentifier(link)).inserted else { return }
    link.whenDrained { [weak self, id = ObjectIdentifier(link)] in
      self?.holds.remove(id)
      self?.readOn()
    }
  }

  private func handle(_ frame: Frame, _ number: UInt64) throws(WireError) {
    guard client != nil else { return try greet(frame) }
    switch frame {
    case .open(let open): try self.open(open, number)
    case .unreadableOpen(let problem): try refuseUnreadable(problem, number)
    case .ping(let opaque): send(.pong(opaque))
    case .pong: break
    case .token(let renewal): renew(renewal)
    case .input, .outputAck, .resize, .take, .colors, .kill, .close:
      // A closed stream's frames may still be under way; one never opened is a mistake.
      guard number > 0, number <= highestStream else {
        throw WireError(.unexpected, "\(frame.type) on stream \(number), which was never opened")
      }
      streams[number]?.clientDidSend(frame)
    default:
      throw WireError(.unexpected, "\(frame.type) is not for a client to send")
    }
  }

  private func greet(_ frame: Frame) throws(WireError) {
    guard case .hello(let hello) = frame else {
      throw WireError(.unexpected, "a connection begins with HELLO")
    }
    guard hello.versions.contains(1) else {
      throw WireError(.unexpected, "this server speaks version 1")
    }
    guard let client = hello.client else {
      throw WireError(.malformed, "hello: \"client\" is missing")
    }
    helloDeadline?.cancel()
    let principal: Principal
    do throws(AuthError) { principal = try identify(hello) } catch { return shutOut(error) }
    self.client = client
    self.principal = principal
    watchToken()
    send(.welcome(Welcome(time: wallClockMilliseconds())))
    if loop.isStopping { goAway() }
  }

  // MARK: Who it is

  private func identify(_ hello: Hello) throws(AuthError) -> Principal {
    let access = loop.context.access
    if access.isOpen { return .anyone }
    if let token = hello.token { return try access.principal(token: token) }
    guard let principal = try identity.get() else { throw access.missing }
    return principal
  }

  /// Another token, before the last one has run out. It must be the same person's; what it gives
  /// holds from now on, for the open streams as well.
  private func renew(_ renewal: Renewal) {
    guard let token = renewal.token, let old = principal else {
      return shutOut(AuthError(.missing, "a TOKEN frame has a \"token\""))
    }
    do throws(AuthError) {
      let new = try loop.context.access.principal(token: token)
      guard new.subject == old.subject else {
        throw AuthError(.subject, "the new token is for somebody else; connect anew with it")
      }
      principal = new
      audit(.renew)
      send(.token(Renewal(expires: new.expires.map { UInt64($0 * 1_000) })))
      watchToken()
      for stream in streams.values { stream.reauthorize(new.access(to: stream.session)) }
    } catch {
      shutOut(error)
    }
  }

  /// Asks for another token before this one runs out, and closes when it has.
  private func watchToken() {
    tokenTimer?.cancel()
    guard let expires = principal?.expires else { return }
    let left = expires - Double(wallClockMilliseconds()) / 1_000
    let notice = min(RouterLimits.tokenNotice, left / 2)
    tokenTimer = inSeconds(min(left - notice, RouterLimits.tokenCheck)) { connection in
      guard left - notice <= RouterLimits.tokenCheck else { return connection.watchToken() }
      connection.send(.token(Renewal(within: Int(notice * 1_000))))
      connection.tokenTimer = connection.inSeconds(notice) {
        $0.shutOut(AuthError(.expired, "the token has run out, and no other one came"))
      }
    }
  }

  private func inSeconds(
    _ seconds: Double, _ body: @escaping (ClientConnection) -> Void
  ) -> Scheduled<Void> {
    let bound = NIOLoopBound((self, body), eventLoop: loop.eventLoop)
    return loop.eventLoop.scheduleTask(in: .milliseconds(Int64(max(0, seconds) * 1_000))) {
      bound.value.1(bound.value.0)
    }
  }

  private func audit(_ what: AuditEvent.What, session: SessionID? = nil, refused: Refused) {
    loop.context.audit?.record(
      AuditEvent(
        what, who: principal?.subject, from: from, session: session?.rawValue,
        result: refused.code.rawValue, message: refused.message))
  }

  private func audit(_ what: AuditEvent.What, problem: AuthError? = nil) {
    loop.context.audit?.record(
      AuditEvent(
        what, who: principal?.subject, from: from, result: problem?.code.rawValue ?? "ok",
        message: problem?.message))
  }

  // MARK: Opening

  /// A stream begins, and with it the use of its number.
  private func begin(_ number: UInt64) throws(WireError) {
    guard number > 0 else { throw WireError(.unexpected, "stream 0 is the connection itself") }
    guard number > highestStream else {
      throw WireError(.unexpected, "stream \(number) was used before; numbers only rise")
    }
    highestStream = number
  }

  private func refuseUnreadable(_ problem: String, _ number: UInt64) throws(WireError) {
    try begin(number)
    refuse(number, Refused(.badRequest, problem))
  }

  private func open(_ open: Open, _ number: UInt64) throws(WireError) {
    guard let client, let principal else { return }
    try begin(number)
    if streams.count >= WireLimits.streamsPerConnection {
      return refuse(
        number, Refused(.tooMany, "at most \(WireLimits.streamsPerConnection) streams at a time"))
    }
    switch open.kind {
    case .terminal: openTerminal(open, number, client, principal)
    default: refuse(number, .unknown(open.kind))
    }
  }

  private func openTerminal(
    _ open: Open, _ number: UInt64, _ client: ClientID, _ principal: Principal
  ) {
    if let problem = open.problem { return refuse(number, Refused(.badRequest, problem)) }
    let session = open.session ?? .random()
    let mayNotCreate = principal.mayNotCreate(open, session)
    if let why = principal.obstacle(to: open, session, mayNotCreate: mayNotCreate) {
      let refusal = Refused(.forbidden, why)
      audit(open.create == nil ? .open : .create, session: session, refused: refusal)
      return refuse(number, refusal)
    }
    let stream = RoutedStream(
      number: number, session: session, open: open, mayNotCreate: mayNotCreate, client: client,
      access: principal.access(to: session), from: from, loop: loop, owner: self)
    streams[number] = stream
    stream.start()
  }

  private func refuse(_ number: UInt64, _ refusal: Refused) {
    out.writeFrame(.refused(refusal), stream: number)
    setNeedsFlush()
  }

  // MARK: Out

  var isWritable: Bool { transport?.isWritable ?? false }

  func queue(_ stream: RoutedStream) {
    // The sum is only taken where one stream has more than its share of the whole.
    if stream.outgoing.count > RouterLimits.unsentFrames / WireLimits.streamsPerConnection,
      turns.reduce(0, { $0 + $1.outgoing.count }) > RouterLimits.unsentFrames
    {
      return fail(WireError(.unexpected, "the client does not read"))
    }
    if !stream.isQueued {
      stream.isQueued = true
      turns.append(stream)
    }
    setNeedsFlush()
  }

  private func send(_ frame: Frame) {
    out.writeFrame(frame, stream: 0)
    setNeedsFlush()
  }

  private func setNeedsFlush() {
    guard !isFlushScheduled, transport != nil else { return }
    isFlushScheduled = true
    let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
    loop.eventLoop.execute { bound.value.flush() }
  }

  func becameWritable() { if !turns.isEmpty || out.readableBytes > 0 { setNeedsFlush() } }

  private func flush() {
    isFlushScheduled = false
    guard let transport, transport.isWritable else {
      if out.readableBytes > RouterLimits.unsentAnswers {
        fail(WireError(.unexpected, "the client does not read"))
      }
      return
    }
    while out.readableBytes < RouterLimits.queued, let stream = turns.popFirst() {
      guard let frame = stream.takeNext() else {
        stream.isQueued = false
        continue
      }
      out.writeFrame(frame, stream: stream.number)
      turns.append(stream)
    }
    guard out.readableBytes > 0 else { return }
    let written = out.readableBytes
    transport.write(out)
    // An idle connection keeps no more than a keystroke's worth; a busy one what it used last.
    if turns.isEmpty, out.capacity > RouterLimits.keptBuffer {
      out = ByteBuffer()
    } else {
      out.clear(minimumCapacity: min(written, RouterLimits.queued))
    }
    if !turns.isEmpty, transport.isWritable { setNeedsFlush() }
  }

  // MARK: The end

  func streamDidFinish(_ stream: RoutedStream) {
    streams[stream.number] = nil
    waitingToLookUp.removeAll { $0 === stream }
  }

  func goAway() {
    send(
      .goAway(
        GoAway(
          reason: "this router is shutting down", within: RouterLimits.goAwaySpread,
          spread: RouterLimits.goAwaySpread)))
  }

  /// Service restart (1012, RFC 6455 registry).
  func stop() { close(code: 1012, reason: "this router is shutting down") }

  /// 4401: come back with another token.
  private func shutOut(_ error: AuthError) {
    audit(.connect, problem: error)
    close(code: Self.unauthorized, reason: error.description)
  }

  /// The close code of who is not let in; RFC 6455 section 7.4.2 leaves 4000 to 4999 to applications.
  static let unauthorized: UInt16 = 4_401

  private func fail(_ error: WireError) {
    // 1002: protocol error.
    close(code: 1002, reason: error.description)
  }

  private func close(code: UInt16, reason: String) {
    guard let transport else { return }
    transportDidClose()
    transport.close(code: code, reason: reason)
  }

  /// The connection is gone: its streams leave, their sessions live on.
  func transportDidClose() {
    guard transport != nil else { return }
    transport = nil
    helloDeadline?.cancel()
    tokenTimer?.cancel()
    let left = streams.values
    streams = [:]
    waitingToLookUp = []
    turns = []
    for stream in left { stream.clientDidLeave(telling: .disconnected) }
    loop.remove(self)
  }
}

extension Principal {
  /// Why it may not create what the OPEN asks for; nil: it may, or it does not ask.
  func mayNotCreate(_ open: Open, _ session: SessionID) -> String? {
    guard let creation = open.create,
      case .refused(let why) = allows(.create(creation), session: session)
    else { return nil }
    return why
  }

  /// Why it may do that in no case. Whether it may enter a session that exists is for the session's node to say,
  /// also where it could not create it.
  func obstacle(to open: Open, _ session: SessionID, mayNotCreate: String?) -> String? {
    // A random name is nobody's, and one that must not exist is not entered.
    if let mayNotCreate, open.session == nil || open.exclusive == true { return mayNotCreate }
    guard access(to: session).isNothing, mayNotCreate != nil || open.create == nil else {
      return nil
    }
    return mayNotCreate ?? "this token may not enter session \(session)"
  }
}

// A client, from when it comes in by a door until it leaves. `ClientState` and `RoutedStream` decide what its frames
// and its streams ask for; it is done here. What goes to the client is written by turns among its streams.

import Auth
import Links
import NIOCore
import Transport
import Wire

/// Confined to its loop.
final class ConnectedClient {
  let loop: RouterLoop
  let from: String
  /// When it came, in milliseconds since 1970.
  let since = WallClock.milliseconds
  /// Nil: it has left.
  private(set) var door: (any Door)?
  var state: ClientState
  /// Whom the door takes the client for, if anybody. A token in HELLO goes before it.
  let identity: Result<Principal?, AuthError>
  /// HELLO's deadline, then the token's.
  var timer: Scheduled<Void>?

  private(set) var streams: [UInt64: Stream] = [:]
  /// Frames that wait in all streams.
  private(set) var waitingFrames = 0
  private var turns = TurnQueue<UInt64>()
  private var lookUps = LookUpTurns()
  private lazy var endOfTick = EndOfTick(on: loop.eventLoop) { [weak self] in self?.flush() }
  /// Links that must drain before the client is read any further.
  private var holds: Set<ObjectIdentifier> = []

  /// What a client has of one of its streams. It is an object, so that nothing of it is copied at each byte.
  final class Stream {
    let number: UInt64
    var routed: RoutedStream
    /// The link that it is open on, and its number there.
    var link: (node: LinkedNode, number: UInt64)?
    var outgoing = OutgoingFrames()

    init(_ number: UInt64, _ routed: RoutedStream) {
      self.number = number
      self.routed = routed
    }
  }

  /// A client that is yet to say HELLO.
  init(
    loop: RouterLoop, from: String, identity: Result<Principal?, AuthError>, door: any Door
  ) {
    self.loop = loop
    self.from = from
    self.identity = identity
    self.door = door
    state = ClientState()
    loop.add(self)
    timer = after(RouterLimits.helloDeadline) {
      $0.leave(.mistake(WireError(.unexpected, "no HELLO came")))
    }
  }

  /// A client that its door knows, and that says no HELLO.
  init(loop: RouterLoop, from: String, as principal: Principal, door: any Door) {
    self.loop = loop
    self.from = from
    self.identity = .success(principal)
    self.door = door
    state = ClientState(.random(), principal)
    loop.add(self)
  }

  func after(
    _ time: TimeAmount, _ body: @escaping (ConnectedClient) -> Void
  ) -> Scheduled<Void> {
    let bound = NIOLoopBound((self, body), eventLoop: loop.eventLoop)
    return loop.eventLoop.scheduleTask(in: time) { bound.value.1(bound.value.0) }
  }

  // MARK: From the client

  /// False: the door hands in no more frames for now.
  var takesFrames: Bool { door != nil && holds.isEmpty }

  func receive(_ frame: Frame, stream number: UInt64) {
    // A stream that is open judges its own frames.
    if frame.isOfStream, let stream = streams[number] { return handle(.client(frame), of: stream) }
    do throws(WireError) {
      switch try state.receive(frame, stream: number) {
      case .answer(let answer): send(answer)
      case .open(let open): self.open(open, number)
      case .refuse(let refusal): send(.refused(refusal), stream: number)
      case .identify(let hello): greet(hello)
      case .renew(let renewal): renew(renewal)
      case .ignore: break
      }
    } catch {
      leave(.mistake(error))
    }
  }

  private func open(_ open: Open, _ number: UInt64) {
    // A stream that has ended does not count, though its last frames may wait.
    let count = streams.values.count { !$0.routed.isClosed }
    switch state.opening(open, among: count, from: from, name: loop.newName()) {
    case .refused(let refusal): send(.refused(refusal), stream: number)
    case .forbidden(let refusal, let session):
      audit(refusal, of: open, session)
      send(.refused(refusal), stream: number)
    case .stream(let routed):
      let stream = Stream(number, routed)
      streams[number] = stream
      carryOut(stream)
    }
  }

  /// Gives its streams the rights that follow from another token.
  func reauthorizeStreams(for principal: Principal) {
    for stream in streams.values {
      handle(.reauthorized(principal.access(to: stream.routed.session)), of: stream)
    }
  }

  // MARK: What a stream asks for

  private func handle(_ event: RoutedStream.Event, of number: UInt64) {
    if let stream = streams[number] { handle(event, of: stream) }
  }

  private func handle(_ event: RoutedStream.Event, of stream: Stream) {
    stream.routed.handle(event)
    carryOut(stream)
  }

  /// Does what the stream asks for, in order. An action may be answered at once by another event of the same stream:
  /// what that asks for comes after what was asked for before.
  private func carryOut(_ stream: Stream) {
    while let action = stream.routed.nextAction() { carryOut(action, stream) }
  }

  private func carryOut(_ action: RoutedStream.Action, _ stream: Stream) {
    switch action {
    case .send(let frame):
      if let link = stream.link { link.node.send(frame, stream: link.number) }
    case .deliver(let frame): deliver(frame, stream)
    case .resolve: if lookUps.begin(stream.number) { lookUp(stream) }
    case .open(let route, let request):
      let node = loop.link(to: route)
      stream.link = (node, node.open(request, for: self, stream: stream.number))
    case .leave(let close):
      guard let link = stream.link else { return }
      stream.link = nil
      link.node.leave(link.number, telling: close)
    case .retry(let longest):
      let delay = longest * Double.random(in: 0...1)
      let number = stream.number
      _ = after(TimeAmount(delay)) { $0.handle(.timeToRetry, of: number) }
    case .remember(let session, let route, let epoch):
      loop.context.remember(session, at: route, epoch: epoch)
    case .forget(let session): loop.context.forget(session)
    case .noteRefused(let node): loop.context.noteRefused(by: node)
    case .audit(let event): loop.context.audit?.record(event)
    case .discard: discard(stream)
    case .finish:
      lookUps.cancel(stream.number)
      if stream.outgoing.isEmpty { streams[stream.number] = nil }
    }
  }

  private func lookUp(_ stream: Stream) {
    guard let question = stream.routed.question else { return didLookUp() }
    let number = stream.number
    loop.routes.find(question) { [self] result in
      didLookUp()
      switch result {
      case .success(let route): handle(.found(route), of: number)
      case .failure(let refusal): handle(.notFound(refusal.refused), of: number)
      }
    }
  }

  private func didLookUp() {
    guard let next = lookUps.end() else { return }
    if let stream = streams[next] { lookUp(stream) } else { didLookUp() }
  }

  // MARK: To the client

  func send(_ frame: Frame, stream: UInt64 = 0) {
    door?.write(frame, stream: stream)
    setNeedsFlush()
  }

  private func deliver(_ frame: Frame, _ stream: Stream) {
    guard door != nil else { return }
    waitingFrames += stream.outgoing.append(frame) ? 1 : 0
    guard waitingFrames <= RouterLimits.unsentFrames else {
      return leave(.mistake(WireError(.unexpected, "the client does not read")))
    }
    turns.enqueue(stream.number)
    setNeedsFlush()
  }

  private func discard(_ stream: Stream) {
    waitingFrames -= stream.outgoing.count
    stream.outgoing.removeAll()
    turns.remove(stream.number)
  }

  private func setNeedsFlush() {
    if door != nil { endOfTick.schedule() }
  }

  func doorDidBecomeWritable() {
    if let door, !turns.isEmpty || door.unflushed > 0 { setNeedsFlush() }
  }

  private func flush() {
    guard let door else { return }
    guard door.isWritable else {
      settle()
      if door.unflushed > RouterLimits.unsentAnswers {
        leave(.mistake(WireError(.unexpected, "the client does not read")))
      }
      return
    }
    while door.unflushed < RouterLimits.queued, let number = turns.popFirst() {
      if let stream = streams[number] { takeTurn(stream, door) }
    }
    settle()
    if door.unflushed > 0 { door.flush(isLast: turns.isEmpty) }
    if !turns.isEmpty, door.isWritable { setNeedsFlush() }
  }

  /// Writes one frame of the stream.
  private func takeTurn(_ stream: Stream, _ door: any Door) {
    guard let frame = stream.outgoing.popFirst() else { return }
    waitingFrames -= 1
    let bytes = frame.creditedBytes
    if bytes > 0 { stream.routed.handle(.handedOver(UInt64(bytes))) }
    door.write(frame, stream: stream.number)
    if !stream.outgoing.isEmpty {
      turns.enqueue(stream.number)
    } else if stream.routed.isClosed {
      streams[stream.number] = nil
    }
  }

  private func settle() {
    guard !turns.isEmpty else { return }
    for stream in streams.values { stream.outgoing.settle() }
  }

  // MARK: The end

  func leave(_ parting: Parting) {
    guard let door else { return }
    doorDidClose()
    door.close(parting)
  }

  /// The connection is gone: its streams leave, their sessions live on.
  func doorDidClose() {
    guard door != nil else { return }
    door = nil
    timer?.cancel()
    state.close()
    let left = streams.values
    streams = [:]
    for stream in left { handle(.left(.disconnected), of: stream) }
    turns.removeAll()
    loop.remove(self)
  }
}

extension ConnectedClient: LoopClient {
  func goAway() {
    send(
      .goAway(
        GoAway(
          reason: "this router is shutting down", within: RouterLimits.goAwaySpread,
          spread: RouterLimits.goAwaySpread)))
  }

  func stop() { leave(.shuttingDown) }

  func kick() { leave(.kicked) }
}

extension ConnectedClient: LinkUser {
  func nodeDidSend(_ frame: Frame, to stream: UInt64) { handle(.node(frame), of: stream) }

  func nodeHangs(_ stream: UInt64, because reason: String) {
    handle(.nodeHangs(because: reason), of: stream)
  }

  func linkDidBreak(_ stream: UInt64, because reason: String, isRestart: Bool, isFinal: Bool) {
    guard let stream = streams[stream] else { return }
    stream.link = nil
    handle(.linkBroke(because: reason, isRestart: isRestart, isFinal: isFinal), of: stream)
  }

  /// More waits for the link than it can take: the client is read no further until it has gone.
  func linkDidFill(_ link: LinkedNode) {
    let id = ObjectIdentifier(link)
    guard holds.insert(id).inserted else { return }
    link.whenDrained { [weak self] in
      self?.holds.remove(id)
      self?.door?.readingDidChange()
    }
  }
}

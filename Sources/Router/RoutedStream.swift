// One stream of a client, from its OPEN to its end: found a route, opened on the owner's node, and
// opened again where it stood whenever the link under it breaks, while the client's WebSocket stays
// open. Knows only what a reopening needs; the session is the node's.

import Auth
import Cluster
import DequeModule
import NIOCore
import Wire

/// What a stream's frames go to: a client's connection.
protocol StreamOwner: AnyObject {
  var isWritable: Bool { get }
  /// The stream has frames to take.
  func queue(_ stream: RoutedStream)
  /// Its last frame is in its queue.
  func streamDidFinish(_ stream: RoutedStream)
  /// The stream wants its owner looked up: calls its `lookUp`, now or when fewer are under way.
  func whenLookUpIsFree(for stream: RoutedStream)
  /// That is done.
  func didLookUp()
  /// More waits for the link than it can take: the client is read no further until it has gone.
  func hold(until link: NodeLink)
}

/// Confined to its connection's loop.
final class RoutedStream {
  let number: UInt64
  let session: SessionID
  private let client: ClientID
  private var access: Access
  private let from: String
  private unowned let loop: RouterLoop
  private weak var owner: (any StreamOwner)?

  /// Frames for the client, in order. OUTPUT in it is bounded by the stream's window.
  private(set) var outgoing: Deque<Frame> = []
  var isQueued = false

  private var open: Open
  /// Why the token may not create the session that `create` asked for: it is entered if it exists, and this
  /// is told if not.
  private let mayNotCreate: String?
  private var state = State.resolving
  private var hasOpened = false
  private var life: Life?
  private(set) var epoch: Epoch?
  /// The output offset after the last byte forwarded.
  private var next: UInt64 = 0
  /// A snapshot has begun, or been promised, and its last part has not come.
  private var isSnapshotOpen = false
  private var sent: UInt64 = 0
  /// Of `sent`, what was handed on to the client's connection: more it cannot have consumed. Otherwise
  /// a client that acknowledges what it never reads would have the rest pile up here.
  private var taken: UInt64 = 0
  private var consumed: UInt64 = 0
  /// Of `consumed`, what the node was told on the present link.
  private var toldConsumed: UInt64 = 0
  private var acknowledgedInput: UInt64 = 0
  /// After a reopening: INPUT beyond this offset was sent before the client knew of it, and comes
  /// again from here.
  private var resync: UInt64?
  private var isKillWanted = false
  private var isKillAudited = false
  /// TAKE came while there was no link to send it over.
  private var isTakeWanted = false
  /// What the LINK_OPEN under way says of the client's terminal, which may change meanwhile.
  private var toldSize: TerminalSize?
  private var toldColors: ThemeColors?
  /// The owner did not answer: the registry is to be asked, and to be believed.
  private var isRouteDoubtful = false
  private var mayKill = false
  /// A node was asked to create the session, and has not answered.
  private var hasAsked = false
  /// The node that it was sent to as a new session, which the node has not taken yet.
  private var placed: NodeID?
  private var attempts = 0
  /// Nodes that have not taken the new session, and the last one's words.
  private var avoided: Set<NodeID> = []
  private var lastRefusal: Refused?
  private var backoff = RouterLimits.reopenFirst

  private enum State {
    case resolving
    case opening(NodeLink, UInt64)
    case live(NodeLink, UInt64)
    case paused
    case closed
  }

  /// - Parameter mayNotCreate: nil: `create` of the OPEN is allowed, or there is none.
  init(
    number: UInt64, session: SessionID, open: Open, mayNotCreate: String? = nil, client: ClientID,
    access: Access, from: String, loop: RouterLoop, owner: any StreamOwner
  ) {
    self.number = number
    self.session = session
    self.open = open
    self.open.session = session
    self.mayNotCreate = mayNotCreate
    if mayNotCreate != nil { self.open.create = nil }
    self.client = client
    self.access = access
    self.from = from
    self.loop = loop
    self.owner = owner
    acknowledgedInput = open.resume?.input ?? 0
  }

  // MARK: Finding the node

  func start() {
    state = .resolving
    owner?.whenLookUpIsFree(for: self)
  }

  var isResolving: Bool { if case .resolving = state { true } else { false } }

  func lookUp() {
    loop.resolve(
      session, creating: open.create, resuming: open.resume != nil, doubting: isRouteDoubtful,
      avoiding: avoided
    ) { result in
      self.owner?.didLookUp()
      guard case .resolving = self.state else { return }
      switch result {
      case .success(let route): self.connect(route)
      case .failure(let refusal): self.refused(refusal.refused)
      }
    }
  }

  private func connect(_ route: Route) {
    let link = loop.link(to: route)
    let request = LinkOpen(
      client: client, access: access, from: from, incarnation: route.incarnation,
      epoch: route.epoch, sent: sent, consumed: consumed, again: hasAsked ? true : nil,
      open: open)
    hasAsked = open.create != nil
    placed = route.epoch == nil ? route.node : nil
    toldConsumed = consumed
    (toldSize, toldColors) = (open.size, open.colors)
    state = .opening(link, link.open(self, request))
    if link.isCongested { owner?.hold(until: link) }
  }

  private func refused(_ refusal: Refused) {
    let wasLive = if case .live = state { true } else { false }
    let node = nodeAsked
    // The node has done with this OPEN; the link must not speak for it any more.
    leaveLink(telling: nil)
    hasAsked = false
    if let placed { loop.context.noteRefused(by: placed) }
    placed = nil
    if refusal.code == .noCapacity, !hasOpened, open.create != nil {
      // It is full, or has no files or terminals left; another one may have.
      if let node { return tryAnotherNode(than: node, refusal) }
      // None is left that could: what the last one said tells more than that.
      if let lastRefusal { return decline(lastRefusal) }
    }
    if refusal.code == .notOwner {
      loop.forget(session)
      attempts += 1
      if attempts < RouterLimits.attempts {
        guard wasLive else { return retry() }
        // The node has let go of a session that another owns by now.
        deliver(.event(.paused))
        open.create = nil
        return resume()
      }
      return decline(Refused(.unavailable, "the session's owner is not settled", retry: 1_000))
    }
    // A stream that was open waits for better times; a first OPEN is told, and decides itself.
    if hasOpened, refusal.retry != nil { return retry() }
    decline(refusal)
  }

  /// The last word: it stands in the audit log, whoever refused.
  private func decline(_ refusal: Refused) {
    var refusal = refusal
    if !hasOpened, let mayNotCreate, [.notFound, .gone, .lost].contains(refusal.code) {
      refusal = Refused(.forbidden, mayNotCreate)
    }
    let wasToCreate = open.create != nil || (mayNotCreate != nil && !hasOpened)
    // The audit log has no commands in it, and what a start failed by may name one.
    audit(
      wasToCreate ? .create : .open, result: refusal.code.rawValue,
      message: refusal.code == .forbidden ? refusal.message : nil)
    finish(.refused(refusal))
  }

  private var nodeAsked: NodeID? {
    switch state {
    case .opening(let link, _), .live(let link, _): link.route.node
    case .resolving, .paused, .closed: nil
    }
  }

  private func tryAnotherNode(than node: NodeID, _ refusal: Refused) {
    avoided.insert(node)
    lastRefusal = refusal
    attempts += 1
    guard attempts < RouterLimits.attempts else { return decline(refusal) }
    start()
  }

  /// The node does not answer, though the link to it stands.
  func nodeHangs(because reason: String) {
    guard !hasOpened, case .opening(let link, let number) = state else { return }
    link.leave(number, telling: .done)
    state = .paused
    tryAnotherNode(
      than: link.route.node, Refused(.unavailable, reason, retry: RouterLimits.retryLater))
  }

  private func retry() {
    state = .paused
    let delay = Double.random(in: 0...backoff)
    backoff = min(backoff * 2, RouterLimits.reopenLast)
    let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
    loop.eventLoop.scheduleTask(in: .microseconds(Int64(delay * 1_000))) {
      if case .paused = bound.value.state { bound.value.start() }
    }
  }

  /// The link under the stream is gone.
  /// - Parameter reason: for the client of a first OPEN.
  func linkDidBreak(because reason: String) {
    switch state {
    case .live:
      deliver(.event(.paused))
      open.create = nil
      resume()
    case .opening where hasOpened:
      isRouteDoubtful = true
      resume()
    case .opening(let link, _):
      loop.forget(session)
      isRouteDoubtful = true
      attempts += 1
      let refusal = Refused(.unavailable, reason, retry: RouterLimits.retryLater)
      guard attempts < RouterLimits.attempts else { return finish(.refused(refusal)) }
      if open.create != nil {
        avoided.insert(link.route.node)
        lastRefusal = refusal
      }
      retry()
    case .resolving, .paused, .closed: break
    }
  }

  private func resume() {
    guard let life else { return }
    open.resume = Resume(
      life: life, next: isSnapshotOpen ? nil : next, input: acknowledgedInput)
    retry()
  }

  // MARK: From the node

  func nodeDidSend(_ frame: Frame) {
    switch frame {
    case .opened(let opened): guard didOpen(opened) else { return }
    case .refused(let refusal): return refused(refusal)
    case .output(let offset, let bytes):
      next = offset + UInt64(bytes.readableBytes)
      sent += UInt64(bytes.readableBytes)
    case .snapshot(let part):
      sent += UInt64(part.bytes.readableBytes)
      isSnapshotOpen = !part.isLast
      next = part.offset
    case .inputAck(let offset): acknowledgedInput = max(acknowledgedInput, offset)
    case .ended, .close: return finish(frame)
    case .resized, .event: break
    default: return
    }
    deliver(frame)
  }

  private func didOpen(_ opened: Opened) -> Bool {
    guard case .opening(let link, let number) = state else { return false }
    state = .live(link, number)
    resync = hasOpened ? opened.input : nil
    if let known = life ?? open.resume?.life, known != opened.life { acknowledgedInput = 0 }
    if !hasOpened { audit(opened.created ? .create : .open) }
    mayKill = opened.mayKill ?? false
    life = opened.life
    epoch = opened.epoch
    next = opened.output
    isSnapshotOpen = opened.resumed == .snapshot
    hasOpened = true
    placed = nil
    attempts = 0
    backoff = RouterLimits.reopenFirst
    isRouteDoubtful = false
    loop.remember(session, link.route, epoch: opened.epoch)
    if consumed > toldConsumed {
      // Acknowledged while the OPEN was under way. The client may have nothing more to acknowledge,
      // and the node would wait for it.
      toldConsumed = consumed
      link.send(.outputAck(offset: next, consumed: consumed), stream: number)
    }
    if open.size != toldSize { link.send(.resize(open.size), stream: number) }
    if let colors = open.colors, colors != toldColors { link.send(.colors(colors), stream: number) }
    if isTakeWanted { link.send(.take, stream: number) }
    isTakeWanted = false
    if isKillWanted { kill() }
    return true
  }

  private func deliver(_ frame: Frame) {
    guard let owner else { return }
    if case .output(let offset, let bytes) = frame, !outgoing.isEmpty || !owner.isWritable {
      enqueue(offset: offset, bytes)
    } else {
      outgoing.append(frame)
    }
    owner.queue(self)
  }

  /// What has to wait is copied, so that a small slice does not pin the link's read buffer, and
  /// joined with its predecessor, so that a trickle does not become a thousand frames.
  private func enqueue(offset: UInt64, _ bytes: ByteBuffer) {
    if case .output(let start, var joined) = outgoing.last,
      joined.readableBytes + bytes.readableBytes <= WireLimits.dataPayload
    {
      outgoing[outgoing.count - 1] = .kill  // gives up the reference, so that the join is in place
      joined.writeImmutableBuffer(bytes)
      outgoing[outgoing.count - 1] = .output(offset: start, joined)
    } else {
      var copy = ByteBuffer()
      copy.writeImmutableBuffer(bytes)
      outgoing.append(.output(offset: offset, copy))
    }
  }

  func takeNext() -> Frame? {
    let frame = outgoing.popFirst()
    taken += UInt64(frame?.creditedBytes ?? 0)
    return frame
  }

  /// The client broke a rule of the stream; its node hears that it is gone.
  private func fail(_ close: Close) { finish(.close(close), telling: close) }

  private func finish(_ frame: Frame, telling close: Close? = nil) {
    if case .closed = state { return }
    leaveLink(telling: close)
    state = .closed
    deliver(frame)
    owner?.streamDidFinish(self)
  }

  // MARK: From the client

  func clientDidSend(_ frame: Frame) {
    switch frame {
    case .input(let offset, _):
      guard hasOpened else { return fail(.inputBeforeOpened) }
      guard case .live(let link, let number) = state else { return }
      if let resync {
        if offset > resync { return }
        self.resync = nil
      }
      send(frame, link, number)
    case .outputAck(_, let consumed):
      guard consumed <= taken else { return fail(.badAck) }
      self.consumed = max(self.consumed, consumed)
      if case .live = state { toldConsumed = self.consumed }
      forward(frame)
    case .take:
      if case .live = state { forward(frame) } else { isTakeWanted = true }
    case .resize(let size):
      guard size.isValid else { return fail(.badSize) }
      open.size = size
      forward(frame)
    case .colors(let colors):
      let kept = colors.wellFormed
      open.colors = kept
      forward(.colors(kept))
    case .kill:
      isKillWanted = true
      if hasOpened { kill() }
    case .close:
      clientDidLeave(telling: .done)
      owner?.streamDidFinish(self)
    default: forward(frame)
    }
  }

  /// The node decides; what it would refuse is not sent.
  private func kill() {
    guard mayKill else {
      let why = "this token may not end session \(session)"
      isKillWanted = false
      audit(.kill, result: "forbidden", message: why)
      return deliver(.event(.refused(why)))
    }
    // If not now, then once it is open again; and again, if the link broke under the first.
    guard case .live = state else { return }
    if !isKillAudited { audit(.kill) }
    isKillAudited = true
    forward(.kill)
  }

  /// The client has another token. What it gives to the session is for the node to decide anew, so
  /// that the stream is opened again where it stands.
  func reauthorize(_ access: Access) {
    guard access != self.access else { return }
    self.access = access
    switch state {
    case .live:
      leaveLink(telling: .done)
      deliver(.event(.paused))
      open.create = nil
      resume()
    case .opening:
      leaveLink(telling: .done)
      if hasOpened { resume() } else { start() }
    case .resolving, .paused, .closed: break
    }
  }

  private func audit(_ what: AuditEvent.What, result: String = "ok", message: String? = nil) {
    loop.context.audit?.record(
      AuditEvent(
        what, who: access.subject, from: from, session: session.rawValue,
        target: open.create?.target.description, user: open.create?.user?.rawValue, result: result,
        message: message))
  }

  private func forward(_ frame: Frame) {
    if case .live(let link, let number) = state { send(frame, link, number) }
  }

  private func send(_ frame: Frame, _ link: NodeLink, _ number: UInt64) {
    link.send(frame, stream: number)
    if link.isCongested { owner?.hold(until: link) }
  }

  /// The client's connection, or its interest, has ended.
  func clientDidLeave(telling close: Close) {
    leaveLink(telling: close)
    state = .closed
    outgoing.removeAll()
  }

  private func leaveLink(telling close: Close?) {
    switch state {
    case .opening(let link, let number), .live(let link, let number):
      link.leave(number, telling: close)
    case .resolving, .paused, .closed: break
    }
  }
}

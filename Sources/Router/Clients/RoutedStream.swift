// One stream of a client, from its OPEN to its end: found a route, opened on the owner's node, and opened again where
// it stood whenever the link under it breaks, while the client's connection stays open. It knows only what a
// reopening needs; the session is the node's.
// Pure: it is told what happens, and `ConnectedClient` does what it then asks for.

import Auth
import DequeModule
import NIOCore
import Registry
import Wire

struct RoutedStream {
  private enum State {
    /// The node is being looked for.
    case resolving(RouteSearch)
    /// The node has been asked, and has not answered.
    case opening(RouteSearch, AskedNode)
    /// - Parameter resync: INPUT beyond this offset was sent before the client knew of a reopening, and comes again
    ///   from here. Nil: there is none of it any more.
    case live(resync: UInt64?)
    /// There is no link, and the time for another one has not come.
    case paused(RouteSearch)
    case closed
  }

  let session: SessionID
  private let client: ClientID
  private let from: String
  private var access: Access
  /// What the next LINK_OPEN says.
  private var open: Open
  /// Why the token may not create the session that `create` asked for: it is entered if it exists, and this
  /// is told if not.
  private let mayNotCreate: String?
  /// What it asked to create, allowed or not: for the audit log.
  private let requested: Creation?
  private var state = State.resolving(RouteSearch())
  /// Nil: it was never opened.
  private var position: Position?
  private var kill = Kill.notAsked
  private var sizeWish: SizeWish
  /// Cumulative body bytes that came from the node.
  private var sent: UInt64 = 0
  /// How many of these were handed on to the client's connection, which is the most that it can have consumed.
  /// Otherwise a client that acknowledges what it never reads would have the rest pile up here.
  private var handedOver: UInt64 = 0
  private var consumed: UInt64 = 0
  private var acknowledgedInput: UInt64
  private var actions: Deque<Action> = []

  /// - Parameter mayNotCreate: nil: `create` of the OPEN is allowed, or there is none.
  init(
    session: SessionID, open: Open, mayNotCreate: String? = nil, client: ClientID, access: Access,
    from: String
  ) {
    self.session = session
    self.client = client
    sizeWish = SizeWish(of: client)
    self.from = from
    self.access = access
    self.mayNotCreate = mayNotCreate
    self.open = open
    self.open.session = session
    requested = open.create
    acknowledgedInput = open.resume?.input ?? 0
    if mayNotCreate != nil { self.open.create = nil }
    resolve(RouteSearch())
  }

  var isClosed: Bool { if case .closed = state { true } else { false } }

  /// What is to be done next; nil: nothing, until something happens.
  mutating func nextAction() -> Action? { actions.popFirst() }

  mutating func handle(_ event: Event) {
    if case .closed = state { return }
    switch event {
    case .client(let frame): clientDidSend(frame)
    case .node(let frame): nodeDidSend(frame)
    case .found(let route): connect(to: route)
    case .notFound(let refusal): lookUpFailed(refusal)
    case .linkBroke(let reason, let isRestart, let isFinal):
      linkDidBreak(because: reason, isRestart: isRestart, isFinal: isFinal)
    case .nodeHangs(let reason): nodeHangs(because: reason)
    case .timeToRetry: if case .paused(let search) = state { resolve(search) }
    case .reauthorized(let access): reauthorize(access)
    case .handedOver(let bytes): handedOver += bytes
    case .left(let close): leave(telling: close)
    }
  }

  // MARK: Finding the node

  private mutating func resolve(_ search: RouteSearch) {
    state = .resolving(search)
    actions.append(.resolve)
  }

  /// What is to be found out for it; nil: nothing is, any more.
  var question: RouteQuestion? {
    guard case .resolving(let search) = state else { return nil }
    return RouteQuestion(
      session: session, creation: open.create, isResuming: open.resume != nil,
      isDoubting: search.doubtsOwner, avoiding: search.avoided)
  }

  private mutating func connect(to route: Route) {
    guard case .resolving(var search) = state else { return }
    let request = LinkOpen(
      client: client, access: access, from: from, incarnation: route.incarnation,
      epoch: route.epoch, sent: sent, consumed: consumed, again: search.hasAsked ? true : nil,
      open: open)
    search.hasAsked = open.create != nil
    state = .opening(
      search, AskedNode(route: route, size: open.size, colors: open.colors, consumed: consumed))
    actions.append(.open(route, request))
  }

  private mutating func lookUpFailed(_ refusal: Refused) {
    guard case .resolving(let search) = state else { return }
    if refusal.code == .noCapacity, isToCreate, let last = search.lastRefusal {
      // No other node can take the session. What the last one said tells more than that.
      return decline(last)
    }
    retryOrDecline(refusal, search)
  }

  /// Whether the session has yet to be created.
  private var isToCreate: Bool { position == nil && open.create != nil }

  /// Tries again for a stream that was open. The client of a first OPEN is told, and decides itself.
  private mutating func retryOrDecline(_ refusal: Refused, _ search: RouteSearch) {
    if position != nil, refusal.retry != nil { retry(search) } else { decline(refusal) }
  }

  private mutating func retry(_ search: RouteSearch) {
    var search = search
    actions.append(.retry(within: search.nextDelay()))
    state = .paused(search)
  }

  /// Has the stream opened again where it stood, after a moment, unless the session's next node is ready for it.
  private mutating func resume(_ search: RouteSearch, atOnce: Bool = false) {
    guard let position else { return }
    open.create = nil
    open.resume = Resume(life: position.life, next: position.next, input: acknowledgedInput)
    if atOnce { resolve(search) } else { retry(search) }
  }

  private mutating func pause(atOnce: Bool = false) {
    actions.append(.deliver(.event(.paused)))
    resume(RouteSearch(), atOnce: atOnce)
  }

  // MARK: What the node will not do

  private mutating func nodeRefused(_ refusal: Refused) {
    switch state {
    case .opening(var search, let asked):
      // The node has answered this OPEN: the link is not to be told that the stream leaves.
      actions.append(.leave(nil))
      if asked.route.epoch == nil { actions.append(.noteRefused(by: asked.route.node)) }
      search.hasAsked = false
      switch refusal.code {
      case .noCapacity where isToCreate:
        // It is full, or has no files or terminals left; another one may have.
        tryAnotherNode(than: asked.route.node, refusal, search)
      case .notOwner:
        actions.append(.forget(session))
        guard search.mayTryAgain() else {
          return retryOrDecline(
            Refused(
              .unavailable, "the session's owner is not settled", retry: RouterLimits.retryLater),
            search)
        }
        retry(search)
      default: retryOrDecline(refusal, search)
      }
    case .live:
      actions.append(.leave(nil))
      // The node has let go of a session that another owns by now.
      if refusal.code == .notOwner { actions.append(.forget(session)) }
      guard refusal.code == .notOwner || refusal.retry != nil else { return decline(refusal) }
      pause(atOnce: refusal.retry == 0)
    case .resolving, .paused, .closed: break
    }
  }

  private mutating func tryAnotherNode(
    than node: NodeID, _ refusal: Refused, _ search: RouteSearch
  ) {
    var search = search
    search.avoid(node, because: refusal)
    if search.mayTryAgain() { resolve(search) } else { decline(refusal) }
  }

  private mutating func nodeHangs(because reason: String) {
    guard position == nil, case .opening(let search, let asked) = state else { return }
    actions.append(.leave(.done))
    tryAnotherNode(
      than: asked.route.node, Refused(.unavailable, reason, retry: RouterLimits.retryLater), search)
  }

  private mutating func linkDidBreak(because reason: String, isRestart: Bool, isFinal: Bool) {
    switch state {
    case .live: pause()
    case .opening(var search, let asked):
      search.meetTrouble(isRestart: isRestart)
      let epoch = isRestart ? asked.route.epoch : nil
      if let epoch { actions.append(.remember(session, asked.route, epoch)) }
      if epoch == nil, position == nil { actions.append(.forget(session)) }
      guard position == nil else { return resume(search) }
      // A client waits for a terminal that it had. For a new one the next look-up says whether a node is left.
      let isLast = isFinal && open.resume == nil && open.create == nil
      let refusal = Refused(.unavailable, reason, retry: isLast ? nil : RouterLimits.retryLater)
      if open.create != nil {
        // If the node that the registry names is gone, that does not tell why no other node takes the session.
        search.avoid(asked.route.node, because: asked.route.epoch == nil ? refusal : nil)
      }
      if search.mayTryAgain() { retry(search) } else { decline(refusal) }
    case .resolving, .paused, .closed: break
    }
  }

  /// Refuses the OPEN for good. The audit log tells of it, whoever refused.
  private mutating func decline(_ refusal: Refused) {
    var refusal = refusal
    if position == nil, let mayNotCreate, [.notFound, .gone, .lost].contains(refusal.code) {
      refusal = Refused(.forbidden, mayNotCreate)
    }
    let wasToCreate = open.create != nil || (mayNotCreate != nil && position == nil)
    // The audit log has no commands in it, and the reason why a start failed may name one.
    audit(
      wasToCreate ? .create : .open, result: refusal.code.rawValue,
      message: refusal.code == .forbidden ? refusal.message : nil)
    end(with: .refused(refusal))
  }

  private mutating func audit(
    _ what: AuditEvent.What, result: String = "ok", message: String? = nil
  ) {
    let wanted = position == nil ? requested : open.create
    actions.append(
      .audit(
        AuditEvent(
          what, who: access.subject, from: from, session: session.rawValue,
          target: wanted?.target.description, user: wanted?.user?.rawValue, result: result,
          message: message)))
  }

  // MARK: From the node

  private mutating func nodeDidSend(_ frame: Frame) {
    guard hasLink else { return }
    switch frame {
    case .opened(let opened): guard didOpen(opened) else { return }
    case .refused(let refusal): return nodeRefused(refusal)
    case .output(let offset, let bytes):
      let count = UInt64(bytes.readableBytes)
      if position?.next != nil { position?.next = offset + count }
      sent += count
    case .snapshot(let part):
      sent += UInt64(part.bytes.readableBytes)
      position?.next = part.isLast ? part.offset : nil
    case .inputAck(let offset): acknowledgedInput = max(acknowledgedInput, offset)
    case .ended, .close: return finish(with: frame, telling: nil)
    case .event(let event): sizeWish.hear(event)
    case .resized: break
    default: return
    }
    actions.append(.deliver(frame))
  }

  private mutating func didOpen(_ opened: Opened) -> Bool {
    guard case .opening(_, let asked) = state else { return false }
    let isFirst = position == nil
    if let known = position?.life ?? open.resume?.life, known != opened.life {
      acknowledgedInput = 0
    }
    state = .live(resync: isFirst ? nil : opened.input)
    position = Position(
      life: opened.life, next: opened.resumed == .snapshot ? nil : opened.output,
      mayKill: opened.mayKill ?? false)
    if isFirst { audit(opened.created ? .create : .open) }
    actions.append(.remember(session, asked.route, opened.epoch))
    if consumed > asked.consumed {
      // Acknowledged while the OPEN was under way. The client may have nothing more to acknowledge,
      // and the node would wait for it.
      actions.append(.send(.outputAck(offset: opened.output, consumed: consumed)))
    }
    if open.size != asked.size { actions.append(.send(.resize(open.size))) }
    if let colors = open.colors, colors != asked.colors { actions.append(.send(.colors(colors))) }
    if sizeWish.isOpen { actions.append(.send(.take)) }
    if kill != .notAsked { sendKill() }
    return true
  }

  // MARK: From the client

  private mutating func clientDidSend(_ frame: Frame) {
    switch frame {
    case .input(let offset, _):
      guard position != nil else { return fail(.inputBeforeOpened) }
      guard case .live(let resync) = state else { return }
      if let resync {
        if offset > resync { return }
        state = .live(resync: nil)
      }
      actions.append(.send(frame))
    case .outputAck(_, let consumed):
      guard consumed <= handedOver else { return fail(.badAck) }
      self.consumed = max(self.consumed, consumed)
      forward(frame)
    case .take:
      sizeWish.take()
      forward(frame)
    case .resize(let size):
      guard size.isValid else { return fail(.badSize) }
      open.size = size
      forward(frame)
    case .colors(let colors):
      let valid = colors.wellFormed
      open.colors = valid
      forward(.colors(valid))
    case .kill:
      if kill == .notAsked { kill = .wanted }
      if position != nil { sendKill() }
    case .close: leave(telling: .done)
    default: break
    }
  }

  private mutating func forward(_ frame: Frame) { if isLive { actions.append(.send(frame)) } }

  private var isLive: Bool { if case .live = state { true } else { false } }

  /// Sends KILL, unless the node would surely refuse it. The node decides.
  private mutating func sendKill() {
    guard position?.mayKill == true else {
      let why = "this token may not end session \(session)"
      kill = .notAsked
      audit(.kill, result: "forbidden", message: why)
      actions.append(.deliver(.event(.refused(why))))
      return
    }
    // If not now, then once it is open again.
    guard isLive else { return }
    if kill == .wanted { audit(.kill) }
    kill = .sent
    actions.append(.send(.kill))
  }

  /// What the new token gives to the session is for the node to decide anew, so that the stream is opened again
  /// where it stands.
  private mutating func reauthorize(_ access: Access) {
    guard access != self.access else { return }
    self.access = access
    switch state {
    case .live:
      actions.append(.leave(.done))
      pause()
    case .opening(let search, _):
      actions.append(.leave(.done))
      if position != nil { resume(search) } else { resolve(search) }
    case .resolving, .paused, .closed: break
    }
  }

  // MARK: The end

  /// The client broke a rule of the stream; its node hears that it is gone.
  private mutating func fail(_ close: Close) { finish(with: .close(close), telling: close) }

  private mutating func finish(with frame: Frame, telling close: Close?) {
    if hasLink { actions.append(.leave(close)) }
    end(with: frame)
  }

  /// Ends the stream, which has no link, with a last frame for the client.
  private mutating func end(with frame: Frame) {
    state = .closed
    actions.append(.deliver(frame))
    actions.append(.finish)
  }

  /// Leaves the node: the client's connection, or its interest, has ended.
  private mutating func leave(telling close: Close) {
    if hasLink { actions.append(.leave(close)) }
    state = .closed
    actions.append(.discard)
    actions.append(.finish)
  }

  private var hasLink: Bool {
    switch state {
    case .opening, .live: true
    case .resolving, .paused, .closed: false
    }
  }
}

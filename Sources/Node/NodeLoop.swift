// The sessions of one event loop of a node, and the links that reach it. An OPEN of an unknown
// session becomes a claim in the registry and then a pipe; OPENs of the same id meanwhile wait for
// the first.

import Auth
import Cluster
import Link
import Logging
import NIOCore
import Pipes
import Wire

final class NodeLoop: RouterLinkOwner, SessionOwner {
  let eventLoop: any EventLoop
  /// Answers of the admin API that are being made of screens.
  private var shownUnderWay = 0
  private let identity: NodeIdentity
  private let logger: Logger
  private var links: [ObjectIdentifier: RouterLink] = [:]
  private var table: [SessionID: Entry] = [:]
  let turns: ScreenTurns
  var pages: PageSource { identity.pages }
  private var finished = EndedSessions()
  private var reaper: RepeatedTask?
  private var isStopping = false
  private var stopCause = EndCause.stopped
  /// A router that is wrong comes again every other second: when that was last said, and how often it was not.
  private var refusalSaid: NIODeadline?
  private var refusalsUnsaid = 0
  /// Sessions that are forgotten but for their streams: those know them only weakly, and have yet to send
  /// their last output and ENDED.
  private var leaving: [(session: Session, since: NIODeadline)] = []
  private var whenEmpty: EventLoopPromise<Void>?

  private enum Entry {
    case starting(Starting)
    case session(Session)
  }

  /// A session that is being claimed and started.
  private struct Starting {
    /// For whom it is started first, then who came meanwhile.
    var waiting: [Waiting]
    /// Once it is claimed.
    var epoch: Epoch?
    var owner: String? { waiting.first?.request.access.subject }
    /// Another node owns it by now.
    var isSuperseded = false
  }

  private struct Waiting {
    var link: RouterLink
    var stream: UInt64
    var request: LinkOpen
  }

  init(identity: NodeIdentity, eventLoop: any EventLoop) {
    self.identity = identity
    self.eventLoop = eventLoop
    self.turns = ScreenTurns(eventLoop: eventLoop)
    self.logger = identity.logger
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    reaper = eventLoop.scheduleRepeatedTask(
      initialDelay: NodeLimits.reaperInterval, delay: NodeLimits.reaperInterval
    ) { _ in bound.value.reap() }
  }

  var clusterName: String { identity.cluster }

  var linkKey: LinkKey? { identity.linkKey }

  var welcome: Welcome {
    Welcome(
      time: wallClockMilliseconds(), node: identity.id.rawValue, incarnation: identity.incarnation)
  }

  func routerLink(_ link: RouterLink, refused problem: String) {
    let now = eventLoop.now
    if let refusalSaid, now - refusalSaid < NodeLimits.repeatedRefusal {
      refusalsUnsaid += 1
      return
    }
    logger.warning(
      "a link was refused", metadata: ["problem": "\(problem)", "before": "\(refusalsUnsaid)"])
    refusalSaid = now
    refusalsUnsaid = 0
  }

  // MARK: Links

  func accept(_ makeLink: (RouterLink) -> Link) {
    let link = RouterLink(owner: self)
    links[ObjectIdentifier(link)] = link
    link.start(makeLink(link))
  }

  func routerLinkDidClose(_ link: RouterLink) {
    links[ObjectIdentifier(link)] = nil
  }

  // MARK: Opening

  func routerLink(_ link: RouterLink, open request: LinkOpen, stream: UInt64) {
    if let refusal = refusal(of: request) { return link.refuse(refusal, stream: stream) }
    guard let id = request.open.session else {
      return link.refuse(Refused(.badRequest, "a link's OPEN names its session"), stream: stream)
    }
    switch table[id] {
    case .session(let session):
      guard request.epoch == nil || request.epoch == session.epoch else {
        return link.refuse(
          Refused(.notOwner, "the session is at epoch \(session.epoch)", retry: 0), stream: stream)
      }
      attach(link, stream, request, to: session, created: false)
    case .starting(var starting):
      guard starting.waiting.count < NodeLimits.waitingOpens else {
        return link.refuse(
          Refused(
            .tooMany, "\(starting.waiting.count) clients wait for this session", retry: 1_000),
          stream: stream)
      }
      starting.waiting.append(Waiting(link: link, stream: stream, request: request))
      table[id] = .starting(starting)
    case nil:
      guard let creation = request.open.create else {
        // The router remembers a session that was here; the registry knows what became of it.
        if let epoch = request.epoch {
          identity.disown(id, epoch: epoch)
          return link.refuse(
            Refused(.notOwner, "session \(id) is not here any more", retry: 0), stream: stream)
        }
        let refusal =
          request.open.resume == nil
          ? Refused(.notFound, "no session \(id)") : Refused(.gone, "session \(id) is gone")
        return link.refuse(refusal, stream: stream)
      }
      table[id] = .starting(
        Starting(waiting: [Waiting(link: link, stream: stream, request: request)]))
      start(id, creation, for: ClientIdentity(request), size: request.open.size)
    }
  }

  private func refusal(of request: LinkOpen) -> Refused? {
    if isStopping {
      return Refused(.unavailable, "node \(identity.id) is shutting down", retry: 1_000)
    }
    if let expected = request.incarnation, expected != identity.incarnation {
      return Refused(.notOwner, "node \(identity.id) was started anew", retry: 0)
    }
    if let problem = request.open.problem { return Refused(.badRequest, problem) }
    return nil
  }

  private func attach(
    _ link: RouterLink, _ stream: UInt64, _ request: LinkOpen, to session: Session, created: Bool
  ) {
    guard link.isOpening(stream) else { return }
    // Only here is it known whose the session is (promise P9).
    guard let rights = request.access.rights(owner: session.owner) else {
      return link.refuse(
        Refused(.forbidden, "this token may not enter session \(session.id)"), stream: stream)
    }
    // A router that had no answer to its OPEN, since its link broke, asks for what it has created itself.
    let isCreator =
      created || (request.again == true && session.creator == ClientIdentity(request))
    let differs = isCreator ? nil : session.differences(from: request, rights: rights)
    if request.open.exclusive == true, !isCreator {
      return link.refuse(exists(session, differs: differs), stream: stream)
    }
    let attached = SessionStream(
      number: stream, request: request, rights: rights, owner: session.owner, link: link)
    link.add(attached)
    session.attach(
      attached, request: request, created: request.open.create != nil && isCreator,
      differs: differs)
  }

  private func exists(_ session: Session, differs: [String]?) -> Refused {
    let how = differs.map { ", with another \($0.joined(separator: ", "))" } ?? ""
    return Refused(
      .exists, "session \(session.id) exists\(session.ended == nil ? "" : " and has ended")\(how)",
      status: session.ended?.status, state: session.ended == nil ? .running : .ended,
      differs: differs)
  }

  // MARK: Starting

  private func start(
    _ id: SessionID, _ creation: Creation, for creator: ClientIdentity, size: TerminalSize
  ) {
    guard let starter = identity.starter(for: creation.target) else {
      return fail(
        id, Refused(.startFailed, "node \(identity.id) has no \(creation.target) configured"))
    }
    guard identity.admit() else {
      return fail(id, Refused(.noCapacity, "node \(identity.id) is full", retry: 2_000))
    }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let claim = eventLoop.makeFutureWithTask { [identity] in
      try await identity.claim(id, owner: creator.subject)
    }
    claim.whenComplete { result in
      let loop = bound.value
      switch result {
      case .success(.claimed(let epoch)):
        loop.startPipe(
          id, creation, for: creator, size: size, epoch: epoch, starter: starter)
      case .success(.owned(let record)):
        loop.identity.dismiss()
        loop.fail(
          id,
          Refused(
            .notOwner, "session \(id) is on node \(record.node)", retry: 0,
            owner: record.node.rawValue))
      case .success(.lost(let record)):
        loop.identity.dismiss()
        loop.fail(id, Refused(.lost, "session \(id) was lost with node \(record.node)"))
      case .failure(let error):
        loop.identity.dismiss()
        loop.logger.warning(
          "a session could not be claimed", metadata: ["session": "\(id)", "error": "\(error)"])
        loop.fail(
          id, Refused(.unavailable, RegistryError.explanation(of: error), retry: 1_000))
      }
    }
  }

  private func startPipe(
    _ id: SessionID, _ creation: Creation, for creator: ClientIdentity, size: TerminalSize,
    epoch: Epoch, starter: any PipeStarter
  ) {
    if case .starting(var starting) = table[id] {
      starting.epoch = epoch
      table[id] = .starting(starting)
    }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let request = PipeRequest(session: id, creation: creation, size: size)
    starter.start(request, on: eventLoop).whenComplete { result in
      let loop = bound.value
      switch result {
      case .success(let pipe):
        loop.started(
          id, creation, for: creator, size: size, epoch: epoch, pipe: pipe.value)
      case .failure(let error):
        loop.identity.dismiss()
        loop.release(id, epoch: epoch, tombstone: nil)
        loop.logger.info(
          "a pipe did not start", metadata: ["session": "\(id)", "error": "\(error)"])
        loop.fail(id, (error as? PipeError)?.refusal ?? Refused(.startFailed, "\(error)"))
      }
    }
  }

  private func started(
    _ id: SessionID, _ creation: Creation, for creator: ClientIdentity, size: TerminalSize,
    epoch: Epoch, pipe: any Pipe
  ) {
    guard case .starting(let starting) = table[id] else {
      // It was not waited for.
      identity.dismiss()
      pipe.terminate(grace: .zero)
      return
    }
    let session = Session(
      id: id, epoch: epoch, creation: creation, creator: creator, size: size, pipe: pipe,
      settings: identity.settings, createdAt: wallClockMilliseconds(), owner: self)
    table[id] = .session(session)
    logger.info("session started", metadata: ["session": "\(id)", "target": "\(creation.target)"])
    for (index, entry) in starting.waiting.enumerated() {
      attach(entry.link, entry.stream, entry.request, to: session, created: index == 0)
    }
    if starting.isSuperseded { letGo(session) }
    if isStopping { session.terminate(stopCause) }
  }

  /// What this loop owns, for a registry that may be wrong about it: also what is being started, which can
  /// take an engine many seconds.
  var held: [SessionID: Holding] { table.compactMapValues(Self.holding) }

  private static func holding(_ entry: Entry) -> Holding? {
    switch entry {
    case .starting(let starting): starting.epoch.map { Holding(epoch: $0, owner: starting.owner) }
    case .session(let session): Holding(epoch: session.epoch, owner: session.owner)
    }
  }

  /// Another node owns the session under a larger epoch: its clients are brought to that one (promise P3).
  func end(superseded id: SessionID, epoch: Epoch) {
    switch table[id] {
    case .session(let session) where session.epoch == epoch: letGo(session)
    case .starting(var starting) where starting.epoch == epoch:
      starting.isSuperseded = true
      table[id] = .starting(starting)
    default: break
    }
  }

  private func letGo(_ session: Session) {
    logger.error(
      "another node owns a session of the same name by now; ours is ended",
      metadata: ["node": "\(identity.id)", "session": "\(session.id)"])
    session.sendAway(
      Refused(.notOwner, "session \(session.id) has another owner by now", retry: 0))
    end(session, .superseded)
  }

  private func fail(_ id: SessionID, _ refusal: Refused) {
    guard case .starting(let starting) = table.removeValue(forKey: id) else { return }
    for entry in starting.waiting { entry.link.refuse(refusal, stream: entry.stream) }
    checkEmpty()
  }

  // MARK: Ending

  func sessionDidEnd(_ session: Session) {
    logger.info(
      "session ended",
      metadata: [
        "session": "\(session.id)", "reason": "\(session.ended?.reason ?? .exited)",
        "status": "\(session.ended?.status.map(String.init(describing:)) ?? "unknown")",
      ])
    // What has ended takes no place.
    identity.dismiss()
    if isStopping || session.endCause == .superseded { return leave(session) }
    finished.append(session)
    while let oldest = finished.excess() { forget(oldest) }
  }

  /// Ends the process, or forgets a session whose process has ended.
  private func end(_ session: Session, _ cause: EndCause) {
    if session.ended == nil { session.terminate(cause) } else { leave(session) }
  }

  /// Forgets the session; it lives until its clients have read its end.
  private func leave(_ session: Session) {
    leaving.append((session, .now()))
    drop(session)
  }

  /// Whether every client has been told how its session ended.
  var hasToldAll: Bool { leaving.allSatisfy(\.session.streams.isEmpty) }

  /// Forgets a session that has ended; who still reads it is told that it is no more.
  private func forget(_ session: Session) {
    drop(session)
    session.dismissStreams()
  }

  private func drop(_ session: Session) {
    guard case .session(let held) = table[session.id], held === session else { return }
    table[session.id] = nil
    finished.remove(session)
    release(
      session.id, epoch: session.epoch,
      tombstone: Tombstone(
        status: session.ended?.status, reason: session.ended?.reason ?? .exited,
        ended: session.endedTime ?? wallClockMilliseconds(), owner: session.owner))
    checkEmpty()
  }

  private func release(_ id: SessionID, epoch: Epoch, tombstone: Tombstone?) {
    identity.release(id, epoch: epoch, tombstone: tombstone)
  }

  private func reap() {
    let now = NIODeadline.now()
    for case .session(let session) in table.values {
      session.snapshot.forget(madeBefore: now - NodeLimits.reaperInterval)
      if session.isOver(now: now) {
        forget(session)
      } else if let cause = session.causeToEnd(now: now) {
        logger.info(
          "a session's time is over",
          metadata: ["session": "\(session.id)", "reason": "\(cause.reason)"])
        session.terminate(cause)
      }
    }
    leaving.removeAll { session, since in
      if session.isReadNoMore(now: now, since: since) { session.dismissStreams() }
      return session.streams.isEmpty
    }
  }

  /// Ends every session; completes when the last process has gone.
  func stop(_ cause: EndCause) -> EventLoopFuture<Void> {
    let promise = whenEmpty ?? eventLoop.makePromise(of: Void.self)
    whenEmpty = promise
    isStopping = true
    stopCause = cause
    reaper?.cancel()
    for case .session(let session) in table.values { end(session, cause) }
    checkEmpty()
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let limit = eventLoop.scheduleTask(in: NodeLimits.lastStarts) { bound.value.giveUpStarts() }
    promise.futureResult.whenComplete { _ in limit.cancel() }
    return promise.futureResult
  }

  /// What is still being started may wait for a directory that does not answer.
  private func giveUpStarts() {
    for case (let id, .starting(let starting)) in table {
      logger.warning(
        "a session was still being started when the node left", metadata: ["session": "\(id)"])
      if let epoch = starting.epoch { release(id, epoch: epoch, tombstone: nil) }
      fail(id, Refused(.unavailable, "node \(identity.id) is shutting down", retry: 1_000))
    }
  }

  func closeLinks() { for link in links.values { link.close() } }

  private func checkEmpty() { if isStopping, table.isEmpty { whenEmpty?.succeed() } }

  // MARK: Questions of the admin API

  func routerLink(_ link: RouterLink, request: LinkRequest) {
    guard !link.isBusy else { return answer(link, request.id, error: .busy) }
    switch request.method {
    case .sessions:
      let wanted = request.session.map { [$0] } ?? Array(table.keys)
      link.answer(SessionsAnswer(id: request.id, wanted) { [weak self] in self?.summary(of: $0) })
    case .kill:
      guard let id = request.session, case .session(let session) = table[id] else {
        return answer(link, request.id, error: .notFound)
      }
      guard request.access?.mayKill(owner: session.owner) == true else {
        return answer(link, request.id, error: .forbidden)
      }
      end(session, .killed)
      link.answer(SessionsAnswer(id: request.id, []) { _ in nil })
    case .superseded:
      // The registry, which this node may be cut off from, says so to the router.
      if let id = request.session, let epoch = request.epoch,
        let held = table[id].flatMap(Self.holding)?.epoch, held < epoch
      {
        end(superseded: id, epoch: held)
      }
      link.answer(SessionsAnswer(id: request.id, []) { _ in nil })
    case .screen:
      guard let id = request.session, case .session(let session) = table[id] else {
        return answer(link, request.id, error: .notFound)
      }
      guard request.access?.rights(owner: session.owner) != nil else {
        return answer(link, request.id, error: .forbidden)
      }
      guard shownUnderWay < NodeLimits.shownAtOnce else {
        return answer(link, request.id, error: .busy)
      }
      guard
        let shown = ShownScreen(
          session.screen, format: request.format ?? .text,
          scrollback: Int(request.scrollback ?? 0), tail: request.tail.map { Int($0) })
      else { return answer(link, request.id, error: .unknown) }
      shownUnderWay += 1
      goOn(shown, for: link, request.id)
    default: answer(link, request.id, error: .unknown)
    }
  }

  private func summary(of id: SessionID) -> SessionSummary? {
    guard case .session(let session) = table[id] else { return nil }
    return session.summary(node: identity.id.rawValue)
  }

  private func answer(_ link: RouterLink, _ id: UInt64, error: LinkResponse.Problem) {
    link.send(.response(LinkResponse(id: id, isLast: true, error: error)), stream: 0)
  }

  /// A slice, and the rest after what else waits for the loop.
  private func goOn(_ shown: ShownScreen, for link: RouterLink, _ id: UInt64) {
    guard shown.goOn() else {
      let bound = NIOLoopBound((self, shown, link), eventLoop: eventLoop)
      eventLoop.scheduleTask(in: NodeLimits.screenPause) {
        let (loop, shown, link) = bound.value
        loop.goOn(shown, for: link, id)
      }
      return
    }
    shownUnderWay -= 1
    guard let text = shown.answer, text.utf8.count <= NodeLimits.answer else {
      return answer(link, id, error: .tooLarge)
    }
    link.answer(TextAnswer(id: id, text: text))
  }
}

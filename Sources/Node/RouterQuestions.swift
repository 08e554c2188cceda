// What a router asks of a loop of the node: for the HTTP API its sessions, a screen, an end; for itself, whether it
// has a session.

import Logging
import NIOCore
import Registry
import Sessions
import Wire

extension NodeLoop {
  func connection(_ connection: RouterConnection, didReceive question: LinkRequest) {
    guard !connection.isBusy else { return connection.answer(question, .busy) }
    switch question.method {
    case .sessions:
      let wanted = question.session.map { [$0] } ?? Array(sessions.keys)
      connection.answer(
        SessionsAnswer(id: question.id, wanted) { [weak self] in
          guard let self else { return nil }
          guard let session = session($0) else { return waiting($0) }
          var summary = session.summary(node: context.id)
          summary.holder = ownedSession($0)?.holder
          if question.session != nil { summary.add(history: session.core.history) }
          return summary
        })
    case .kill:
      guard let session = askedFor(by: question, on: connection, where: { $0.mayKill(creator: $1) })
      else { return }
      end(session, .killed)
      // What was accepted is not forgotten, whatever becomes of this node.
      let bound = NIOLoopBound(connection, eventLoop: eventLoop)
      let noted = session.endingIsNoted ?? eventLoop.makeSucceededVoidFuture()
      noted.whenComplete { _ in
        bound.value.answer(SessionsAnswer(id: question.id, []) { _ in nil })
      }
    case .superseded:
      // The router has this from the registry, from which this node may be cut off.
      if let id = question.session, let epoch = question.epoch,
        let owned = ownedSession(id)?.epoch, owned < epoch
      {
        end(superseded: id, epoch: owned)
      }
      connection.answer(SessionsAnswer(id: question.id, []) { _ in nil })
    case .announce:
      let owned = question.session.flatMap { ownedSession($0) }
      if let id = question.session, let owned { announceAgain(id, owned) }
      connection.answer(
        ShortAnswer(part: LinkResponse(id: question.id, isLast: true, epoch: owned?.epoch)))
    case .screen:
      guard
        let session = askedFor(
          by: question, on: connection, where: { $0.rights(creator: $1) != nil })
      else { return }
      show(session, question, on: connection)
    default: connection.answer(question, .unknown)
    }
  }

  /// A session that is about to be served here: it was another node's, or an earlier start's of this one.
  private func waiting(_ id: SessionID) -> SessionSummary? {
    var summary = SessionSummary(
      session: id, node: context.id.rawValue, life: Life(rawValue: 0), epoch: Epoch(0), target: "",
      command: [], state: .waiting, status: nil, size: TerminalSize(columns: 0, rows: 0),
      title: nil, created: WallClock.milliseconds, idle: 0, output: 0, input: 0, viewers: [])
    switch sessions[id] {
    case .takingOver: return summary
    case .restoring(let restoration):
      let descriptor = restoration.descriptor
      (summary.life, summary.epoch) = (descriptor.life, restoration.epoch)
      summary.target = descriptor.creation.target.description
      (summary.command, summary.user) = (descriptor.creation.command, descriptor.creation.user)
      (summary.created, summary.creator) = (descriptor.created, descriptor.creator.subject)
      summary.holder = restoration.holder
      return summary
    case .starting, .session, nil: return nil
    }
  }

  /// Writes the record of a session that is here again: the registry has lost it.
  private func announceAgain(_ id: SessionID, _ owned: OwnedSession) {
    guard announcing.insert(id).inserted else { return }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.makeFutureWithTask { [context] in
      try await context.records.confirm(id, owned)
    }.whenComplete { result in
      let loop = bound.value
      loop.announcing.remove(id)
      // If the registry does not take it now, it hears of it when this node announces all that it holds.
      guard case .success(let announcement) = result else { return }
      if announcement.superseded.contains(id) {
        loop.end(superseded: id, epoch: owned.epoch)
      } else if announcement.repaired.contains(id) {
        loop.logger.warning(
          "the record of a session was missing in the registry, and is there again",
          metadata: ["session": "\(id)"])
        // The session has ended meanwhile, and nobody else would take its record away.
        if loop.ownedSession(id)?.epoch != owned.epoch {
          loop.context.records.release(id, epoch: owned.epoch, tombstone: nil)
        }
      }
    }
  }

  /// Returns the session that the question is about. If there is none, or the asker may not do this, it answers the
  /// question itself and returns nil.
  private func askedFor(
    by question: LinkRequest, on connection: RouterConnection,
    where isAllowed: (_ access: Access, _ creator: String?) -> Bool
  ) -> Session? {
    guard let session = question.session.flatMap({ self.session($0) }) else {
      connection.answer(question, .notFound)
      return nil
    }
    guard let access = question.access, isAllowed(access, session.creator) else {
      connection.answer(question, .forbidden)
      return nil
    }
    return session
  }

  private func show(
    _ session: Session, _ question: LinkRequest, on connection: RouterConnection
  ) {
    guard screensUnderWay < NodeLimits.shownAtOnce else {
      return connection.answer(question, .busy)
    }
    guard
      let screen = ShownScreen(
        session.core.screen, format: question.format ?? .text,
        scrollback: Int(question.scrollback ?? 0), tail: question.tail.map { Int($0) })
    else { return connection.answer(question, .unknown) }
    screensUnderWay += 1
    show(screen, question, on: connection)
  }

  /// Makes one slice, and goes on after whatever else waits for the loop.
  private func show(
    _ screen: ShownScreen, _ question: LinkRequest, on connection: RouterConnection
  ) {
    guard screen.makeSlice() else {
      let bound = NIOLoopBound((self, screen, connection), eventLoop: eventLoop)
      eventLoop.scheduleTask(in: NodeLimits.screenPause) {
        let (loop, screen, connection) = bound.value
        loop.show(screen, question, on: connection)
      }
      return
    }
    screensUnderWay -= 1
    guard let text = screen.answer, text.utf8.count <= NodeLimits.answer else {
      return connection.answer(question, .tooLarge)
    }
    connection.answer(TextAnswer(id: question.id, text: text))
  }
}

extension SessionSummary {
  /// With who had it, if that fits into an answer's part.
  fileprivate mutating func add(history: [Tenure]) {
    self.history = history
    if jsonBound > WireLimits.frameBody { self.history = nil }
  }
}

extension RouterConnection {
  /// Answers the question with a problem.
  fileprivate func answer(_ question: LinkRequest, _ problem: LinkResponse.Problem) {
    send(.response(LinkResponse(id: question.id, isLast: true, error: problem)), stream: 0)
  }
}

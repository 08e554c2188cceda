// One event loop of a node: its sessions, and the connections of routers that reach it. How sessions come to be is in
// SessionStarts.swift, how those that a holder has come back in KeptSessions.swift (this node's) and Takeover.swift
// (another's), those that have ended last of all (EndedRestorations.swift), how they move between two nodes in Preparations.swift, how they go in SessionDepartures.swift, what routers ask of them in RouterQuestions.swift.

import Links
import Logging
import NIOCore
import Registry
import Sessions
import Wire

final class NodeLoop {
  let eventLoop: any EventLoop
  /// Which of the node's loops it is.
  let index: Int
  let context: NodeContext
  let logger: Logger
  let screenTurns: ScreenTurns<Session>
  var sessions: [SessionID: SessionEntry] = [:]
  private var connections: [UInt64: RouterConnection] = [:]
  private var nextConnection: UInt64 = 0
  private var reaper: RepeatedTask?
  /// When a refused link was last logged, and how many were not since: a router that is refused comes again every other
  /// second.
  private var refusalSaid: NIODeadline?
  private var refusalsUnsaid = 0

  /// Whether the holder has yet to say which of this loop's sessions it keeps: an unknown session may be among them.
  var isRestoring: Bool

  // What EndedRestorations.swift keeps here.

  /// Sessions that run and are being made again, and some that have been.
  var runningToRestore: Set<SessionID> = []
  /// Those that have ended and wait for them.
  var endedToRestore: Set<SessionID> = []
  var isRestoringEnded = false

  // What SessionDepartures.swift keeps here.

  /// Why the node stops; nil: it does not.
  var stopCause: EndCause?
  var whenEmpty: EventLoopPromise<Void>?
  /// Sessions that have ended and can still be read.
  var ended = EndedSessions()
  /// Sessions that are forgotten but for their streams, which have yet to send their last output and ENDED.
  var drainingReaders: [(session: Session, since: NIODeadline)] = []

  // What Preparations.swift keeps here.

  /// Sessions that other nodes offer this one.
  var preparations: [SessionID: Preparation] = [:]

  // What RouterQuestions.swift keeps here.

  /// The number of answers that are being made from screens.
  var screensUnderWay = 0
  /// Sessions whose lost records are being written again.
  var announcing: Set<SessionID> = []

  /// What holders have said of sessions that are taken over.
  private(set) lazy var looks = HolderLooks<KeptSessionEntry>(eventLoop: eventLoop) {
    [unowned self] in lookAt(holder: $0)
  }

  init(context: NodeContext, eventLoop: any EventLoop, index: Int) {
    self.context = context
    self.index = index
    self.eventLoop = eventLoop
    screenTurns = ScreenTurns(eventLoop: eventLoop)
    logger = context.logger
    isRestoring = context.homeName != nil
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    reaper = eventLoop.scheduleRepeatedTask(
      initialDelay: NodeLimits.reaperInterval, delay: NodeLimits.reaperInterval
    ) { _ in bound.value.reap() }
  }

  func session(_ id: SessionID) -> Session? {
    if case .session(let session) = sessions[id] { session } else { nil }
  }

  // MARK: Connections

  func accept(from address: String, _ makeLink: (RouterConnection) -> Link) {
    let connection = RouterConnection(number: nextConnection, from: address, delegate: self)
    connections[nextConnection] = connection
    nextConnection += 1
    connection.start(makeLink(connection))
  }

  func closeConnections() { for connection in connections.values { connection.close() } }

  // MARK: What it holds

  /// All that this loop owns, to be told a registry that may be wrong about it. A session that is being started is
  /// among it: an engine can take many seconds for that.
  var ownedSessions: [SessionID: OwnedSession] {
    var ownedSessions: [SessionID: OwnedSession] = [:]
    for id in sessions.keys { ownedSessions[id] = ownedSession(id) }
    return ownedSessions
  }

  func ownedSession(_ id: SessionID) -> OwnedSession? {
    guard let entry = sessions[id] else { return nil }
    var owned = entry.owned
    owned?.holder = entry.holderName
    // Its record may have been lost meanwhile, and this node may die in the next moment.
    if case .starting(let start) = entry { owned?.holder = context.holderName(of: start.creation) }
    return owned
  }

  /// Ends the sessions whose time is over, and forgets those that were readable for long enough.
  private func reap() {
    for case .session(let session) in sessions.values {
      session.forgetOldSnapshot()
      if session.isOver {
        forget(session)
      } else if let cause = session.causeToEnd {
        logger.info(
          "a session's time is over",
          metadata: ["session": "\(session.id)", "reason": "\(cause.reason)"])
        session.terminate(cause)
      }
    }
    dismissSlowReaders()
    restoreThoseThatEnded()
  }

  func stopReaping() { reaper?.cancel() }
}

extension NodeLoop: RouterConnectionDelegate, SessionDelegate {
  var greeting: NodeGreeting {
    NodeGreeting(
      cluster: context.cluster,
      welcome: Welcome(
        time: WallClock.milliseconds, node: context.id.rawValue,
        incarnation: context.incarnation),
      key: context.clusterKey)
  }

  func connection(_ number: UInt64) -> (any SessionConnection)? { connections[number] }

  func connectionDidClose(_ connection: RouterConnection) { connections[connection.number] = nil }

  func connection(_ connection: RouterConnection, wasRefused problem: String) {
    let now = eventLoop.now
    if let refusalSaid, now - refusalSaid < NodeLimits.repeatedRefusal {
      refusalsUnsaid += 1
      return
    }
    let peer = connection.peer
    logger.warning(
      "a link was refused",
      metadata: [
        "problem": "\(problem)", "address": "\(peer.address)",
        "router": "\((peer.router ?? "-").clipped(to: NodeLimits.peerName))",
        "before": "\(refusalsUnsaid)",
      ])
    refusalSaid = now
    refusalsUnsaid = 0
  }
}

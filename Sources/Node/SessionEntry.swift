// What a loop knows of a session: that it runs, or how far it has come towards that.

import Pipes
import Registry
import Sessions
import Wire

enum SessionEntry {
  case starting(Start)
  case session(Session)
  case restoring(Restoration)
  case takingOver(Takeover)
}

extension SessionEntry {
  /// The holder that keeps it while no node has it; nil: none does, or its name is not known now.
  var holderName: String? {
    switch self {
    case .starting, .takingOver: nil
    case .session(let session): session.holderName
    case .restoring(let restoration): restoration.holder
    }
  }

  /// Nil: it is not claimed yet.
  var owned: OwnedSession? {
    switch self {
    // If the takeover succeeds, the registry has written the record itself.
    case .takingOver: nil
    case .starting(let start):
      start.epoch.map { OwnedSession(epoch: $0, creator: start.creator.subject) }
    case .session(let session):
      OwnedSession(
        epoch: session.core.epoch, creator: session.creator, end: session.tombstone,
        history: session.core.history)
    case .restoring(let restoration):
      OwnedSession(
        epoch: restoration.epoch, creator: restoration.descriptor.creator.subject,
        history: restoration.session?.core.history ?? [])
    }
  }
}

/// A session that is being claimed and started.
struct Start {
  let id: SessionID
  let creation: Creation
  /// The client whose OPEN it is started for.
  let creator: ClientIdentity
  let size: TerminalSize
  /// That OPEN, then those that came meanwhile.
  var waiting: [WaitingOpen]
  /// Once it is claimed.
  var epoch: Epoch?
  /// Another node owns the session by now: it is given up once it has started.
  var isSuperseded = false
}

extension SessionDescriptor {
  init(_ start: Start, life: Life, created: UInt64, in context: NodeContext) {
    session = start.id
    self.life = life
    creation = start.creation
    creator = start.creator
    self.created = created
    node = context.id
    cluster = context.cluster
    logLimit = context.settings.heldLog
  }
}

/// A session that is being made again.
struct Restoration {
  let descriptor: SessionDescriptor
  let epoch: Epoch
  /// What keeps it.
  let holder: String?
  /// One that has ended and waits until those that run are made again.
  var attached: AttachedPipe?
  /// Once it is attached; it may not have read all output yet.
  var session: Session?
  /// OPENs that came meanwhile.
  var waiting: [WaitingOpen] = []
  /// Its last node has let go of it.
  var isMove = false
}

/// A session that is looked for, and taken over if that may be.
struct Takeover {
  var waiting: [WaitingOpen] = []
}

/// What a loop knows of a session that it was offered.
enum Preparation {
  /// Its holder is being asked.
  case asking
  case ready(KeptSessionEntry)
  case failed
}

/// An OPEN of a session that does not run yet.
struct WaitingOpen {
  let connection: RouterConnection
  let stream: UInt64
  let request: LinkOpen

  func refuse(_ refusal: Refused) { connection.refuse(refusal, stream: stream) }

  /// False: so many wait for the session already, and this one was refused.
  func mayWait(beside others: [WaitingOpen]) -> Bool {
    if others.count < NodeLimits.waitingOpens { return true }
    refuse(
      Refused(
        .tooMany, "\(others.count) clients wait for this session", retry: NodeLimits.retry))
    return false
  }
}

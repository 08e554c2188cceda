// What all loops of a node share: who it is, what it may hold, and what starts its pipes.

import Links
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pipes
import Registry
import Sessions
import Wire

final class NodeContext: Sendable {
  let id: NodeID
  let incarnation: Incarnation
  let cluster: String
  let settings: SessionSettings
  let clusterKey: ClusterKey?
  let logger: Logger
  let places: SessionPlaces
  let records: SessionRecords
  /// The pages of all sessions' logs.
  let pages = PagePool()
  let endsSessions: Bool
  /// When this node has last put a session back, which it had taken over or which another node attached: its record may
  /// still name this node, and it is to be looked for again. So may what its last start has let go of.
  let lastPutBack = NIOLockedValueBox(ContinuousClock.now)
  /// Whether an operator drains this node, and whether it is about to stop.
  let isDrained = NIOLockedValueBox(false)
  let isLeaving = NIOLockedValueBox(false)
  let start = NIODeadline.now()
  /// Sessions that an earlier start of this node was to end, and of which it has not heard that they have.
  private let unfinishedEndings = NIOLockedValueBox<[Life: EndCause]>([:])
  /// How many sessions go on without this node.
  let detachedCount = NIOLockedValueBox(0)
  private let pipes: PipeStarters

  let loopCount: Int

  init(_ configuration: NodeConfiguration, records: SessionRecords, loopCount: Int) {
    self.loopCount = loopCount
    id = configuration.id
    incarnation = records.incarnation
    cluster = configuration.cluster
    settings = configuration.settings
    clusterKey = configuration.clusterKey
    logger = configuration.logger
    places = SessionPlaces(configuration.capacity)
    self.records = records
    endsSessions = configuration.endsSessions
    pipes = configuration.pipes
  }

  var starters: [any PipeStarter] { pipes.all }

  /// Names the place where this node's processes find what they kept. The registry believes a new process to be this
  /// node if it names the same place. Nil: this node keeps nothing.
  var homeName: String? { starters.lazy.compactMap(\.homeName).first }

  /// Where it is noted which sessions are being ended; nil: nothing keeps them.
  var endings: EndingNotes? { starters.lazy.compactMap(\.endings).first }

  /// Reads which sessions an earlier start of this node was to end.
  func recallEndings() async {
    guard let noted = await endings?.all() else { return }
    unfinishedEndings.withLockedValue { $0 = noted.compactMapValues(EndCause.init) }
  }

  /// Why a session that was found with its holder is to end; nil: it is not.
  func unfinishedEnding(of life: Life) -> EndCause? {
    unfinishedEndings.withLockedValue { $0[life] }
  }

  /// What keeps a session there while no node has it; nil: nothing does.
  func holderName(of creation: Creation) -> String? {
    starter(for: creation.target)?.holderName(of: creation)
  }

  /// Whether any holder of this node is reached by other nodes, too.
  var sharesHolders: Bool { !reach.isEmpty }

  /// The labels by which it says which holders it reaches that others reach, too.
  var reach: [String: String] { starters.reduce(into: [:]) { $0.merge($1.labels) { $1 } } }

  /// Whether it is another node's of this machine, and this node, which shares its own with others, does not reach it now.
  func isOutOfReach(_ holder: String) -> Bool {
    guard let own = homeName.flatMap(HolderName.label), reach[own.key] == own.value,
      let other = HolderName.label(of: holder)
    else { return false }
    return other.value == own.value && reach[other.key] != other.value
  }

  func starter(for target: Target) -> (any PipeStarter)? { pipes.starter(for: target) }
}

/// The places for sessions of a node. Its lock is taken by starts and ends of sessions only.
final class SessionPlaces: Sendable {
  private let capacity: Int
  private let count = NIOLockedValueBox(0)

  init(_ capacity: Int) { self.capacity = capacity }

  var taken: Int { count.withLockedValue { $0 } }

  /// Takes one; false when there is none.
  func take() -> Bool {
    count.withLockedValue { count in
      guard count < capacity else { return false }
      count += 1
      return true
    }
  }

  /// Takes a place for a session that exists already, also where there is none.
  func takeAnyway() { count.withLockedValue { $0 += 1 } }

  func giveBack() { count.withLockedValue { $0 -= 1 } }
}

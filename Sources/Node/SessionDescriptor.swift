// What a node leaves of a session with its holder, for the node that makes it again.

import FoundationEssentials
import Pipes
import Registry
import Wire

/// What a node says of a session when it starts it, for whoever makes it again.
struct SessionDescriptor: Codable {
  var session: SessionID
  var life: Life
  var creation: Creation
  var creator: ClientIdentity
  /// In milliseconds since 1970.
  var created: UInt64
  var node: NodeID
  var cluster: String
  /// Bytes of output that its holder keeps; nil: as many as the node in its own log.
  var logLimit: Int?

  var bytes: [UInt8] { Array((try? JSONEncoder().encode(self)) ?? Data()) }

  /// Nil: no node of this version has written it.
  init?(_ bytes: [UInt8]) {
    guard let read = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else { return nil }
    self = read
  }
}

extension SessionDescriptor {
  /// Of the node that started it.
  func firstTenure(before epoch: Epoch) -> Tenure {
    Tenure(
      epoch: Epoch(epoch.rawValue - 1), node: node.rawValue, since: created, why: .started)
  }
}

/// What a holder has of this cluster's, and what was said of it at its start.
struct KeptSessionEntry: Sendable {
  var entry: KeptEntry
  var descriptor: SessionDescriptor

  /// The latest first: of two lives the later one counts; the other's node died between the two.
  static func read(_ entries: [KeptEntry], of cluster: String) -> [KeptSessionEntry] {
    entries.compactMap { entry in
      SessionDescriptor(entry.descriptor).flatMap {
        $0.cluster == cluster ? KeptSessionEntry(entry: entry, descriptor: $0) : nil
      }
    }.sorted { $0.entry.epoch > $1.entry.epoch }
  }
}

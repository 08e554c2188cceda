// A session's record and the list of nodes, as both were at one time. They are two answers: a node that comes back between
// them writes the record anew, and by the old one, beside the new list, the session would be lost (promise P10).

public import Wire

extension Registry {
  /// The list of nodes. If the session's owner is lost by it, the record has not changed while it was read.
  /// - Parameter record: as it was read before; afterwards as it is beside these nodes.
  /// - Throws: ``RegistryError``.
  public func nodes(
    beside record: inout SessionRecord?, of session: SessionID
  ) async throws -> [NodeEntry] {
    for _ in 0..<RegistryLimits.looks {
      let nodes = try await nodes()
      guard let known = record, known.state == .owned, known.isLost(among: nodes) else {
        return nodes
      }
      record = try await lookUp(session)
      if record?.isSameTenure(as: known) == true { return nodes }
    }
    throw RegistryError(.unavailable, "whose session \(session) is changes all the time; try again")
  }
}

extension SessionRecord {
  /// Whether it is of the same start of the same node, which has the session under the same epoch.
  fileprivate func isSameTenure(as other: SessionRecord) -> Bool {
    state == other.state && node == other.node && incarnation == other.incarnation
      && epoch == other.epoch
  }
}

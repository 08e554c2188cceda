// Which node a new session goes to: weighted rendezvous hashing (Thaler and Ravishankar 1998, with
// the logarithmic weights of Schindelhauer and Schomaker 2005) over the nodes that serve, fit and
// have room; of the best two the less loaded. A node that joins or leaves moves only its own share.
// Pure.

import Glibc
public import Wire

public struct Placement: Sendable {
  public struct Candidate: Sendable, Equatable {
    public var node: NodeID
    /// Rendezvous score; the highest wins. Over 0.
    public var score: Double
    /// Sessions it has, with those under way to it.
    public var load: Int
    /// The bound it must stay under.
    public var limit: Int
    /// Its share of the sessions, relative to others'.
    public var weight: Double
    /// Why it cannot take the session; nil if it can.
    public var obstacle: String?
    /// Only the number of its sessions stands in the way, and some may have ended since it told of them.
    public var isBusy = false
  }

  /// All nodes for this session, the preferred first; those with an obstacle last.
  /// - Parameter inFlight: sessions that this router has sent to a node since its last report.
  public static func rank(
    _ session: SessionID, nodes: [NodeEntry], inFlight: [NodeID: Int] = [:],
    requirements: [String: String] = [:]
  ) -> [Candidate] {
    let live = nodes.filter(\.takesNew)
    let weights = live.reduce(0.0) { $0 + max($1.record.weight, 0) }
    let total = live.reduce(0) { $0 + $1.record.sessions + (inFlight[$1.record.id] ?? 0) }
    let candidates = nodes.map { entry -> Candidate in
      let record = entry.record
      let load = record.sessions + (inFlight[record.id] ?? 0)
      let share = weights > 0 ? max(record.weight, 0) / weights : 0
      let limit = Int((RegistryLimits.placementSlack * (Double(total) * share + 1)).rounded(.up))
      let busy = busyness(record, load: load, limit: limit)
      let obstacle = obstacle(entry, requirements: requirements)
      return Candidate(
        node: record.id, score: score(session, record), load: load, limit: limit,
        weight: record.weight, obstacle: obstacle ?? busy, isBusy: obstacle == nil && busy != nil)
    }
    return candidates.sorted { a, b in
      if (a.obstacle == nil) != (b.obstacle == nil) { return a.obstacle == nil }
      return a.score > b.score
    }
  }

  /// The node for a new session, or nil when none can take it.
  public static func choose(
    _ session: SessionID, nodes: [NodeEntry], inFlight: [NodeID: Int] = [:],
    requirements: [String: String] = [:]
  ) -> NodeID? {
    choose(rank(session, nodes: nodes, inFlight: inFlight, requirements: requirements))?.node
  }

  /// The same, of the nodes as `rank` gave them.
  public static func choose(_ ranked: [Candidate]) -> Candidate? {
    let able = ranked.filter { $0.obstacle == nil }
    guard let first = able.first else { return nil }
    guard able.count > 1 else { return first }
    let second = able[1]
    // The second takes it only when the first is clearly busier: equal nodes keep their hash.
    let busier = Double(first.load) / max(first.weight, .leastNonzeroMagnitude)
    let freer = Double(second.load + 1) / max(second.weight, .leastNonzeroMagnitude)
    return busier > freer * RegistryLimits.placementSlack ? second : first
  }

  /// Who is to take over a session that its node has let go of, or died with: who is ready for it, unless that node is not
  /// to be had any more.
  /// - Parameter able: the nodes that live and take sessions.
  public static func successor(
    of session: SessionID, _ record: SessionRecord, among able: [NodeEntry]
  ) -> NodeID? {
    if let next = record.next, able.contains(where: { $0.record.id == next }) { return next }
    return record.reach.flatMap { choose(session, nodes: able, requirements: $0) }
  }

  /// The node that is asked where none has room, as far as is known: the least busy one. It knows best.
  public static func lastResort(_ ranked: [Candidate]) -> Candidate? {
    ranked.filter(\.isBusy).min { $0.load - $0.limit < $1.load - $1.limit }
  }

  /// Why none of the nodes can take the session, in words: the reasons of the first few.
  public static func obstacles(_ ranked: [Candidate]) -> String {
    guard !ranked.isEmpty else { return "no node is registered" }
    return ranked.prefix(RegistryLimits.obstaclesTold).map {
      "\($0.node): \($0.obstacle ?? "announces no address")"
    }
    .joined(separator: "; ")
  }

  /// −weight / ln(u), u in (0, 1) from the hash of session and node.
  private static func score(_ session: SessionID, _ record: NodeRecord) -> Double {
    let hash = StableHash.hash(session.rawValue, record.id.rawValue)
    let unit = (Double(hash >> 11) + 0.5) / Double(1 << 53)
    return max(record.weight, 0) / -log(unit)
  }

  private static func obstacle(
    _ entry: NodeEntry, requirements: [String: String]
  ) -> String? {
    if !entry.isLive { return "its lease has ended" }
    switch entry.wish {
    case .serve: break
    case .drain: return "draining"
    case .cordon: return "cordoned"
    }
    if entry.record.weight <= 0 { return "its weight is 0" }
    for (key, value) in requirements.sorted(by: { $0.key < $1.key })
    where entry.record.labels[key] != value {
      return "has no label \(key)=\(value)"
    }
    return nil
  }

  private static func busyness(_ record: NodeRecord, load: Int, limit: Int) -> String? {
    if load >= record.capacity { return "full (\(load) sessions)" }
    if load >= limit { return "above its share (\(load) sessions, at most \(limit))" }
    return nil
  }
}

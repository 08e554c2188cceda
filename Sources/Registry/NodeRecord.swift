// A node as it describes itself, and as the registry knows it.

public import Wire

/// The name of a node, chosen by its operator.
public struct NodeID: NameIdentifier {
  public let rawValue: String
  public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

public struct NodeAddress: Hashable, Sendable, Codable, CustomStringConvertible {
  public var host: String
  public var port: Int
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }
  /// Of a loop whose router is in the same process, and where nobody else gets to: `local:LOOP`.
  public static func inProcess(loop: Int) -> NodeAddress {
    NodeAddress(host: "local", port: loop)
  }
  public var isInProcess: Bool { host == "local" }
  /// Of `HOST:PORT`, with an address of IPv6 in brackets. Nil: it is no such text.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port)
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    self.init(host: String(host), port: port)
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// What a node says of itself at each heartbeat.
public struct NodeRecord: Hashable, Sendable, Codable {
  public var id: NodeID
  public var incarnation: Incarnation
  /// Where links are accepted, one address per event loop, in loop order.
  public var loops: [NodeAddress]
  public var labels: [String: String]
  /// Share of the sessions relative to other nodes'; over 0.
  public var weight: Double
  /// Sessions it will hold at most.
  public var capacity: Int
  /// Sessions it holds now.
  public var sessions: Int
  public var version: String
  /// The holder that it has, whose sessions outlive it (``HolderName``); nil: none.
  public var holder: String?
  /// It has said of every session of its earlier incarnations that it has it, or that it is lost.
  public var hasRestored: Bool?

  public init(
    id: NodeID, incarnation: Incarnation, loops: [NodeAddress], labels: [String: String] = [:],
    weight: Double = 1, capacity: Int, sessions: Int = 0, version: String = "",
    holder: String? = nil, hasRestored: Bool? = nil
  ) {
    self.id = id
    self.incarnation = incarnation
    self.loops = loops
    self.labels = labels
    self.weight = weight
    self.capacity = capacity
    self.sessions = sessions
    self.version = version
    self.holder = holder
    self.hasRestored = hasRestored
  }
}

extension NodeRecord {
  /// The record with its numbers brought within bounds, so that one node's mistake harms no calculation with all of
  /// them.
  var bounded: NodeRecord {
    var record = self
    record.weight = min(
      max(weight, Double(RegistryLimits.weights.lowerBound)),
      Double(RegistryLimits.weights.upperBound))
    record.capacity = min(
      max(capacity, RegistryLimits.counts.lowerBound), RegistryLimits.counts.upperBound)
    record.sessions = min(
      max(sessions, RegistryLimits.counts.lowerBound), RegistryLimits.counts.upperBound)
    record.holder = HolderName.checked(holder)
    return record
  }
}

/// What an operator wishes of a node, in the registry's words.
public enum NodeWish: String, Sendable, Codable {
  /// It takes new sessions.
  case serve = "0"
  /// No new sessions, and its own move where they can.
  case drain = "1"
  /// No new sessions, and its own stay.
  case cordon = "2"
}

/// A node as the registry knows it.
public struct NodeEntry: Hashable, Sendable {
  public var record: NodeRecord
  /// The operator's.
  public var wish: NodeWish
  /// Milliseconds until its lease ends, by the registry's clock; negative: it has ended.
  public var leaseMilliseconds: Int

  public init(record: NodeRecord, wish: NodeWish = .serve, leaseMilliseconds: Int) {
    self.record = record
    self.wish = wish
    self.leaseMilliseconds = leaseMilliseconds
  }

  /// An entry as it was read, with numbers of any size.
  /// - Parameters:
  ///   - deadline: the lease's end, in milliseconds by the registry's clock.
  ///   - now: the time of that clock.
  init(read record: NodeRecord, wish: NodeWish, deadline: Int, now: Int) {
    let (left, overflow) = deadline.subtractingReportingOverflow(now)
    self.init(
      record: record.bounded, wish: wish,
      leaseMilliseconds: overflow ? (deadline < 0 ? .min : .max) : left)
  }

  /// Its lease lives: new sessions may go there.
  public var isLive: Bool { leaseMilliseconds > 0 }
  public var isDraining: Bool { wish == .drain }
  /// Nobody has taken it out of placement.
  public var takesNew: Bool { isLive && wish == .serve }
  /// Its lease ended so long ago that what it owned counts as lost.
  public var isDead: Bool { leaseMilliseconds <= -Lease.patience }
}

// The JSON that the HTTP API answers with, shared by the server and the client.

public import Registry
public import Wire

public struct VersionAnswer: Sendable, Equatable, Codable {
  public var version: String
  /// WebSocket subprotocols spoken.
  public var protocols: [String]
  public init(version: String, protocols: [String] = ["fairlead.v1"]) {
    self.version = version
    self.protocols = protocols
  }
}

/// A node as an operator sees it.
public struct NodeView: Sendable, Equatable, Codable {
  public enum State: String, Sendable, Codable {
    /// Takes new sessions.
    case live
    /// Takes no new sessions, and its own move where they can.
    case draining
    /// Takes no new sessions, and keeps its own.
    case cordoned
    /// Its lease has ended: it may come back.
    case silent
    /// Silent for so long that its sessions count as lost, or are what its holder keeps.
    case dead
  }
  public var id: NodeID
  public var state: State
  /// Where its links are accepted, one per event loop.
  public var loops: [String]
  public var labels: [String: String]
  public var weight: Double
  public var capacity: Int
  public var sessions: Int
  public var version: String
  public var incarnation: Incarnation
  /// The holder that it has, whose sessions outlive it; absent: none.
  public var holder: String?
  /// Milliseconds until its lease ends; negative: since it ended.
  public var lease: Int
  /// How the router that answers gets on with it: `ok`, or what is wrong; absent: it has not tried.
  public var link: String?

  public init(_ entry: NodeEntry, link: String? = nil) {
    self.link = link
    let record = entry.record
    id = record.id
    state = State(entry)
    loops = record.loops.map(\.description)
    labels = record.labels
    weight = record.weight
    capacity = record.capacity
    sessions = record.sessions
    version = record.version
    incarnation = record.incarnation
    holder = record.holder
    lease = entry.leaseMilliseconds
  }
}

extension NodeView.State {
  fileprivate init(_ entry: NodeEntry) {
    if entry.isDead {
      self = .dead
    } else if !entry.isLive {
      self = .silent
    } else {
      switch entry.wish {
      case .serve: self = .live
      case .drain: self = .draining
      case .cordon: self = .cordoned
      }
    }
  }
}

/// Why the registry did not answer, where something is answered all the same.
public struct RegistryGap: Sendable, Equatable, Codable {
  public var reason: String
  /// Milliseconds since the list of nodes was read on which the answer stands.
  public var age: Int
  public init(reason: String, age: Int) {
    self.reason = reason
    self.age = age
  }
}

/// The nodes, as the registry has them, or as they were last heard of.
public struct NodeList: Sendable {
  public var nodes: [NodeEntry]
  /// Nil: the registry has answered.
  public var gap: RegistryGap?
  public init(nodes: [NodeEntry], gap: RegistryGap? = nil) {
    self.nodes = nodes
    self.gap = gap
  }
}

extension NodeEntry {
  /// The node as a view told of it. Nil: its addresses are none.
  public init?(_ view: NodeView) {
    let loops = view.loops.compactMap { NodeAddress($0) }
    guard loops.count == view.loops.count else { return nil }
    self.init(
      record: NodeRecord(
        id: view.id, incarnation: view.incarnation, loops: loops, labels: view.labels,
        weight: view.weight, capacity: view.capacity, sessions: view.sessions,
        version: view.version, holder: view.holder),
      wish: view.state == .draining ? .drain : view.state == .cordoned ? .cordon : .serve,
      leaseMilliseconds: view.lease)
  }
}

public struct NodesAnswer: Sendable, Codable {
  public var nodes: [NodeView]
  /// The registry does not answer, and this is what the router has last heard; absent: it does.
  public var registry: RegistryGap?
  public init(nodes: [NodeView], registry: RegistryGap? = nil) {
    self.nodes = nodes
    self.registry = registry
  }
}

/// What is wished of a node from now on.
public struct WishAnswer: Sendable, Codable {
  public var node: NodeID
  public var draining: Bool
  public var cordoned: Bool
  /// The registry does not answer, and the router tells it once it does; absent: it was told.
  public var pending: Bool?

  public init(node: NodeID, _ wish: NodeWish, isPending: Bool) {
    self.node = node
    draining = wish == .drain
    cordoned = wish == .cordon
    pending = isPending ? true : nil
  }
}

public struct EventsAnswer: Sendable, Codable {
  /// The oldest first; at most a thousand.
  public var events: [ListedEvent]
  public init(events: [ListedEvent]) { self.events = events }
}

public struct TicketAnswer: Codable {
  public var ticket: String
  public init(ticket: String) { self.ticket = ticket }
}

/// How every failure is told: `{"error":{"code":"not_found","message":"…"}}`; 409 and 410 say in the same
/// object what is known of the session.
public struct ErrorAnswer: Codable {
  public struct Problem: Codable {
    public var code: String
    public var message: String
    /// In the same object.
    public var facts: SessionFacts?

    private enum CodingKeys: String, CodingKey { case code, message }

    public init(code: String, message: String, facts: SessionFacts? = nil) {
      self.code = code
      self.message = message
      self.facts = facts
    }

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      code = try container.decode(String.self, forKey: .code)
      message = try container.decode(String.self, forKey: .message)
      facts = try? SessionFacts(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
      try facts?.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(code, forKey: .code)
      try container.encode(message, forKey: .message)
    }
  }
  public var error: Problem
  public init(error: Problem) { self.error = error }
}

/// Lines of the scrollback: a number of them, or `all`.
public func scrollbackLines(_ text: String) -> UInt32? { text == "all" ? .max : UInt32(text) }

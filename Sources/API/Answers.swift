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
    /// Keeps its sessions and takes no new ones.
    case draining
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
    state =
      entry.isDead ? .dead : !entry.isLive ? .silent : entry.isDraining ? .draining : .live
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

public struct NodesAnswer: Codable {
  public var nodes: [NodeView]
  public init(nodes: [NodeView]) { self.nodes = nodes }
}

public struct DrainAnswer: Codable {
  public var node: NodeID
  public var draining: Bool
  public init(node: NodeID, draining: Bool) {
    self.node = node
    self.draining = draining
  }
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

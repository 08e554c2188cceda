// Which sessions a list is to have, as a query of the HTTP API says it. Read by the server, written by the client. Pure.

public import Registry
public import Wire

/// Of a list of sessions, those of which all of this holds.
public struct SessionFilter: Sendable, Equatable {
  public var node: NodeID?
  /// The subject that created it.
  public var creator: String?
  public var states: [SessionState] = []
  /// Milliseconds that it has been unused, without a driver; 0: any.
  public var idle: UInt64 = 0
  /// A target, or a kind of targets: `docker` means all of `docker:…`.
  public var target: String?
  /// Labels that its node has.
  public var labels: [String: String] = [:]

  public static let parameters = ["node", "user", "state", "idle", "target", "label"]
  private static let knownStates: [SessionState] = [
    .running, .ended, .held, .waiting, .lost, .unreachable,
  ]

  public init(node: NodeID? = nil, idle: UInt64 = 0) {
    self.node = node
    self.idle = idle
  }

  /// - Parameter value: of a parameter of the query.
  /// - Throws: ``OperationError`` for a value that means nothing.
  public init(query value: (String) -> String?) throws {
    self.init()
    if let text = value("node") {
      node = NodeID(text)
      guard node != nil else { throw OperationError(.badRequest, "node is not a node's name") }
    }
    creator = value("user")
    if let text = value("state") {
      states = text.split(separator: ",").map { SessionState(rawValue: String($0)) }
      guard !states.isEmpty, states.allSatisfy(Self.knownStates.contains) else {
        let known = Self.knownStates.map(\.rawValue).joined(separator: ", ")
        throw OperationError(.badRequest, "state is one or several, with commas, of \(known)")
      }
    }
    if let text = value("idle") {
      guard let time = milliseconds(text) else {
        throw OperationError(.badRequest, "idle is a time such as 90s, 15m, 2h or 1d")
      }
      idle = time
    }
    target = value("target")
    for part in value("label")?.split(separator: ",") ?? [] {
      guard let equals = part.firstIndex(of: "="), equals != part.startIndex else {
        throw OperationError(.badRequest, "label is KEY=VALUE, or several with commas")
      }
      labels[String(part[..<equals])] = String(part[part.index(after: equals)...])
    }
  }

  /// The parameters that say it, in order.
  public var query: [(name: String, value: String)] {
    var parts: [(name: String, value: String)] = []
    if let node { parts.append(("node", node.rawValue)) }
    if let creator { parts.append(("user", creator)) }
    if !states.isEmpty {
      parts.append(("state", states.map(\.rawValue).joined(separator: ",")))
    }
    if idle > 0 { parts.append(("idle", "\((idle + 999) / 1_000)s")) }
    if let target { parts.append(("target", target)) }
    if !labels.isEmpty {
      parts.append(("label", labelTexts(labels).joined(separator: ",")))
    }
    return parts
  }

  /// - Parameter nodes: the names of those that have the labels; nil: none were asked for.
  public func takes(_ session: SessionSummary, onNodes nodes: Set<String>?) -> Bool {
    if let node, session.node != node.rawValue { return false }
    if let creator, session.creator != creator { return false }
    if !states.isEmpty, !states.contains(session.state) { return false }
    if let target, session.target != target, !session.target.hasPrefix(target + ":") {
      return false
    }
    if let nodes, !nodes.contains(session.node) { return false }
    // Where somebody is who may type, it is in use, however long nothing has moved.
    return idle == 0
      || (session.idle >= idle && !session.viewers.contains { $0.mode == .driver })
  }

  public func has(_ node: NodeRecord) -> Bool {
    labels.allSatisfy { node.labels[$0.key] == $0.value }
  }
}

/// `KEY=VALUE` of each, in order.
public func labelTexts(_ labels: [String: String]) -> [String] {
  labels.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
}

/// Milliseconds of `90s`, `15m`, `2h`, `1d`, or of a plain number of seconds.
public func milliseconds(_ text: String) -> UInt64? {
  let units: [Character: UInt64] = ["s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
  let unit = text.last.flatMap { units[$0] }
  let digits = unit == nil ? text[...] : text.dropLast()
  guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
    let count = UInt64(digits), count <= QueryLimits.timeCount
  else { return nil }
  return count * (unit ?? 1_000)
}

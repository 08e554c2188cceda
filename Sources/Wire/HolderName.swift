// What holds a session's terminal, as records and answers name it.

/// A holder's name. On a node's machine the start of that machine and its own identity, such as `BOOT-ID/IDENTITY`: each
/// start of either has another, so that while a node has the same, its sessions may live. In a container
/// `container:ENGINE/ID`, and behind another slash the user, if it is not the container's own. Which nodes reach it
/// their labels say.
public enum HolderName {
  /// 1 to 300 visible characters of ASCII.
  public static func isValid(_ name: String) -> Bool {
    let bytes = name.utf8
    return (1...WireLimits.holderName).contains(bytes.count)
      && bytes.allSatisfy { (0x21...0x7e).contains($0) }
  }

  /// Nil for one that is not valid: what would make a record unreadable is not written.
  public static func checked(_ name: String?) -> String? {
    name.flatMap { isValid($0) ? $0 : nil }
  }

  // MARK: In a container

  public struct Container: Equatable, Sendable {
    public var engine: String
    /// The container's id; in a record of a session that has yet to start, its name.
    public var name: String
    /// Nil: the container's own.
    public var user: String?

    public init(engine: String, name: String, user: String?) {
      self.engine = engine
      self.name = name
      self.user = user
    }

    /// Whether the name is a container's id, which never comes to mean another one.
    public var isNamedByID: Bool {
      name.utf8.count == 64
        && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    public var holder: String {
      "\(HolderName.kind)\(engine)/\(name)" + (user.map { "/\($0)" } ?? "")
    }

    /// Nil: it is on a node's machine.
    public init?(_ holder: String) {
      guard holder.hasPrefix(HolderName.kind) else { return nil }
      let parts = holder.dropFirst(HolderName.kind.count).split(separator: "/", maxSplits: 2)
      guard parts.count >= 2 else { return nil }
      engine = String(parts[0])
      name = String(parts[1])
      user = parts.count > 2 ? String(parts[2]) : nil
    }
  }

  private static let kind = "container:"

  // MARK: Who reaches it

  /// The label by which a node says which engine it reaches.
  public static let engineLabel = "engine"

  /// The label, and its value, of the nodes that reach this holder: its container's engine; or the holder itself, on this
  /// start of its machine. Nil: no name of a holder.
  public static func label(of holder: String) -> (key: String, value: String)? {
    if let container = Container(holder) { return (engineLabel, container.engine) }
    guard let slash = holder.lastIndex(of: "/") else { return nil }
    return ("holder.\(holder[holder.index(after: slash)...])", String(holder[..<slash]))
  }

  /// Whether a node with these labels reaches it.
  public static func isReached(_ holder: String, by labels: [String: String]) -> Bool {
    label(of: holder).map { labels[$0.key] == $0.value } ?? false
  }
}

// Holders that did not say what they keep: whether a session lives that one of them may have, nobody knows yet.

import Wire

public struct SilentHolders: Sendable, Hashable {
  /// One of the node's own on its machine is among them.
  public var areOnMachine: Bool
  /// An engine is silent, or a part of it: any container may keep something.
  public var areAnywhere: Bool
  /// In containers, by their ids.
  public var containers: Set<String>
  /// Those of other nodes of the machine (``HolderName``).
  public var siblings: Set<String>

  public init(
    areOnMachine: Bool = false, areAnywhere: Bool = false, containers: Set<String> = [],
    siblings: Set<String> = []
  ) {
    self.areOnMachine = areOnMachine
    self.areAnywhere = areAnywhere
    self.containers = containers
    self.siblings = siblings
  }

  public static var all: SilentHolders { SilentHolders(areOnMachine: true, areAnywhere: true) }

  public var isEmpty: Bool {
    !areOnMachine && !areAnywhere && containers.isEmpty && siblings.isEmpty
  }

  public func union(_ other: SilentHolders) -> SilentHolders {
    SilentHolders(
      areOnMachine: areOnMachine || other.areOnMachine,
      areAnywhere: areAnywhere || other.areAnywhere,
      containers: containers.union(other.containers), siblings: siblings.union(other.siblings))
  }

  /// Whether the holder of that name (``HolderName``) may be one of them. What has none is kept by nobody.
  public func mayInclude(_ holder: String?) -> Bool {
    guard let holder else { return false }
    guard let container = HolderName.Container(holder) else {
      return areOnMachine || siblings.contains(holder)
    }
    if areAnywhere || containers.contains(container.name) { return true }
    // A name may be any container's.
    return !containers.isEmpty && !container.isNamedByID
  }
}

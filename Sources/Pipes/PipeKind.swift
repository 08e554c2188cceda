// What a kind of pipes says of itself: how its targets are written, the options of the roles that start it, and
// what starts it. What a node makes of that: starters, and the labels by which routers find them.

public import Logging
public import TLS
public import Wire

public struct PipeKind: Sendable {
  public var target: TargetKind
  /// Of the roles that start pipes.
  public var options: [PipeOption]
  /// Whether each of its sessions takes one of this machine's pseudo-terminals.
  public var takesTerminal: Bool
  /// What is wrong with what was given of its options; nil: nothing is.
  public var problem: @Sendable (PipeOptions) -> String?
  /// Nil: its options do not ask for it.
  public var makeStarter: @Sendable (PipeSetup) throws -> (any PipeStarter)?

  public init(
    target: TargetKind, options: [PipeOption] = [], takesTerminal: Bool = false,
    problem: @Sendable @escaping (PipeOptions) -> String? = { _ in nil },
    makeStarter: @Sendable @escaping (PipeSetup) throws -> (any PipeStarter)?
  ) {
    self.target = target
    self.options = options
    self.takesTerminal = takesTerminal
    self.problem = problem
    self.makeStarter = makeStarter
  }
}

// MARK: Options

/// An option of one value: `--NAME VALUE` of the command line, or FAIRLEAD_NAME in the environment.
public struct PipeOption: Sendable {
  /// Without its dashes, such as `docker-ca`.
  public let name: String
  /// What its value is, in one word.
  public let value: String
  public let help: String

  public init(_ name: String, value: String, help: String) {
    self.name = name
    self.value = value
    self.help = help
  }
}

/// What was given of them.
public struct PipeOptions: Sendable {
  private var values: [String: String] = [:]

  public init() {}

  /// By its option's name; empty: not given.
  public subscript(name: String) -> String {
    get { values[name] ?? "" }
    set { values[name] = newValue }
  }

  /// Where one of two was given, and not the other.
  func differs(_ first: String, _ second: String) -> String? {
    self[first].isEmpty == self[second].isEmpty
      ? nil : "--\(first) and --\(second) belong together"
  }
}

// MARK: Starters

/// What starters are made from.
public struct PipeSetup: Sendable {
  public var options: PipeOptions
  /// The node's own.
  public var environment: [String: String]
  /// How many descriptors processes may have; nil: as many as this one.
  public var files: FileLimit?
  /// Names the node across its incarnations, within whatever it shares with other nodes.
  public var scope: String
  /// 32 bytes, known to the nodes that may have each other's sessions; nil: this one's are its own.
  public var key: [UInt8]?
  public var logger: Logger
  /// Where what is kept for this node is found again; nil: nothing is kept.
  var home: HolderHome?

  public init(
    options: PipeOptions = PipeOptions(), environment: [String: String] = [:],
    files: FileLimit? = nil, scope: String, key: [UInt8]? = nil, logger: Logger
  ) {
    self.options = options
    self.environment = environment
    self.files = files
    self.scope = scope
    self.key = key
    self.logger = logger
  }
}

/// What one node starts pipes with, by their kinds.
public struct PipeStarters: Sendable {
  private struct Entry {
    var kind: PipeKind
    var starter: any PipeStarter
    var name: String { kind.target.name }
  }

  private let entries: [Entry]

  public init(_ starters: [(PipeKind, any PipeStarter)]) {
    entries = starters.map { Entry(kind: $0, starter: $1) }
  }

  public var all: [any PipeStarter] { entries.map(\.starter) }

  public var names: [String] { entries.map(\.name) }

  /// Whether every session takes a pseudo-terminal of this machine.
  public var takeTerminalsOnly: Bool { entries.allSatisfy(\.kind.takesTerminal) }

  /// Those of all kinds.
  public var credentials: [TLSCredentials] { entries.compactMap(\.starter.credentials) }

  /// Nil: this node starts none there, or it is written as none of its kind.
  public func starter(for target: Target) -> (any PipeStarter)? {
    entries.first { $0.name == target.kind && $0.kind.target.isPlace(target.place) }?.starter
  }

  /// The labels of a node: those that it was given, and its kinds. A kind whose backend does not answer is not
  /// among them.
  public func labels(beside given: [String: String]) -> [String: String] {
    var labels = given
    for entry in entries {
      labels[entry.name] = entry.starter.isAvailable ? given[entry.name] ?? "true" : nil
      labels.merge(entry.starter.labels) { $1 }
    }
    return labels
  }
}

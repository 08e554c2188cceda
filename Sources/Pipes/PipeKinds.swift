// The one table of the kinds of pipes. A new kind is a folder beside this file, and a line here.

public import Wire

public struct PipeKinds: Sendable {
  public static let standard = PipeKinds([
    .pty,
    .docker,
  ])

  public let all: [PipeKind]

  public init(_ all: [PipeKind]) { self.all = all }

  /// How their targets are written.
  public var targets: TargetKinds { TargetKinds(all.map(\.target)) }

  /// Those that kinds share stand once.
  public var options: [PipeOption] {
    var names: Set<String> = []
    return all.flatMap(\.options).filter { names.insert($0.name).inserted }
  }

  /// What is wrong with what was given; nil: nothing is.
  public func problem(with options: PipeOptions) -> String? {
    all.lazy.compactMap { $0.problem(options) }.first
  }

  /// Those that a node is set up for.
  /// - Throws: what a kind's files are, or hold, that keeps it from starting anything.
  public func starters(_ setup: PipeSetup) throws -> PipeStarters {
    var setup = setup
    // One place for all kinds whose terminals can be held.
    if options.contains(where: { $0.name == PipeOption.holder.name }) {
      setup.home = try setup.openHome()
    }
    return PipeStarters(
      try all.compactMap { [setup] kind in try kind.makeStarter(setup).map { (kind, $0) } })
  }
}

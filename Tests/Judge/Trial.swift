// One session under trial: a process that prints and reads numbered streams, a driver that types at
// it, watchers that look, each over a connection of its own through whatever chaos lies between.

public import Client
import NIOCore
import Numbered
import TestSupport
public import Wire

public struct Trial: Sendable {
  public var url: String
  /// Decides everything that is not the network's or the scheduler's.
  public var seed: UInt64
  public var output: Int
  public var input: Int
  public var pace: Int
  public var watchers: Int
  /// Where the process runs.
  public var target = Target.pty
  /// Its session may be lost, if that is told.
  public var mayBeLost = false
  /// A trial that takes longer hangs: it lasts some ten seconds, and machines are busy.
  public var limit = Duration.seconds(300) * patience

  public init(
    url: String, seed: UInt64, output: Int = 400_000, input: Int = 40_000, pace: Int = 100_000,
    watchers: Int = 1
  ) {
    self.url = url
    self.seed = seed
    self.output = output
    self.input = input
    self.pace = pace
    self.watchers = watchers
  }

  /// The process under test; in a container it is at the same path.
  static let generator = Products.path("fairlead-generator")

  private var script: Script { Script(seed: seed, output: output, input: input, pace: pace) }

  /// Reconnects as fast as a test should: chaos cuts more often than any network.
  public static var delays: ReconnectDelays {
    var delays = ReconnectDelays()
    delays.first = .milliseconds(5)
    delays.last = .milliseconds(100)
    delays.good = .milliseconds(20)
    return delays
  }

  public func run() async -> Verdict {
    var verdict = Verdict()
    verdict.sessions = 1
    verdict.typed = input
    do {
      try await run(&verdict)
    } catch {
      verdict.differences.append("seed \(seed): \(error)")
    }
    return verdict
  }

  private func run(_ verdict: inout Verdict) async throws {
    let session = SessionID.random()
    let (first, started) = AsyncStream.makeStream(of: Void.self)
    try await withThrowingTaskGroup(of: Witness.self) { tasks in
      tasks.addTask { try await drive(session) { started.finish() } }
      for await _ in first {}
      for number in 0..<watchers {
        tasks.addTask { try await watch(session, number) }
      }
      for try await witness in tasks { verdict.add(witness, at: url) }
    }
  }

  private func drive(_ session: SessionID, onOutput: @Sendable @escaping () -> Void) async throws
    -> Witness
  {
    defer { onOutput() }
    let client = try TerminalClient(url: url, delays: Self.delays)
    let creation = Creation(target: target, command: [Self.generator] + script.arguments)
    var terminal: TerminalStream
    var witness: Witness
    var tries = 0
    repeat {
      tries += 1
      terminal = client.open(Open(session: session, create: creation, size: .standard))
      witness = try await drive(terminal, onOutput: onOutput)
      // As `fairlead new` does.
    } while witness.hasNotBegun && tries < 10
    if witness.hasNotBegun { witness.report("was lost \(tries) times before it began") }
    if !witness.isOver || witness.lost != nil { terminal.kill() }
    try await client.close()
    return witness
  }

  private func drive(_ terminal: TerminalStream, onOutput: @Sendable @escaping () -> Void)
    async throws -> Witness
  {
    var typing: Task<Void, any Error>?
    let name = "driver of seed \(seed)"
    let witness = try await observe(terminal, name, isDriver: true) { witness in
      guard typing == nil, witness.hasOutput else { return }
      onOutput()
      typing = Task { try await type(into: terminal) }
    }
    try? await typing?.value
    return witness
  }

  /// In pieces of all sizes, with pauses between some.
  private func type(into terminal: TerminalStream) async throws {
    var random = SeededGenerator(seed: seed ^ 0x7479_7065)
    var rest = script.typed[...]
    // Spread over the time that the output takes.
    let pause = Double(output) / Double(pace) / 60
    while !rest.isEmpty {
      let most = [1, 20, 3_000, 20_000].randomElement(using: &random) ?? 1
      let piece = rest.prefix(Int.random(in: 1...most, using: &random))
      rest = rest.dropFirst(piece.count)
      try await terminal.type(ByteBuffer(bytes: piece))
      if random.chance(0.5) {
        try await Task.sleep(for: .seconds(Double.random(in: 0...pause, using: &random)))
      }
    }
  }

  private func watch(_ session: SessionID, _ number: Int) async throws -> Witness {
    let client = try TerminalClient(url: url, delays: Self.delays)
    let terminal = client.open(Open(session: session, size: .standard, mode: .watcher))
    // Every second one reads slowly: it must be caught up, and hold nobody.
    let witness = try await observe(
      terminal, "watcher \(number) of seed \(seed)", slowness: number % 2 == 0 ? 0 : 20
    ) { _ in }
    try await client.close()
    return witness
  }

  /// Takes the stream's events to its end, or until the trial has lasted too long.
  private func observe(
    _ terminal: TerminalStream, _ name: String, isDriver: Bool = false, slowness: Int = 0,
    _ each: (Witness) -> Void
  ) async throws -> Witness {
    var witness = Witness(name, of: script, isDriver: isDriver, mayBeLost: mayBeLost)
    let isLate = Task {
      try await Task.sleep(for: limit)
      terminal.close()
    }
    defer { isLate.cancel() }
    for await event in terminal.events {
      witness.take(event)
      each(witness)
      if witness.lost != nil { break }
      if slowness > 0 { try await Task.sleep(for: .milliseconds(slowness)) }
    }
    witness.giveUp()
    return witness
  }
}

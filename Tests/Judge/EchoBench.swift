// How long a keystroke takes to come back, quiet and beside a flood on the same link: a hundred typists
// and one stream that prints as fast as it can, through one router loop, one link and one node loop.

import Client
import NIOCore
import TestSupport
import Wire

public struct EchoTimes: Sendable {
  private var sorted: [Duration]

  init(_ times: [Duration]) { sorted = times.sorted() }

  public var count: Int { sorted.count }

  /// Milliseconds.
  public func percentile(_ share: Double) -> Double {
    guard !sorted.isEmpty else { return 0 }
    return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] / .milliseconds(1)
  }
}

public struct EchoBench: Sendable {
  public var url: String
  public var typists = 100
  public var time = Duration.seconds(5)

  public init(url: String) { self.url = url }

  /// Echo times quiet and beside the flood, and the flood's bytes per second.
  public func run() async throws -> (quiet: EchoTimes, flooded: EchoTimes, flood: Double) {
    let board = Board()
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
      for _ in 0..<typists { tasks.addTask { try await type(board) } }
      let quiet = try await measure(board)
      let source = "while :; do head -c 100000000 /dev/zero | tr '\\0' x; done"
      let flood = try Viewer(url, create: Creation(command: ["sh", "-c", source]))
      try await flood.until("the flood") { $0.shown > 1_000_000 }
      let (before, start) = (flood.seen.shown, ContinuousClock.now)
      let flooded = try await measure(board)
      let rate = Double(flood.seen.shown - before) / ((ContinuousClock.now - start) / .seconds(1))
      flood.terminal.kill()
      await board.set(.over)
      try await tasks.waitForAll()
      try await flood.until("its end") { $0.ended != nil }
      return (quiet, flooded, rate)
    }
  }

  private func measure(_ board: Board) async throws -> EchoTimes {
    try await eventually("all are there") { await board.ready == typists }
    await board.set(.measuring)
    try await Task.sleep(for: time)
    await board.set(.waiting)
    return await board.take()
  }

  /// What typists and bench tell each other.
  private actor Board {
    enum Phase { case waiting, measuring, over }
    private(set) var phase = Phase.waiting
    private(set) var ready = 0
    private var times: [Duration] = []
    func arrive() { ready += 1 }
    func set(_ phase: Phase) { self.phase = phase }
    func note(_ time: Duration) { if phase == .measuring { times.append(time) } }
    func take() -> EchoTimes {
      defer { times = [] }
      return EchoTimes(times)
    }
  }

  /// Types a key about every 50 ms at a process that sends it back.
  private func type(_ board: Board) async throws {
    let client = try TerminalClient(url: url)
    let command = ["sh", "-c", "stty raw -echo; printf ready; exec cat"]
    let terminal = client.open(
      Open(session: nil, create: Creation(command: command), size: .standard))
    var events = terminal.events.makeAsyncIterator()
    func receive(_ count: Int) async throws {
      var seen = 0
      while seen < count {
        guard let event = await events.next() else { throw ChildError("a typist's stream ended") }
        if case .output(_, let bytes) = event { seen += bytes.readableBytes }
      }
    }
    try await receive(5)
    await board.arrive()
    while await board.phase != .over {
      try await Task.sleep(for: .milliseconds(Int.random(in: 20...80)))
      let start = ContinuousClock.now
      terminal.post(ByteBuffer(string: "k"))
      try await receive(1)
      await board.note(ContinuousClock.now - start)
    }
    terminal.kill()
    try await client.close()
  }
}

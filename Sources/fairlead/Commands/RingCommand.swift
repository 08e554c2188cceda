// `fairlead ring`: which share of new names each node gets by its hash, and what a change would do to that.

import API
import ArgumentParser
import Registry
import Wire

struct RingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ring",
    abstract: "Say which share of new sessions each node gets, and what a change would change.",
    discussion: """
      Tries many names on the nodes as they are, all of them empty: how full they are makes a difference only where \
      one is much fuller than its share. With --simulate, says of how many names the place would be another. Sessions \
      that exist stay where they are.

        fairlead ring
        fairlead ring --simulate add=c              (a node more)
        fairlead ring --simulate remove=a --simulate weight=b:2
      """)

  @Option(
    help: ArgumentHelp(
      "add=NODE or add=NODE:WEIGHT, remove=NODE, weight=NODE:WEIGHT; may be given again.",
      valueName: "change"))
  var simulate: [RingChange] = []

  @Option(help: ArgumentHelp("How many names are tried.", valueName: "n"))
  var samples = 10_000

  @OptionGroup var list: ListOptions
  @OptionGroup var inquiry: Inquiry

  func validate() throws {
    guard CommandLimits.ringSamples.contains(samples) else {
      throw ValidationError(
        "--samples is \(CommandLimits.ringSamples.lowerBound) to \(CommandLimits.ringSamples.upperBound)"
      )
    }
    try list.check(RingShare.columns(isSimulated: true))
  }

  func run() async throws {
    try await list.watch.run {
      let found = try await inquiry.nodes()
      let before = found.answer.compactMap { NodeEntry($0) }
      var after = before
      for change in simulate { try change.apply(to: &after) }
      let ring = Ring(before, after, samples: samples)
      var text = try list.text(
        of: ring.shares, RingShare.columns(isSimulated: !simulate.isEmpty), name: \.node.rawValue)
      if !simulate.isEmpty, list.output.isTable {
        text += "\n\n\(RingShare.percent(ring.moved)) of new names would be placed elsewhere"
      }
      return Shown(text: text, gaps: found.gaps)
    }
  }
}

/// A change of the nodes that is tried.
enum RingChange: Formed, Equatable {
  case add(NodeID, weight: Double)
  case remove(NodeID)
  case weight(NodeID, Double)

  static let form = "a change is add=NODE, add=NODE:WEIGHT, remove=NODE or weight=NODE:WEIGHT"

  init?(formed text: String) {
    let parts = text.split(separator: "=", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    let words = parts[1].split(separator: ":", maxSplits: 1)
    guard let node = words.first.flatMap({ NodeID(String($0)) }) else { return nil }
    var weight: Double?
    if words.count == 2 {
      guard let number = Double(words[1]), number > 0, number <= 1_000 else { return nil }
      weight = number
    }
    switch (parts[0], weight) {
    case ("add", _): self = .add(node, weight: weight ?? 1)
    case ("remove", nil): self = .remove(node)
    case ("weight", let weight?): self = .weight(node, weight)
    default: return nil
    }
  }

  func apply(to nodes: inout [NodeEntry]) throws {
    func place(_ node: NodeID) throws -> Int {
      guard let place = nodes.firstIndex(where: { $0.record.id == node }) else {
        throw ValidationError("--simulate: there is no node \(node)")
      }
      return place
    }
    switch self {
    case .add(let node, let weight):
      guard !nodes.contains(where: { $0.record.id == node }) else {
        throw ValidationError("--simulate: there is a node \(node) already")
      }
      let record = NodeRecord(
        id: node, incarnation: Incarnation(rawValue: 1), loops: [], weight: weight,
        capacity: Int.max)
      nodes.append(NodeEntry(record: record, leaseMilliseconds: Lease.length))
    case .remove(let node): nodes.remove(at: try place(node))
    case .weight(let node, let weight): nodes[try place(node)].record.weight = weight
    }
  }
}

struct RingShare: Codable {
  var node: NodeID
  var weight: Double
  /// Of all names, 0 to 1.
  var share: Double
  /// With the changes.
  var after: Double

  static func percent(_ share: Double) -> String { "\((share * 1_000).rounded() / 10)%" }

  static func columns(isSimulated: Bool) -> [Column<RingShare>] {
    let now: [Column<RingShare>] = [
      .text("NODE") { $0.node.rawValue },
      .number("WEIGHT") { ($0.weight, "\($0.weight)") },
      .number("SHARE") { ($0.share, percent($0.share)) },
    ]
    return isSimulated ? now + [.number("AFTER") { ($0.after, percent($0.after)) }] : now
  }
}

/// Where names are placed before and after a change. Pure.
struct Ring {
  private(set) var shares: [RingShare] = []
  /// Of all names, those that are placed elsewhere: 0 to 1.
  private(set) var moved = 0.0

  init(_ before: [NodeEntry], _ after: [NodeEntry], samples: Int) {
    let (before, after) = (before.map(Self.emptied), after.map(Self.emptied))
    var counts: [NodeID: (before: Int, after: Int)] = [:]
    var elsewhere = 0
    for number in 0..<samples {
      let name = SessionID(unchecked: "sample-\(number)")
      let first = Placement.choose(name, nodes: before)
      let second = Placement.choose(name, nodes: after)
      if let first { counts[first, default: (0, 0)].before += 1 }
      if let second { counts[second, default: (0, 0)].after += 1 }
      if first != second { elsewhere += 1 }
    }
    moved = Double(elsewhere) / Double(max(1, samples))
    let all = Dictionary((before + after).map { ($0.record.id, $0.record.weight) }) { $1 }
    shares = all.sorted { $0.key.rawValue < $1.key.rawValue }.map { node, weight in
      let count = counts[node] ?? (0, 0)
      return RingShare(
        node: node, weight: weight, share: Double(count.before) / Double(max(1, samples)),
        after: Double(count.after) / Double(max(1, samples)))
    }
  }

  private static func emptied(_ entry: NodeEntry) -> NodeEntry {
    var entry = entry
    entry.record.sessions = 0
    return entry
  }
}

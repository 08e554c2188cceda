// `fairlead drain NODE`: before maintenance, a node gets no new sessions, and hands over what others can have.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct DrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain",
    abstract: "Empty a node: no new sessions, and its old ones move where that can be.",
    discussion: """
      A session that a holder has (--holder of `fairlead node`) moves to another node that reaches that, once it is \
      ready for it; until then it is served where it is. In a container that is a node that has its engine and knows the \
      same cluster key; on the node's own machine one beside it (--takeover), and where there is none, it goes on when \
      the node is started again there. One without a holder ends with the node.

        fairlead drain a
        fairlead drain a --wait --deadline 10m   (until all that can move is served again; then the node may be stopped)
        fairlead sessions --node a               (what it still has)
        fairlead drain a --undo
      """)

  @Argument(help: "The node's id, as in fairlead nodes.")
  var node: NodeID

  @Flag(help: "Send it new sessions again.")
  var undo = false

  @Flag(help: "Wait until all that can move is served by other nodes, and say what stays.")
  var wait = false

  @Option(help: "With --wait: for so long at most, such as 10m; then the exit code is 1.")
  var deadline: TimeOption?

  @OptionGroup var inquiry: Inquiry

  func validate() throws {
    if undo, wait { throw ValidationError("--wait does not go with --undo: nothing moves then") }
    if deadline != nil, !wait { throw ValidationError("--deadline goes with --wait") }
  }

  func run() async throws {
    try await inquiry.tell(undo ? .serve : .drain, of: node)
    say(
      undo
        ? "node \(node) takes new sessions"
        : "node \(node) is draining, also after a restart, until: fairlead drain \(node) --undo")
    if wait { try await waitUntilLeft() }
  }

  private func waitUntilLeft() async throws {
    let end = deadline.map { ContinuousClock.now + .seconds($0.seconds) }
    var told: Left?
    var moving: Set<SessionID> = []
    while true {
      let nodes = try await inquiry.nodes().answer
      var left = Left(
        try await inquiry.ask { try await $0.sessions(node: node) }.answer,
        beside: nodes.filter { $0.id != node && $0.state == .live }.map(\.labels))
      moving.formUnion(left.moving)
      if left.moving.isEmpty, !moving.isEmpty {
        // Other nodes have them, and may be about to serve them.
        let all = try await inquiry.ask { try await $0.sessions() }.answer
        left.add(all.filter { moving.contains($0.session) })
      }
      if left.moving.isEmpty { return say(left.farewell(of: node)) }
      if left != told {
        complain(left.progress(from: node))
        told = left
      }
      if let end, ContinuousClock.now >= end {
        complain(
          "not moved in time: \(left.moving.count) (\(examples(of: left.moving, atMost: 3))): see that another node "
            + "lives that has their Docker engine, which answers, and the same --cluster-key-file, or on their machine "
            + "the same --takeover, and is not drained itself"
        )
        throw ExitCode.failure
      }
      try await Task.sleep(for: CommandLimits.drainInterval)
    }
  }
}

extension Inquiry {
  /// Says what an operator wishes of a node.
  fileprivate func tell(_ wish: NodeWish, of node: NodeID) async throws {
    let isTold = try await ask { try await $0.setWish(node, wish) }.answer
    guard !isTold else { return }
    complain(
      "Redis does not answer: the router that was asked tells it once it does, while that router runs; until then no "
        + "session is created anywhere, and none moves")
    throw ExitCode.failure
  }
}

struct CordonCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cordon",
    abstract: "Let a node keep its sessions, and send it no new ones.",
    discussion: """
      What `fairlead drain` does, but that no session moves. It holds also after a restart of the node.

        fairlead cordon a
        fairlead uncordon a
      """)

  @Argument(help: "The node's id, as in fairlead nodes.")
  var node: NodeID

  @OptionGroup var inquiry: Inquiry

  func run() async throws {
    try await inquiry.tell(.cordon, of: node)
    say("node \(node) takes no new sessions, until: fairlead uncordon \(node)")
  }
}

struct UncordonCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "uncordon",
    abstract: "Send a cordoned or drained node new sessions again.",
    discussion: """
        fairlead uncordon a
      """)

  @Argument(help: "The node's id, as in fairlead nodes.")
  var node: NodeID

  @OptionGroup var inquiry: Inquiry

  func run() async throws {
    try await inquiry.tell(.serve, of: node)
    say("node \(node) takes new sessions")
  }
}

/// What a node that is drained still has.
private struct Left: Equatable {
  /// Held where other nodes reach it: in containers, and on its machine if there is one beside it.
  var moving: [SessionID] = []
  /// How many of these it has let go of, and no other node has yet.
  var waiting = 0
  /// Held on its machine.
  var staying = 0
  /// Held by nothing.
  var ending: [SessionID] = []

  /// Adds those that other nodes have by now, and do not serve yet.
  mutating func add(_ sessions: [SessionSummary]) {
    for session in sessions where session.state == .waiting {
      moving.append(session.session)
      waiting += 1
    }
  }

  /// - Parameter others: the labels of the nodes that live and take sessions.
  init(_ sessions: [SessionSummary], beside others: [[String: String]]) {
    for session in sessions where session.state != .ended {
      guard let holder = session.holder else {
        ending.append(session.session)
        continue
      }
      if HolderName.Container(holder) == nil,
        !others.contains(where: { HolderName.isReached(holder, by: $0) })
      {
        staying += 1
      } else {
        moving.append(session.session)
        if session.state == .waiting { waiting += 1 }
      }
    }
  }

  func progress(from node: NodeID) -> String {
    let count = moving.count
    let words = "\(count) session\(count == 1 ? " is" : "s are") still to move from node \(node)"
    guard waiting > 0 else { return words }
    return words + ", of which \(waiting) \(waiting == 1 ? "waits" : "wait") for the next node"
  }

  func farewell(of node: NodeID) -> String {
    var parts: [String] = []
    if staying > 0 {
      parts.append(
        "\(staying) held on its machine, which \(staying == 1 ? "goes" : "go") on when it is started again there"
      )
    }
    if !ending.isEmpty {
      parts.append(
        "\(ending.count) that \(ending.count == 1 ? "ends" : "end") with it, since nothing holds "
          + "\(ending.count == 1 ? "it" : "them") (\(examples(of: ending, atMost: 3)))")
    }
    return parts.isEmpty
      ? "node \(node) has no sessions left: it may be stopped"
      : "nothing is left on node \(node) that can move: \(parts.joined(separator: "; "))"
  }
}

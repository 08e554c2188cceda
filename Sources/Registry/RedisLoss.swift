// What is done about records that Redis has lost: it was emptied, came back from an older dump, or threw them
// away since its memory was full. A node says again what it holds, and until every node that lives has done
// so, what is unknown is neither said to be gone nor created (promise P4).

import Redis
public import Wire

/// What tells that a Redis may have lost records.
struct RedisCondition: Sendable, Equatable {
  /// Which process it is: another one may know less.
  var run: String
  /// How many keys it has thrown away. A number, but only compared.
  var evicted: String

  /// Nil if the answers to INFO do not say it.
  init?(server: String, stats: String) {
    guard let run = RedisInfo.value(of: "run_id", in: server),
      let evicted = RedisInfo.value(of: "evicted_keys", in: stats)
    else { return nil }
    self.run = run
    self.evicted = evicted
  }
}

extension RedisRegistry {
  /// Nil where this Redis does not say it, or not to us.
  func condition() async throws -> RedisCondition? {
    async let first = info("server")
    async let second = info("stats")
    guard let server = try await first, let stats = try await second else { return nil }
    return RedisCondition(server: server, stats: stats)
  }

  func info(_ section: String) async throws -> String? {
    do {
      return try await send(["INFO", section]).string
    } catch let error as RegistryError where !error.code.passes {
      // Some do not let everybody ask for INFO.
      return nil
    }
  }

  public func warnings() async throws -> [String] {
    guard try await condition() != nil, let memory = try await info("memory") else {
      return [
        "Redis does not answer INFO to this user: when it is restarted or evicts keys, lost records are "
          + "noticed only within a minute; allow INFO"
      ]
    }
    guard let policy = RedisInfo.value(of: "maxmemory_policy", in: memory),
      policy != "noeviction", RedisInfo.value(of: "maxmemory", in: memory) != "0"
    else { return [] }
    return [
      "Redis may throw away records of sessions when its memory is full (maxmemory-policy \(policy)): new "
        + "sessions then wait for all nodes to announce theirs again; set maxmemory-policy to noeviction"
    ]
  }

  // MARK: What a node holds

  public func announce(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement {
    let announcement = try await confirm(sessions, node: node, incarnation: incarnation)
    let superseded = Set(announcement.superseded)
    var rest = sessions.keys.filter { !superseded.contains($0) }[...]
    while !rest.isEmpty {
      try await list(
        Array(rest.prefix(Lease.confirmedAtOnce.upperBound)), ownedBy: node, incarnation)
      rest = rest.dropFirst(Lease.confirmedAtOnce.upperBound)
    }
    _ = try await run(
      RegistryScripts.announced, keys: [key(node), confirmedKey],
      [node.rawValue, incarnation.description])
    return announcement
  }

  public func confirm(
    _ sessions: [SessionID: OwnedSession], node: NodeID, incarnation: Incarnation
  ) async throws -> Announcement {
    var announcement = Announcement()
    var rest = Array(sessions)[...]
    while !rest.isEmpty {
      // A batch is a fraction of the commands that a connection takes.
      let batch = rest.prefix(Lease.confirmedAtOnce.upperBound)
      rest = rest.dropFirst(Lease.confirmedAtOnce.upperBound)
      try await withThrowingTaskGroup(of: (SessionID, Int?).self) { tasks in
        for (session, owned) in batch {
          tasks.addTask {
            let outcome = try await run(
              RegistryScripts.announce, keys: [key(session)],
              [
                node.rawValue, incarnation.description, owned.epoch.description,
                String(RegistryLimits.record), owned.creator ?? "", try written(owned.end),
                HolderName.checked(owned.holder) ?? "", try written(owned.toldHistory),
              ])
            return (session, outcome.integer)
          }
        }
        for try await (session, outcome) in tasks {
          switch outcome {
          case 0: announcement.superseded.append(session)
          case 2: announcement.repaired.append(session)
          default: break
          }
        }
      }
    }
    try await list(announcement.repaired, ownedBy: node, incarnation)
    return announcement
  }

  // MARK: Whether what is unknown does not exist

  /// Returns when what Redis does not know does not exist; waits a while for the nodes to look through their
  /// records, if Redis has thrown some away.
  /// - Parameter node: who asks, a node that lives.
  /// - Throws: ``RegistryError`` `unsettled`.
  func requireSettled(for node: NodeID? = nil) async throws {
    let deadline = ContinuousClock.now + Lease.confirmation
    var since: Int?
    while true {
      let state = try await state()
      let marks = state.marks
      guard !marks.generation.isEmpty else {
        throw RegistryError(
          .unsettled,
          "the registry is empty: no node has registered yet, or its data was lost; try again")
      }
      guard !marks.isInGrace else { throw RegistryError.unsettled }
      guard let condition = state.condition else { return }
      let begun = since ?? marks.now
      since = begun
      guard marks.generation == condition.run,
        marks.living.allSatisfy({ $0.run == condition.run })
      else { throw RegistryError.unsettled }
      let isListed = node.map { node in marks.living.contains { $0.id == node.rawValue } } ?? true
      if isListed, marks.living.allSatisfy({ $0.hasSeen(condition, since: begun) }) { return }
      guard ContinuousClock.now < deadline else { throw RegistryError.evicting }
      try await Task.sleep(for: Lease.confirmationInterval)
    }
  }

  /// What the nodes have announced, and to which Redis.
  struct State: Sendable {
    fileprivate var marks: Marks
    fileprivate var condition: RedisCondition?
  }

  /// The order of the questions matters: Redis's condition is asked last, so that the marks are never of a later run than
  /// it says.
  private func state() async throws -> State {
    try await states.answer(generationKey) {
      let marks = try await marks()
      return State(marks: marks, condition: try await condition())
    }
  }

  fileprivate struct Marks: Sendable {
    struct Node {
      var id: String
      /// The state of Redis that it has announced all of its sessions to.
      var run: Substring = ""
      var evicted: Substring = ""
      /// When it began to, by Redis's clock.
      var time = 0

      /// Whether everything that it holds was in Redis after the condition was reached, or after the question came up.
      func hasSeen(_ condition: RedisCondition, since: Int) -> Bool {
        evicted == condition.evicted || time > since
      }
    }
    var now: Int
    var generation: String
    var isInGrace: Bool
    /// The nodes that do not count as dead.
    var living: [Node]
  }

  private func marks() async throws -> Marks {
    let answer = try await run(
      RegistryScripts.settled, keys: [nodesKey, generationKey, graceKey, confirmedKey])
    guard let items = answer.array, items.count >= 3, items.count % 3 == 0,
      let now = items[0].integer, let generation = items[1].string
    else { throw Self.corrupt("generation") }
    var living: [Marks.Node] = []
    for index in stride(from: 3, to: items.count, by: 3) {
      guard let id = items[index].string, let deadline = items[index + 1].integer,
        let state = items[index + 2].string
      else { throw Self.corrupt("generation") }
      // The node has long been dead, whatever numbers stand there.
      guard deadline > now.subtractingReportingOverflow(Lease.patience).partialValue else {
        continue
      }
      var node = Marks.Node(id: id)
      let parts = state.split(separator: " ", omittingEmptySubsequences: false)
      if parts.count == 3, let time = Int(parts[2]) {
        (node.run, node.evicted, node.time) = (parts[0], parts[1], time)
      }
      living.append(node)
    }
    return Marks(
      now: now, generation: generation, isInGrace: items[2].integer != 0, living: living)
  }
}

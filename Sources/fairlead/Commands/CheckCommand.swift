// `fairlead check`: for monitors, one line and an exit code.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a node, a router, Redis or all of them, for a monitor.",
    discussion: """
      Prints one line. The exit code is 0 (all is well), 1 (somebody should look, soon) or 2 (it does not work, or \
      cannot be asked: UNKNOWN, where nothing is known to be wrong with it). Without an id, a node or router is the worst \
      of all. A router that gives this command no answer is not live, whatever its record says.

        fairlead check cluster
        fairlead check node a
        fairlead check redis --api https://console.example.com --token-file monitor.token
      """)

  enum What: String, ExpressibleByArgument, CaseIterable { case node, router, redis, cluster }

  @Argument(help: "node, router, redis or cluster.")
  var what: What

  @Argument(help: "Which node, or router; all of them if not given.")
  var id: NodeID?

  @OptionGroup var inquiry: Inquiry

  func validate() throws {
    guard id == nil || what == .node || what == .router else {
      throw ValidationError("\(what.rawValue) has no id")
    }
  }

  func run() async throws {
    let verdict = try await judged()
    say(printable("\(verdict.grade.word) - \(verdict.words)"))
    if verdict.grade != .good { throw ExitCode(verdict.grade.exitCode) }
  }

  private func judged() async throws -> Verdict {
    switch what {
    case .node: return try await nodes()
    case .router: return try await routers()
    case .redis: return try await redis()
    case .cluster:
      return Verdict.all([try await nodes(), try await routers(), try await redis()])
    }
  }

  private func nodes() async throws -> Verdict {
    let found: Found<[NodeView]>
    do {
      found = try await inquiry.nodes()
    } catch let error as APIError {
      guard error.code == .unreachable else { return Verdict(.critical, error.message) }
      return Verdict(.unknown, what == .cluster ? "how the nodes are is not known" : error.message)
    }
    let wanted = found.answer.filter { id == nil || $0.id == id }
    if let id, wanted.isEmpty { return Verdict(.critical, "no node \(id) is registered") }
    var verdict = Verdict.of(wanted)
    if !found.gaps.isEmpty {
      verdict = Verdict.all([verdict, Verdict(.warning, found.gaps.joined(separator: "; "))])
    }
    return verdict
  }

  private func routers() async throws -> Verdict {
    let found: Found<RoutersAnswer>
    do {
      found = try await inquiry.routers()
    } catch let error as APIError {
      return Verdict(.critical, error.message)
    }
    let routers = found.answer.routers
    let wanted = routers.filter { id == nil || $0.id == id }
    if let id, wanted.isEmpty { return Verdict(.critical, "no router \(id) is known") }
    var verdicts = [Verdict.of(wanted)]
    if found.answerer != .router { verdicts.append(Verdict(.critical, "no router answers")) }
    // Those that are listed are said to be silent.
    for url in Silence.urls where !routers.contains(where: { Silence.isSame($0.url, url) }) {
      verdicts.append(Verdict(.warning, "no router answers at \(url)"))
    }
    if !found.gaps.isEmpty {
      verdicts.append(Verdict(.warning, found.gaps.joined(separator: "; ")))
    }
    return Verdict.all(verdicts)
  }

  private func redis() async throws -> Verdict {
    let notAsked = Verdict(.unknown, "Redis was not asked: no router answers; give --redis URL")
    let found: Found<Result<RegistryHealth, APIError>>
    do {
      found = try await inquiry.ask { client -> Result<RegistryHealth, APIError> in
        do {
          return .success(try await client.registryHealth())
        } catch let error as APIError where error.code != .unreachable {
          return .failure(error)
        }
      }
    } catch let error as APIError {
      return inquiry.registry.redis.isEmpty ? notAsked : Verdict(.critical, error.message)
    }
    switch (found.answer, found.answerer) {
    case (.success(let health), _): return Verdict.of(health)
    case (.failure, .list(redis: nil)): return notAsked
    case (.failure, .list(redis: let problem?)): return Verdict(.critical, problem)
    case (.failure(let error), _): return Verdict(.critical, error.message)
    }
  }
}

/// How something is, in a grade and words. Pure.
struct Verdict: Equatable, Sendable {
  /// The worst comes last.
  enum Grade: Int, Comparable, Sendable {
    case good, warning, unknown, critical

    var exitCode: Int32 {
      switch self {
      case .good: 0
      case .warning: 1
      case .unknown, .critical: 2
      }
    }

    var word: String {
      switch self {
      case .good: "OK"
      case .warning: "WARNING"
      case .unknown: "UNKNOWN"
      case .critical: "CRITICAL"
      }
    }

    static func < (a: Grade, b: Grade) -> Bool { a.rawValue < b.rawValue }
  }

  var grade: Grade
  var words: String

  init(_ grade: Grade, _ words: String) {
    self.grade = grade
    self.words = words
  }

  /// The worst of them, with the words of all that are not good, or of all.
  static func all(_ verdicts: [Verdict]) -> Verdict {
    let worst = verdicts.map(\.grade).max() ?? .good
    let told = worst == .good ? verdicts : verdicts.filter { $0.grade != .good }
    let sorted = told.sorted { $0.grade > $1.grade }
    return Verdict(worst, sorted.map(\.words).joined(separator: "; "))
  }

  static func of(_ nodes: [NodeView]) -> Verdict {
    let verdicts = nodes.map { node -> Verdict in
      let load = "\(node.sessions) of \(node.capacity) sessions"
      let link = node.link.flatMap { $0 == "ok" ? nil : $0 }
      switch (node.state, link) {
      case (.dead, _): return Verdict(.critical, "node \(node.id) is dead")
      case (.silent, _): return Verdict(.critical, "node \(node.id) is silent")
      case (_, let link?): return Verdict(.critical, "node \(node.id) \(link)")
      case (.draining, _), (.cordoned, _):
        return Verdict(.warning, "node \(node.id) is \(node.state.rawValue), \(load)")
      case (.live, _):
        let isFull = Double(node.sessions) >= CommandLimits.fullness * Double(node.capacity)
        return isFull
          ? Verdict(.warning, "node \(node.id) is nearly full, \(load)")
          : Verdict(.good, "node \(node.id) is live, \(load)")
      }
    }
    let live = nodes.count { $0.state == .live }
    guard live > 0 else {
      return all(verdicts + [Verdict(.critical, "no node takes new sessions")])
    }
    guard verdicts.allSatisfy({ $0.grade == .good }), nodes.count > 1 else { return all(verdicts) }
    return Verdict(
      .good, "\(live) nodes are live, with \(nodes.reduce(0) { $0 + $1.sessions }) sessions")
  }

  static func of(_ routers: [RouterView]) -> Verdict {
    let live = routers.filter { $0.state == .live }
    guard !live.isEmpty else { return Verdict(.critical, "no router is live") }
    let silent = routers.filter { $0.state == .silent }.map {
      Verdict(.warning, "router \($0.id) is silent")
    }
    let versions = Set(live.map(\.version)).sorted()
    let skew =
      versions.count > 1
      ? [Verdict(.warning, "routers are of versions \(versions.joined(separator: ", "))")] : []
    let clients = live.reduce(0) { $0 + $1.clients }
    let who = live.count == 1 ? "router \(live[0].id) is live" : "\(live.count) routers are live"
    return all([Verdict(.good, "\(who), with \(clients) clients")] + silent + skew)
  }

  static func of(_ health: RegistryHealth) -> Verdict {
    guard health.kind == .redis else {
      return Verdict(.good, "the registry is in the server's memory")
    }
    var verdicts = health.warnings.map { Verdict(.warning, $0) }
    if let latency = health.latency, latency > CommandLimits.slowRedis {
      verdicts.append(Verdict(.warning, "Redis takes \(Int(latency)) ms to answer"))
    }
    if let memory = health.memory, let limit = health.memoryLimit, limit > 0,
      Double(memory) >= CommandLimits.fullness * Double(limit)
    {
      verdicts.append(
        Verdict(.warning, "Redis has used \(humanBytes(memory)) of \(humanBytes(limit))"))
    }
    if let role = health.role, role != "master" {
      verdicts.append(Verdict(.critical, "Redis is a replica, and takes no writes"))
    }
    if let clock = health.clock, abs(clock) > CommandLimits.clockSkew {
      verdicts.append(
        Verdict(.warning, "Redis's clock is \(clock) ms from that of the router that asks it"))
    }
    let mode = health.mode.map { $0 == .one ? "" : " (\($0.rawValue))" } ?? ""
    let place = health.primary.map { " at \($0)\(mode)" } ?? ""
    let latency = health.latency.map { ", answers in \(($0 * 10).rounded() / 10) ms" } ?? ""
    return all([Verdict(.good, "Redis \(health.version ?? "")\(place)\(latency)")] + verdicts)
  }
}

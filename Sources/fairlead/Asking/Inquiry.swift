// The one place where the cluster is asked: a router, another one, or, where none answers, the nodes themselves, which
// Redis or a list of before says. What could not be asked is said with what was found.

import API
import APIClient
import ArgumentParser
import Logging
import Logs
import NIOCore
import Redis
import Registry
import Wire

/// What was found, and what of it is missing or old, each in a sentence.
struct Found<Answer: Sendable>: Sendable {
  var answer: Answer
  var gaps: [String] = []
  var answerer = Answerer.router
}

/// Who has answered.
enum Answerer: Sendable, Equatable {
  /// A router of the cluster.
  case router
  /// None did: this command's own, which found the nodes by Redis.
  case redis
  /// This command's own, which found the nodes by a list of before.
  /// - Parameter redis: why Redis did not say it; nil: nobody has said where it is.
  case list(redis: String?)
}

struct Inquiry: ParsableArguments {
  @OptionGroup var api: APIOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var clusterKey: ClusterKeyOptions
  @OptionGroup var link: LinkTLSOptions

  @Option(
    help: ArgumentHelp(
      "How long one answer may take. (default: 10s; 5s of a router that is asked instead of another)",
      valueName: "time"))
  var timeout: TimeOption?

  private var limit: TimeAmount? { timeout?.amount }

  private var logger: Logger {
    var logger = Logger(label: "command") { TextLogHandler(label: $0) }
    logger.logLevel = .error
    return logger
  }

  /// Asks whoever can be asked.
  /// - Throws: `APIError` `unreachable` if nobody can.
  func ask<Answer: Sendable>(
    _ question: (APIClient) async throws -> Answer
  ) async throws -> Found<Answer> {
    try await Progress.during("asking \(api.api)") { try await answered(question) }
  }

  private func answered<Answer: Sendable>(
    _ question: (APIClient) async throws -> Answer
  ) async throws -> Found<Answer> {
    let first: any Error
    var told: String
    do {
      let answer = try await Silence.minding(api.api) {
        try await question(try api.client(within: limit))
      }
      return Found(answer: answer)
    } catch let error as APIError where error.code == .unreachable {
      (first, told) = (error, error.message)
    } catch let error as APIOptions.Ambiguous where !registry.redis.isEmpty {
      (first, told) = (error, error.description)
    }
    let memory = first is APIError ? ClusterMemory.of(api.api) : nil
    for router in memory?.routers ?? [] where !Silence.isSame(router.url, api.api) {
      guard let client = try api.client(of: router.url, within: limit ?? CommandLimits.otherRouter)
      else { continue }
      do {
        let answer = try await Silence.minding(router.url) { try await question(client) }
        Silence.say("\(told); router \(router.id) at \(router.url) answers instead")
        return Found(answer: answer)
      } catch let error as APIError where error.code == .unreachable {
        told += "; \(error.message)"
      }
    }
    var problem: String?
    if let registry = try registry.open(logger) {
      defer { Task { await registry.shutdown() } }
      do {
        _ = try await registry.nodes()
        Silence.say("\(told); asking Redis and the nodes instead")
        return Found(answer: try await own(registry).ask(question), answerer: .redis)
      } catch let error as RegistryError {
        problem = "\(error)"
        told += "; \(error)"
      }
    }
    guard let memory, !memory.entries.isEmpty else {
      throw nobody(first, told, isCluster: api.isNamed || memory != nil)
    }
    Silence.say("\(told); asking the nodes instead, by a list of \(memory.ageText)")
    let answer = try await own(RememberedNodes(memory.entries)).ask(question)
    return Found(
      answer: answer, gaps: ["which nodes there are is known from a list of \(memory.ageText)"],
      answerer: .list(redis: problem))
  }

  /// Nobody could be asked; with what would help where there is a Redis to ask.
  private func nobody(_ first: any Error, _ told: String, isCluster: Bool) -> any Error {
    guard var error = first as? APIError else { return first }
    error.message = told
    if registry.redis.isEmpty, isCluster {
      error.message += "; --redis URL has Redis asked instead"
    }
    return error
  }

  private func own(_ registry: any Registry) throws -> OwnRouter {
    OwnRouter(
      registry: registry, cluster: self.registry.cluster, clusterKey: try clusterKey.key(),
      link: try link.connecting(logger: logger), limit: limit)
  }

  /// Asks each router that is listed, since what is asked of it only it knows.
  func askEachRouter<Answer: Sendable>(
    _ question: @escaping @Sendable (APIClient) async throws -> Answer
  ) async throws -> Found<[Answer]> {
    let listed = try await routers()
    let list = listed.answer
    var found = Found<[Answer]>(answer: [], gaps: listed.gaps, answerer: listed.answerer)
    // A single one is asked where it is found, which may be behind something else.
    if list.routers.count == 1, list.registry == nil, listed.answerer == .router {
      let single = try await ask(question)
      found.gaps += single.gaps
      guard single.answerer == .router else {
        found.gaps.append("router \(list.routers[0].id) gives no answer")
        return found
      }
      found.answer = [single.answer]
      return found
    }
    if list.routers.isEmpty { found.gaps.append("no router answers, and none is known") }
    var clients: [(RouterView, APIClient)] = []
    for router in list.routers {
      if router.state != .live {
        found.gaps.append(
          "router \(router.id) at \(router.url) is silent: what only it knows is missing")
      } else if let client = try api.client(
        of: router.url, within: limit ?? CommandLimits.otherRouter)
      {
        clients.append((router, client))
      } else {
        found.gaps.append(
          "router \(router.id) at \(router.url) is not asked: the token would go to it in plain text"
        )
      }
    }
    await withTaskGroup(of: (RouterView, Result<Answer, any Error>).self) { answers in
      for (router, client) in clients {
        answers.addTask {
          do {
            return (
              router,
              .success(try await Silence.minding(router.url) { try await question(client) })
            )
          } catch {
            return (router, .failure(error))
          }
        }
      }
      for await (router, answer) in answers {
        switch answer {
        case .success(let answer): found.answer.append(answer)
        case .failure(let error): found.gaps.append("router \(router.id): \(error)")
        }
      }
    }
    found.gaps.sort()
    return found
  }

  // MARK: What is remembered

  /// The nodes, with why they may not be as they are said to be; they are remembered for when nobody answers.
  func nodes() async throws -> Found<[NodeView]> {
    var found = try await ask { client in
      let nodes = try await client.nodeList()
      return (nodes, try? await client.routers())
    }
    let (nodes, routers) = found.answer
    if let gap = nodes.registry {
      found.gaps.append(gap.sentence)
    } else if nodes.nodes.isEmpty {
      found.gaps.append("no node is registered in \(place(of: found.answerer))")
    }
    if found.gaps.isEmpty { remember(nodes.nodes, routers?.routers ?? []) }
    return Found(answer: nodes.nodes, gaps: found.gaps, answerer: found.answerer)
  }

  /// Which cluster it is that was asked.
  private func place(of answerer: Answerer) -> String {
    guard answerer == .redis, let redis = try? RedisEndpoint(registry.redis) else {
      return "the cluster of the router at \(api.api)"
    }
    return "cluster \(registry.cluster) at \(redis): is that its --redis, and its --cluster?"
  }

  /// One of them.
  /// - Throws: `APIError` if there is none of that name.
  func node(_ id: NodeID) async throws -> (node: NodeView, among: Found<[NodeView]>) {
    let found = try await nodes()
    guard let node = found.answer.first(where: { $0.id == id }) else {
      throw APIError.notFound("no node \(id) is registered", missing: .node)
    }
    return (node, found)
  }

  /// The routers: one that gave this command no answer counts as silent, and what is left of earlier starts of one that
  /// lives is left out.
  func routers() async throws -> Found<RoutersAnswer> {
    let found = try await ask { client in
      let routers = try await client.routers()
      return (routers, try? await client.nodes())
    }
    var routers = found.answer.0
    let nodes = found.answer.1
    var gaps = found.gaps
    if let gap = routers.registry {
      let known = Set(routers.routers.map(\.incarnation))
      let memory = ClusterMemory.of(api.api)
      let more = memory?.routers.filter { !known.contains($0.incarnation) } ?? []
      routers.routers += more
      gaps.append(
        "Redis: \(gap.reason); "
          + (memory.map { "other routers are those of a list of \($0.ageText)" }
            ?? "other routers are not known"))
    } else if gaps.isEmpty {
      remember(nodes ?? [], routers.routers)
    }
    for index in routers.routers.indices where Silence.isSilent(routers.routers[index].url) {
      routers.routers[index].state = .silent
    }
    routers.routers = routers.routers.withoutPast
    return Found(answer: routers, gaps: gaps, answerer: found.answerer)
  }

  private func remember(_ nodes: [NodeView], _ routers: [RouterView]) {
    let memory = ClusterMemory(
      api: api.api, time: WallClock.milliseconds, routers: routers.filter { $0.state == .live },
      nodes: nodes)
    if !memory.entries.isEmpty { memory.keep() }
  }
}

extension [RouterView] {
  /// Without the silent ones of a name that lives again.
  var withoutPast: [RouterView] {
    let living = Set(filter { $0.state == .live }.map(\.id))
    return filter { $0.state == .live || !living.contains($0.id) }
  }
}

extension RegistryGap {
  var sentence: String {
    "\(reason); the nodes are those of \(ago(cellTime(milliseconds: UInt64(max(0, age)))))"
  }
}

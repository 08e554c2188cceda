// The one place where the cluster is asked: a router, another one, or, where none answers, the nodes themselves, which
// Redis or a list of before says. What could not be asked is said with what was found.

import API
import APIClient
import ArgumentParser
import Logging
import Logs
import NIOCore
import Registry
import Wire

/// What was found, and what of it is missing or old, each in a sentence.
struct Found<Answer: Sendable>: Sendable {
  var answer: Answer
  var gaps: [String] = []
}

struct Inquiry: ParsableArguments {
  @OptionGroup var api: APIOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var clusterKey: ClusterKeyOptions
  @OptionGroup var link: LinkTLSOptions

  @Option(help: ArgumentHelp("How long one answer may take.", valueName: "time"))
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
      return Found(answer: try await question(try api.client(within: limit)))
    } catch let error as APIError where error.code == .unreachable {
      (first, told) = (error, error.message)
    } catch let error as APIOptions.Ambiguous where !registry.redis.isEmpty {
      (first, told) = (error, error.description)
    }
    let memory = first is APIError ? ClusterMemory.of(api.api) : nil
    for router in memory?.routers ?? [] where router.url != api.api {
      guard let client = try api.client(of: router.url, within: limit ?? CommandLimits.otherRouter)
      else { continue }
      do {
        let answer = try await question(client)
        complain(
          "\(printable(told)); router \(router.id) at \(printable(router.url)) answers instead")
        return Found(answer: answer)
      } catch let error as APIError where error.code == .unreachable {
        told += "; \(error.message)"
      }
    }
    if let registry = try registry.open(logger) {
      defer { Task { await registry.shutdown() } }
      let problem: any Error
      do {
        _ = try await registry.nodes()
        complain("\(printable(told)); asking Redis and the nodes instead")
        return Found(answer: try await own(registry).ask(question))
      } catch let error as RegistryError {
        problem = error
      }
      told += "; \(problem)"
    }
    guard let memory, !memory.entries.isEmpty else { throw first }
    complain("\(printable(told)); asking the nodes instead, by a list of \(memory.ageText)")
    let answer = try await own(RememberedNodes(memory.entries)).ask(question)
    return Found(
      answer: answer, gaps: ["which nodes there are is known from a list of \(memory.ageText)"])
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
    let (list, gaps) = try await routers()
    // A single one is asked where it is found, which may be behind something else.
    if list.routers.count == 1, list.registry == nil {
      let found = try await ask(question)
      return Found(answer: [found.answer], gaps: gaps + found.gaps)
    }
    var clients: [(RouterView, APIClient)] = []
    var found = Found<[Answer]>(answer: [], gaps: gaps)
    for router in list.routers where router.state == .live {
      if let client = try api.client(of: router.url, within: limit ?? CommandLimits.otherRouter) {
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
            return (router, .success(try await question(client)))
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
    if let gap = nodes.registry { found.gaps.append(gap.sentence) }
    if found.gaps.isEmpty { remember(nodes.nodes, routers?.routers ?? []) }
    return Found(answer: nodes.nodes, gaps: found.gaps)
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

  func routers() async throws -> (RoutersAnswer, gaps: [String]) {
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
    return (routers, gaps)
  }

  private func remember(_ nodes: [NodeView], _ routers: [RouterView]) {
    let memory = ClusterMemory(
      api: api.api, time: WallClock.milliseconds, routers: routers.filter { $0.state == .live },
      nodes: nodes)
    if !memory.entries.isEmpty { memory.keep() }
  }
}

extension RegistryGap {
  var sentence: String {
    "\(reason); the nodes are those of \(ago(cellTime(milliseconds: UInt64(max(0, age)))))"
  }
}

// All event loops of a router, for what is not of one client: the list of nodes, the HTTP API's questions, the
// shutdown. Nothing of a terminal's bytes comes here.

import FoundationEssentials
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Registry
import Wire

final class RouterLoops: Sendable {
  let context: RouterContext
  let eventLoops: [any EventLoop]
  private let loops: [ObjectIdentifier: NIOLoopBound<RouterLoop>]
  private let story = NIOLockedValueBox(NodeStory())

  init(_ group: any EventLoopGroup, context: RouterContext) async throws {
    self.context = context
    eventLoops = Array(group.makeIterator())
    var loops: [ObjectIdentifier: NIOLoopBound<RouterLoop>] = [:]
    for (index, loop) in eventLoops.enumerated() {
      let place = (index, eventLoops.count)
      loops[ObjectIdentifier(loop)] = try await loop.submit {
        NIOLoopBound(
          RouterLoop(eventLoop: loop, context: context, place: place), eventLoop: loop)
      }.get()
    }
    self.loops = loops
    context.nodesAsker = NodesAsker { [weak self] session, nodes in
      await self?.ask(nodes, for: session) ?? NodesReport()
    }
  }

  /// To be called on that loop.
  func current(_ eventLoop: any EventLoop) -> RouterLoop? {
    loops[ObjectIdentifier(eventLoop)]?.value
  }

  func on<Result: Sendable>(
    _ eventLoop: any EventLoop, _ body: @escaping @Sendable (RouterLoop) -> Result
  ) async -> Result? {
    guard let loop = loops[ObjectIdentifier(eventLoop)] else { return nil }
    return try? await eventLoop.submit { body(loop.value) }.get()
  }

  func onEach(_ body: @escaping @Sendable (RouterLoop) -> Void) async {
    for loop in eventLoops { _ = await on(loop, body) }
  }

  /// Runs `body` on the loop that `key` names: questions about the same session, or the same loop of a node, use the
  /// same links each time, and all questions together are spread over all loops.
  func onLoop<Result: Sendable>(
    for key: String, _ body: @escaping @Sendable (RouterLoop) -> EventLoopFuture<Result>
  ) async throws -> Result {
    let eventLoop = eventLoops[index(for: key)]
    guard let loop = loops[ObjectIdentifier(eventLoop)] else { throw ChannelError.eof }
    return try await eventLoop.flatSubmit { body(loop.value) }.get()
  }

  private func index(for key: String) -> Int {
    SessionID(unchecked: key).loopIndex(of: eventLoops.count)
  }

  func clientCount() async -> Int {
    var count = 0
    for loop in eventLoops { count += await on(loop) { $0.clientCount } ?? 0 }
    return count
  }

  // MARK: The list of nodes

  func watchNodes() async {
    var isAway = false
    while !Task.isCancelled {
      try? await Task.sleep(for: RouterLimits.directoryInterval)
      do {
        try await refresh()
        if isAway { context.logger.notice("the registry answers again") }
        isAway = false
      } catch {
        context.registryAbsence = "\(error)"
        // Until the first answer, the router's start has said so already.
        if !isAway, !Task.isCancelled, context.knowsNodes {
          context.logger.warning(
            "the registry does not answer: what runs goes on, and new sessions wait",
            metadata: ["error": "\(error)"])
          isAway = true
        }
        // A node that left in order has had the time to disappear from a list.
        context.health.sayTroubles(metBefore: .now() - TimeAmount(RouterLimits.directoryInterval))
      }
    }
  }

  func refresh() async throws {
    let asked = ContinuousClock.now
    let askedOnLoops = NIODeadline.now()
    await tellWishes()
    let nodes = try await context.registry.nodes()
    let directory = NodeDirectory(nodes)
    context.noteReports(nodes, asked: asked)
    await onEach { $0.update(directory) }
    if !context.knowsNodes {
      let live = directory.all.count { $0.isLive }
      context.logger.info(
        "the registry has answered",
        metadata: ["nodes": "\(directory.all.count)", "live": "\(live)"])
    }
    context.know(nodes, asked: asked)
    await tend(directory, asked: askedOnLoops)
    await logStory(of: nodes, asked: asked)
  }

  /// Tells the registry what operators wished while it was away, and, if it has come back without its data, again until
  /// the node is registered.
  private func tellWishes() async {
    for (node, wish) in context.takeWishes() {
      do {
        guard try await context.registry.setWish(node, wish) else {
          context.keep(wish, for: node)
          continue
        }
        context.logger.notice(
          "the registry was told what could not be told before",
          metadata: ["node": "\(node)", "wish": "\(wish)"])
      } catch {
        context.keep(wish, for: node)
      }
    }
  }

  private func logStory(of nodes: [NodeEntry], asked: ContinuousClock.Instant) async {
    // Within one process the node's own lines of the log say it.
    guard context.connectLocally == nil else { return }
    let misses = story.withLockedValue { $0.misses(nodes) }
    let isSettled = misses ? await isSettled : true
    let lines = story.withLockedValue {
      $0.hear(nodes, at: Date(), asked: asked, isSettled: isSettled)
    }
    for line in lines {
      context.logger.log(level: line.level, "\(line.text)", metadata: line.metadata)
      await context.note(line)
    }
  }

  /// Whether the registry knows its nodes. If it has lost its data, or does not answer, a node that is missing in its
  /// list need not have left.
  private var isSettled: Bool {
    get async {
      // No session has this id. A registry says so only when it knows its nodes; before, it throws.
      do { _ = try await context.registry.lookUp(.random()) } catch { return false }
      return true
    }
  }

  /// Has each node watched by one of the loops.
  private func tend(_ directory: NodeDirectory, asked: NIODeadline) async {
    // Within this process there is no link to fail.
    guard context.connectLocally == nil, !context.isStopping else { return }
    context.health.keep(only: Set(directory.entries.keys))
    context.health.sayTroubles(metBefore: asked)
    let watched = Dictionary(grouping: directory.all) { index(for: $0.record.id.rawValue) }
    for (index, nodes) in watched { _ = await on(eventLoops[index]) { $0.tend(nodes) } }
  }
}

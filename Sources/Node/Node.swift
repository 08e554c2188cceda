// A node: owns sessions. It listens on one port per event loop, so that a link reaches exactly the
// loop that holds its sessions and bytes never change threads. How it keeps its lease in the registry is in
// NodeLease.swift.

public import Links
import Logging
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
import Pipes
public import Registry
import Sessions
import Transport
public import Wire

/// Why a node does not run.
public typealias NodeError = Failure<NodeErrorCode>

public enum NodeErrorCode: String, FailureCode {
  case addressInUse = "address_in_use"
  case nodeExists = "node_exists"
  /// Another process has become this node while this one was silent.
  case replaced
  case registry

  public static func words(of cause: any Error) -> String { Transport.cause(of: cause) }
}

public final class Node: Sendable {
  public let id: NodeID
  public let incarnation = Incarnation.random()
  let configuration: NodeConfiguration
  let context: NodeContext
  let loops: [NIOLoopBound<NodeLoop>]
  let eventLoops: [any EventLoop]
  /// The task that tells the registry which sessions of earlier incarnations are lost.
  let releasingLost = NIOLockedValueBox<Task<Void, Never>?>(nil)
  /// Since when the registry has answered every question.
  let registrySteadySince = NIOLockedValueBox(ContinuousClock.now)
  /// See `silent`.
  private let silentHolders = NIOLockedValueBox(SilentHolders.all)

  /// A node whose sessions live on all loops of `group`.
  public init(
    _ configuration: NodeConfiguration, registry: any Registry, group: any EventLoopGroup
  ) async throws {
    self.configuration = configuration
    id = configuration.id
    eventLoops = Array(group.makeIterator())
    let context = NodeContext(
      configuration,
      records: SessionRecords(
        registry, node: id, incarnation: incarnation, logger: configuration.logger),
      loopCount: eventLoops.count)
    self.context = context
    var loops: [NIOLoopBound<NodeLoop>] = []
    for (index, loop) in eventLoops.enumerated() {
      loops.append(
        try await loop.submit {
          NIOLoopBound(NodeLoop(context: context, eventLoop: loop, index: index), eventLoop: loop)
        }.get())
    }
    self.loops = loops
  }

  var logger: Logger { configuration.logger }

  /// Listens, restores what was kept, registers, and keeps the lease until the task is cancelled; then ends every
  /// session, in order: no new ones, processes, records, links, lease. What was kept goes on though the registry is
  /// away (promise P5).
  /// - Throws: ``NodeError``.
  public func run(onReady: @Sendable ([NodeAddress]) async -> Void = { _ in }) async throws {
    logger.notice(
      "node starts",
      metadata: [
        "node": "\(id)", "incarnation": "\(incarnation)", "version": "\(configuration.version)",
        "loops": "\(loops.count)", "capacity": "\(configuration.capacity)",
      ])
    let listeners = try await listen()
    var replaced: NodeError?
    do {
      let addresses = advertised(listeners.compactMap(\.localAddress?.port))
      for starter in context.starters { await starter.check() }
      await context.recallEndings()
      await restoreKeptSessions(rival: Task { await mayHaveRival })
      let isRegistered = try await registerOrGoOn(addresses)
      await onReady(addresses)
      replaced = isRegistered ? nil : await registerLate(addresses)
      // The starters attend to their engines while the lease is kept: an engine may take its time.
      let attending =
        context.starters.map { starter in Task { await starter.attend() } }
        + [
          Task { await restoreTheRest(addresses) }, Task { await adopt() },
          Task { await takeOffers() }, Task { await moveWhileDrained() },
        ]
      defer { for task in attending { task.cancel() } }
      if replaced == nil { replaced = await keepLease(addresses) }
    } catch {
      for listener in listeners { try? await listener.close() }
      if error is CancellationError { return }
      throw error
    }
    for listener in listeners { try? await listener.close() }
    // This task is cancelled by now. What is left to do must not be, so it has a task of its own.
    let cause = replaced == nil ? EndCause.stopped : .superseded
    await Task { await stop(cause) }.value
    if let replaced { throw replaced }
  }

  /// Whether another process that lives may have this node's name. One that had this state directory does not live.
  private var mayHaveRival: Bool {
    get async {
      guard context.sharesHolders, let nodes = try? await context.records.registry.nodes(),
        let entry = nodes.first(where: { $0.record.id == id })
      else { return false }
      return entry.isLive && entry.record.holder != context.homeName
    }
  }

  /// Takes back what was kept from before, on all loops at once: of all holders at first, then of those that were silent.
  private func restoreKeptSessions(rival: Task<Bool, Never>? = nil) async {
    let asked = silent
    let restoring = loops.enumerated().map { index, loop in
      eventLoops[index].flatSubmit { loop.value.restoreKeptSessions(of: asked, rival: rival) }
    }
    var silent = SilentHolders()
    for future in restoring {
      do { silent = silent.union(try await future.get()) } catch {
        silent = .all
        logger.error(
          "what was kept from before is not all to be had; it is tried again",
          metadata: ["error": "\(error)"])
      }
    }
    silentHolders.withLockedValue { $0 = silent }
  }

  /// The holders that have not said yet which sessions they keep. A session that one of them may have does not count as
  /// lost.
  var silent: SilentHolders { silentHolders.withLockedValue { $0 } }

  /// Asks the holders that have not answered: at once, since some have not been asked yet, and then again; ever more seldom
  /// where only certain containers' have not.
  private func restoreTheRest(_ addresses: [NodeAddress]) async {
    var backoff = Backoff(first: NodeLimits.restoringFirst, last: NodeLimits.restoringLast)
    var isFirst = true
    while !Task.isCancelled, case let before = silent, !before.isEmpty {
      if before.areAnywhere || before.areOnMachine { backoff.reset() }
      if !isFirst { try? await Task.sleep(for: backoff.nextLongest()) }
      isFirst = false
      if Task.isCancelled { return }
      await restoreKeptSessions()
      if silent == before { continue }
      backoff.reset()
      await announceKept(addresses)
    }
  }

  private func stop(_ cause: EndCause) async {
    logger.notice(
      "node shuts down; its sessions are ended, but for those that are kept",
      metadata: ["node": "\(id)", "sessions": "\(context.places.taken)", "reason": "\(cause)"])
    // Those of a node that was replaced are the other's, or nobody's.
    if cause == .stopped { await moveBeforeStopping() }
    // Sessions that this node lets go of from here on are not lost.
    releasingLost.withLockedValue { $0?.cancel() }
    // All at once: a process that ignores SIGHUP takes its time, and others must not wait for it.
    let stopping = loops.enumerated().map { index, loop in
      eventLoops[index].flatSubmit { loop.value.stop(cause) }
    }
    for future in stopping { try? await future.get() }
    await context.records.waitForReleases(atMost: NodeLimits.lastReleases)
    context.records.stop()
    let kept = sessionsLeft
    if kept > 0 {
      logger.notice(
        "sessions go on without this node, and wait for its next start",
        metadata: ["node": "\(id)", "sessions": "\(kept)"])
    }
    // If sessions go on, the lease is left to run out: until then routers know that the node will be back for them.
    do {
      if kept == 0 { try await context.records.registry.leave(id, incarnation: incarnation) }
    } catch {
      logger.warning(
        "the registry was not told that this node leaves: its lease runs out",
        metadata: ["node": "\(id)", "error": "\(error)"])
    }
    await waitUntilAllAreTold(atMost: NodeLimits.farewell)
    for (index, loop) in loops.enumerated() {
      try? await eventLoops[index].submit { loop.value.closeConnections() }.get()
    }
    for starter in context.starters { await starter.shutdown() }
    logger.notice("node has left", metadata: ["node": "\(id)"])
  }

  /// Sessions that went on without the node when it stopped.
  public var sessionsLeft: Int { context.detachedCount.withLockedValue { $0 } }

  /// Waits until every client has its last output and ENDED; one that does not read is not waited for.
  private func waitUntilAllAreTold(atMost limit: Duration) async {
    let deadline = ContinuousClock.now + limit
    for (index, loop) in loops.enumerated() {
      while ContinuousClock.now < deadline,
        (try? await eventLoops[index].submit { loop.value.hasToldAll }.get()) == false
      {
        try? await Task.sleep(for: NodeLimits.leavingInterval)
      }
    }
  }

  // MARK: Links

  private func listen() async throws -> [any Channel] {
    guard let address = configuration.listen else { return [] }
    var listeners: [any Channel] = []
    let tls = configuration.linkTLS
    for (index, eventLoop) in eventLoops.enumerated() {
      let loop = loops[index]
      let port = address.port == 0 ? 0 : address.port + index
      let bootstrap = ServerBootstrap(group: eventLoop, childGroup: eventLoop)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try SocketTransport.configure(channel)
            try tls.add(to: channel, answerInClear: NodeGreeting.answerInClear)
            let transport = SocketTransport()
            try channel.pipeline.syncOperations.addHandler(transport)
            let from = channel.remoteAddress.flatMap { address in
              address.ipAddress.map { NodeAddress(host: $0, port: address.port ?? 0) }
            }
            loop.value.accept(from: from?.description ?? "-") { peer in
              let link = Link(eventLoop: channel.eventLoop, peer: peer, transport: transport)
              transport.attach(link)
              return link
            }
          }
        }
      do {
        listeners.append(try await bootstrap.bind(host: address.host, port: port).get())
      } catch {
        for listener in listeners { try? await listener.close() }
        throw NodeError(
          .addressInUse,
          "cannot listen on \(address.host):\(port) (a node takes one port per event loop, "
            + "\(eventLoops.count) from \(address.port) on; choose others with --listen)",
          cause: error)
      }
    }
    return listeners
  }

  private func advertised(_ ports: [Int]) -> [NodeAddress] {
    guard let listen = configuration.listen else {
      return eventLoops.indices.map { NodeAddress.inProcess(loop: $0) }
    }
    guard let advertise = configuration.advertise else {
      return ports.map { NodeAddress(host: listen.host, port: $0) }
    }
    return ports.indices.map { index in
      NodeAddress(
        host: advertise.host, port: advertise.port == 0 ? ports[index] : advertise.port + index)
    }
  }

  /// A link from a loop of this process, for `serve`. To be called on `eventLoop`.
  public func connect(
    from eventLoop: any EventLoop, toLoop index: Int
  ) -> LocalTransport {
    let loop = loops[index]
    let remote = eventLoops[index]
    return LocalTransport.connect(from: eventLoop, to: remote) { transport in
      loop.value.accept(from: "this process") { peer in
        let link = Link(eventLoop: remote, peer: peer, transport: transport)
        transport.attach(link)
        return link
      }
    }
  }

  /// Sessions that take a place: what has ended takes none.
  var sessions: Int { context.places.taken }
}

// The primary that sentinels name. All of them are asked at once, and what most of them say counts: one that was cut
// off may still name the primary of before. They tell of a failover on a channel (`+switch-master`), and are looked at
// now and then for what was told while nobody heard it. (Redis's "Sentinel client spec".)

import Logging
import NIOCore
import Transport
import Wire

/// Confined to its client's loop.
final class SentinelFinder: PrimaryFinder {
  private let endpoint: RedisEndpoint
  private let name: String
  private let eventLoop: any EventLoop
  /// One sentinel that is away is no trouble while others answer.
  private let quiet: Logger
  private let layer: SocketLayer
  private let sentinels: [RedisCore]
  private var listeners: [RedisCore] = []
  private var looks: RepeatedTask?
  /// What a sentinel has told last, for the next who asks.
  private var told: Address?

  init(
    _ endpoint: RedisEndpoint, _ name: String, on eventLoop: any EventLoop, logger: Logger,
    layer: SocketLayer
  ) {
    self.endpoint = endpoint
    self.name = name
    self.eventLoop = eventLoop
    self.layer = layer
    var quiet = logger
    quiet.logLevel = .error
    self.quiet = quiet
    sentinels = endpoint.servers.map { [quiet] in
      RedisCore(endpoint.sentinel(at: $0), on: eventLoop, logger: quiet, layer: layer)
    }
  }

  func learn(_ address: Address) { told = address }

  func find() -> EventLoopFuture<Address> {
    if let told {
      self.told = nil
      return eventLoop.makeSucceededFuture(told)
    }
    return askAll()
  }

  /// - Parameter byMost: what fewer than most of all sentinels say decides nothing.
  private func askAll(byMost: Bool = false) -> EventLoopFuture<Address> {
    let promise = eventLoop.makePromise(of: Address.self)
    let votes = NIOLoopBoundBox(
      Votes(of: sentinels.count, on: name, byMost: byMost), eventLoop: eventLoop)
    let question = RedisCommand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name])
    for sentinel in sentinels {
      sentinel.send(question).whenComplete { result in
        // What is decided already is not decided anew.
        if let decision = votes.value.add(result) { promise.completeWith(decision) }
      }
    }
    return promise.futureResult
  }

  /// A primary that serves is left only for what most of them say: one alone, that is behind or means harm, moves nobody.
  /// What one tells of a failover is a reason to ask all of them; each tells of it once it knows.
  func watch(_ moved: @escaping (Address) -> Void) {
    let subscription = RedisSubscription(channel: "+switch-master") { [weak self, name] message in
      guard Self.address(in: message, of: name) != nil else { return }
      self?.look(moved)
    }
    listeners = endpoint.servers.map { [layer, eventLoop, quiet] in
      RedisCore(
        endpoint.sentinel(at: $0), on: eventLoop, logger: quiet, layer: layer,
        subscription: subscription)
    }
    let bound = NIOLoopBound((Weak(self), moved), eventLoop: eventLoop)
    looks = eventLoop.scheduleRepeatedTask(
      initialDelay: RedisLimits.sentinelLook, delay: RedisLimits.sentinelLook,
      maximumAllowableJitter: RedisLimits.sentinelLookJitter
    ) { _ in
      bound.value.0.finder?.look(bound.value.1)
    }
  }

  private func look(_ moved: @escaping (Address) -> Void) {
    told = nil
    let bound = NIOLoopBound(moved, eventLoop: eventLoop)
    askAll(byMost: true).whenSuccess { bound.value($0) }
  }

  private struct Weak {
    weak var finder: SentinelFinder?
    init(_ finder: SentinelFinder) { self.finder = finder }
  }

  /// Where the primary has gone, of `NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT`; nil for another one's.
  static func address(in message: String, of name: String) -> Address? {
    let words = message.split(separator: " ")
    guard words.count == 5, words[0] == name else { return nil }
    return address(host: String(words[3]), port: Int(words[4]))
  }

  fileprivate static func address(host: String?, port: Int?) -> Address? {
    guard let host, let port, !host.isEmpty, (1...65_535).contains(port) else { return nil }
    return .tcp(host: host, port: port)
  }

  func shutdown() {
    looks?.cancel()
    for core in sentinels + listeners { core.shutdown() }
  }

  /// What the sentinels answer, and what follows of it. Pure.
  struct Votes {
    private let voters: Int
    private let name: String
    private let byMost: Bool
    private var counts: [(address: Address, votes: Int)] = []
    private var failures: [RedisError] = []
    private var isDecided = false

    init(of voters: Int, on name: String, byMost: Bool = false) {
      self.voters = voters
      self.name = name
      self.byMost = byMost
    }

    /// - Returns: what is decided by this answer; nil: nothing yet, or it is already.
    mutating func add(_ answer: Result<RedisValue, any Error>) -> Result<Address, any Error>? {
      switch answer {
      case .success(let value):
        let parts = value.array ?? []
        if let address = SentinelFinder.address(
          host: parts.first?.string, port: parts.last?.integer)
        {
          let index = counts.firstIndex { $0.address == address } ?? counts.count
          if index == counts.count { counts.append((address, 0)) }
          counts[index].votes += 1
        } else {
          failures.append(
            RedisError(.misconfigured, "the sentinels know no primary by the name of \(name)"))
        }
      case .failure(let error):
        failures.append(
          error as? RedisError
            ?? RedisError(.unavailable, "a sentinel cannot be asked", cause: error))
      }
      return decide()
    }

    private mutating func decide() -> Result<Address, any Error>? {
      guard !isDecided else { return nil }
      let best = counts.max { $0.votes < $1.votes }
      let answered = counts.reduce(0) { $0 + $1.votes } + failures.count
      if let best, 2 * best.votes > voters || (answered == voters && !byMost) {
        isDecided = true
        return .success(best.address)
      }
      guard answered == voters else { return nil }
      isDecided = true
      // One that cannot be reached may know better than those that say that something is wrong.
      let told =
        failures.first { $0.code == .unavailable || $0.code == .timedOut } ?? failures.first
      return .failure(
        RedisError(
          told?.code == .misconfigured || told?.code == .refused ? .misconfigured : .unavailable,
          "no sentinel says where the primary \(name) is: \(told?.message ?? "")",
          cause: told?.cause))
    }
  }
}

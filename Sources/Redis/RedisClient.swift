// A client of one Redis: a connection to its primary that is made when first needed and again whenever it breaks or
// the primary is another one, and the commands that wait for it. Everything happens on one event loop.

public import Logging
public import NIOCore
public import Transport
import Wire

public final class RedisClient: Sendable {
  public let endpoint: RedisEndpoint
  private let eventLoop: any EventLoop
  /// Made on the loop, by the first command.
  private let core: NIOLoopBoundBox<RedisCore?>
  private let makeCore: @Sendable () -> RedisCore

  /// - Parameters:
  ///   - layer: for those of its connections that the URL wants encrypted.
  ///   - tag: the hash tag of all keys that this client names, by which a Cluster knows whose they are.
  public init(
    _ endpoint: RedisEndpoint, on eventLoop: any EventLoop, logger: Logger,
    layer: SocketLayer = .plain, tag: String = ""
  ) {
    self.endpoint = endpoint
    self.eventLoop = eventLoop
    core = .makeEmptyBox(valueType: RedisCore.self, eventLoop: eventLoop)
    makeCore = {
      let finder: (any PrimaryFinder)? =
        switch endpoint.kind {
        case .one: nil
        case .sentinel(let name):
          SentinelFinder(endpoint, name, on: eventLoop, logger: logger, layer: layer)
        case .cluster:
          ClusterFinder(
            endpoint, slot: HashSlot.of(tag), on: eventLoop, logger: logger, layer: layer)
        }
      return RedisCore(endpoint, finder, on: eventLoop, logger: logger, layer: layer)
    }
  }

  /// Sends a command, such as `["GET", "key"]`, and waits for its reply.
  /// - Throws: ``RedisError``.
  public func send(_ words: [String]) async throws -> RedisValue {
    let command = RedisCommand(words)
    return try await withCore { $0.send(command) }.get()
  }

  private func withCore<Value: Sendable>(
    _ body: @escaping @Sendable (RedisCore) -> EventLoopFuture<Value>
  ) -> EventLoopFuture<Value> {
    eventLoop.flatSubmit { [core, makeCore] in
      let made = core.value ?? makeCore()
      core.value = made
      return body(made)
    }
  }

  /// Runs a script atomically: by its digest, and by its text where Redis does not know it yet.
  /// - Throws: ``RedisError``.
  public func run(_ script: RedisScript, keys: [String], _ arguments: [String] = []) async throws
    -> RedisValue
  {
    let rest = [String(keys.count)] + keys + arguments
    do {
      return try await send(["EVALSHA", script.digest] + rest)
    } catch let error as RedisError where error.code == .unknownScript {
      return try await send(["EVAL", script.source] + rest)
    }
  }

  /// Where the primary is that it is connected to, and what it has done so far.
  public func use() async -> RedisUse {
    let use = withCore { [eventLoop] core in
      var use = core.use
      use.primary = core.primary
      return eventLoop.makeSucceededFuture(use)
    }
    return (try? await use.get()) ?? RedisUse()
  }

  /// Closes the connection; later commands fail.
  public func shutdown() async {
    _ = try? await eventLoop.submit { [core] in core.value?.shutdown() }.get()
  }
}

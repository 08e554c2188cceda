// A client of one Redis: a connection that is made when first needed and again whenever it breaks, and
// the commands that wait for it. Everything happens on one event loop.

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

  public init(
    _ endpoint: RedisEndpoint, on eventLoop: any EventLoop, logger: Logger,
    layer: SocketLayer = .plain
  ) {
    self.endpoint = endpoint
    self.eventLoop = eventLoop
    core = .makeEmptyBox(valueType: RedisCore.self, eventLoop: eventLoop)
    makeCore = { RedisCore(endpoint, eventLoop: eventLoop, logger: logger, layer: layer) }
  }

  /// Sends a command, such as `["GET", "key"]`, and waits for its reply.
  /// - Throws: ``RedisError``.
  public func send(_ words: [String]) async throws -> RedisValue {
    let command = RedisCommand(words)
    return try await eventLoop.flatSubmit { [core, makeCore] in
      let made = core.value ?? makeCore()
      core.value = made
      return made.send(command)
    }.get()
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

  /// Closes the connection; later commands fail.
  public func shutdown() async {
    _ = try? await eventLoop.submit { [core] in core.value?.shutdown() }.get()
  }
}

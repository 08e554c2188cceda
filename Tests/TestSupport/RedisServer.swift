// A Redis of one test's own: a real server on a port and in a folder of its own.

import Foundation

public struct RedisServer: Sendable {
  public var port: Int
  public var process: ChildProcess
  public var url: String { "redis://127.0.0.1:\(port)/0" }

  /// - Parameters:
  ///   - port: to start one again where another was; 0 takes a free one.
  ///   - more: further options of redis-server.
  public static func start(port wanted: Int = 0, _ more: [String] = []) async throws -> RedisServer
  {
    let path = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
    guard let path else { throw ChildError("redis-server is not installed; see deploy/test.sh") }
    let port = wanted == 0 ? try freePort() : wanted
    let process = try ChildProcess(
      path,
      [
        "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir",
        NSTemporaryDirectory(),
      ] + more)
    _ = try await process.line(with: "Ready to accept connections")
    return RedisServer(port: port, process: process)
  }

  public func stop() async throws {
    process.signal(SIGTERM)
    try await process.waitForExit()
  }
}

// A Redis of one test's own: a real server on a port and in a folder of its own.

import Foundation

public struct RedisServer: Sendable {
  public var port: Int
  public var process: ChildProcess
  private var certificates: ClusterCertificates?
  /// A file of data that another server has left would be read at the start.
  private var folder: TemporaryFolder
  public var url: String { "redis\(certificates == nil ? "" : "s")://127.0.0.1:\(port)/0" }

  /// - Parameters:
  ///   - port: to start one again where another was; 0 takes a free one.
  ///   - certificates: for TLS; nil is plain text.
  ///   - more: further options of redis-server.
  public static func start(
    port wanted: Int = 0, certificates: ClusterCertificates? = nil, _ more: [String] = []
  ) async throws -> RedisServer {
    let port = wanted == 0 ? try freePort() : wanted
    let folder = try TemporaryFolder()
    let process = try ChildProcess(
      try path,
      [
        "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir",
        folder.path,
      ] + (certificates?.redisServer(port: port) ?? []) + more)
    _ = try await process.line(with: "Ready to accept connections")
    return RedisServer(port: port, process: process, certificates: certificates, folder: folder)
  }

  /// A sentinel, by its file of configuration, which it writes to.
  static func startSentinel(
    _ file: String, port: Int, in folder: TemporaryFolder, certificates: ClusterCertificates?
  ) async throws -> RedisServer {
    let process = try ChildProcess(
      try path,
      [
        file, "--sentinel", "--port", String(port), "--bind", "127.0.0.1", "--dir", folder.path,
      ] + (certificates.map { $0.redisServer(port: port) + ["--tls-replication", "yes"] } ?? []))
    _ = try await process.line(with: "Sentinel ID is")
    return RedisServer(port: port, process: process, certificates: certificates, folder: folder)
  }

  /// Redis's, or another's that FAIRLEAD_REDIS_SERVER names, as valkey-server.
  private static var path: String {
    get throws {
      let wanted = ProcessInfo.processInfo.environment["FAIRLEAD_REDIS_SERVER"].map { [$0] }
      let path = (wanted ?? ["/usr/bin/redis-server", "/usr/local/bin/redis-server"]).first {
        FileManager.default.isExecutableFile(atPath: $0)
      }
      guard let path else { throw ChildError("redis-server is not installed; see deploy/test.sh") }
      return path
    }
  }

  /// Another in its place, which knows nothing of what it held.
  public func restart() async throws -> RedisServer {
    try await .start(port: port, certificates: certificates)
  }

  public func stop() async throws {
    process.signal(SIGTERM)
    try await process.waitForExit()
  }
}

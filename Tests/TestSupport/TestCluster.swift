// A whole cluster of real processes: routers, nodes, and HAProxy before the routers with round robin
// and no stickiness, so that every reconnect may reach another router.

import Foundation

/// The `fairlead` executable that was built with the tests.
public enum Fairlead {
  public static let path: String = {
    // The test bundle is an executable in the products' folder.
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(fileURLWithPath: own).deletingLastPathComponent()
      .appendingPathComponent("fairlead").path
  }()

  public static func start(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> ChildProcess {
    try ChildProcess(path, arguments, environment: environment)
  }

  /// Runs a command to its end.
  public static func run(
    _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> (code: Int, output: String) {
    let process = try start(arguments, environment: environment)
    let code = try await process.waitForExit()
    return (code, process.output)
  }
}

/// The number after the last colon of `line`.
public func port(in line: String) throws -> Int {
  guard let text = line.split(separator: ":").last,
    let port = Int(text.prefix { $0.isNumber })
  else { throw ChildError("no port in: \(line)") }
  return port
}

public struct TestNode: Sendable {
  public var id: String
  public var process: ChildProcess

  public static func start(_ id: String, redis: String, _ more: [String] = []) async throws
    -> TestNode
  {
    let process = try Fairlead.start(
      ["node", "--id", id, "--redis", redis, "--listen", "127.0.0.1:0"] + more)
    _ = try await process.line(with: "takes links on")
    return TestNode(id: id, process: process)
  }
}

public struct TestRouter: Sendable {
  public var port: Int
  public var process: ChildProcess
  public var url: String { "http://127.0.0.1:\(port)" }

  public static func start(_ id: String, redis: String, port wanted: Int = 0) async throws
    -> TestRouter
  {
    let process = try Fairlead.start(
      ["router", "--id", id, "--redis", redis, "--listen", "127.0.0.1:\(wanted)"])
    return TestRouter(
      port: try TestSupport.port(in: try await process.line(with: "serves on")), process: process)
  }
}

public struct TestHAProxy: Sendable {
  public var port: Int
  public var process: ChildProcess
  public var url: String { "http://127.0.0.1:\(port)" }

  public static func start(before routers: [TestRouter]) async throws -> TestHAProxy {
    let port = try freePort()
    let servers = routers.enumerated().map { index, router in
      "  server router\(index) 127.0.0.1:\(router.port) check inter 200ms fall 2 rise 1"
    }
    let text = """
      global
        maxconn 4000
      defaults
        mode http
        timeout connect 3s
        timeout client 30s
        timeout server 30s
        timeout tunnel 1h
        option redispatch
        retries 3
      frontend terminals
        bind 127.0.0.1:\(port)
        default_backend routers
      backend routers
        balance roundrobin
        option httpchk GET /readyz
      \(servers.joined(separator: "\n"))

      """
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-haproxy-\(UUID().uuidString).cfg")
    try text.write(to: file, atomically: true, encoding: .utf8)
    let path = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
    guard let path else { throw ChildError("haproxy is not installed; see deploy/test.sh") }
    let process = try ChildProcess(path, ["-db", "-f", file.path])
    try await eventually("haproxy serves") {
      guard process.isRunning else { throw ChildError("haproxy: \(process.output)") }
      return await answers("http://127.0.0.1:\(port)/readyz")
    }
    try? FileManager.default.removeItem(at: file)
    return TestHAProxy(port: port, process: process)
  }
}

/// Whether something says 200 there.
public func answers(_ url: String) async -> Bool {
  let process = try? ChildProcess("/usr/bin/curl", ["-fsS", "-m", "2", "-o", "/dev/null", url])
  return (try? await process?.waitForExit()) == 0
}

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

  /// - Parameter certificates: for TLS towards Redis and routers; nil is plain text.
  public static func start(
    _ id: String, redis: String, certificates: ClusterCertificates? = nil, _ more: [String] = []
  ) async throws -> TestNode {
    try await certificates?.addNode(id)
    let process = try Fairlead.start(
      ["node", "--id", id, "--redis", redis, "--listen", "127.0.0.1:0"]
        + (certificates?.node(id) ?? []) + more)
    _ = try await process.line(with: "takes links on")
    return TestNode(id: id, process: process)
  }
}

public struct TestRouter: Sendable {
  public var port: Int
  public var process: ChildProcess
  private var certificates: ClusterCertificates?
  public var url: String { frontURL(port, certificates) }

  /// - Parameter certificates: for TLS towards Redis, nodes and clients; nil is plain text.
  public static func start(
    _ id: String, redis: String, port wanted: Int = 0, certificates: ClusterCertificates? = nil,
    _ more: [String] = []
  ) async throws -> TestRouter {
    let process = try Fairlead.start(
      [
        "router", "--id", id, "--redis", redis, "--listen", "127.0.0.1:\(wanted)",
        "--drain-delay", "0",
      ]
        + (certificates?.router ?? []) + more)
    return TestRouter(
      port: try TestSupport.port(in: try await process.line(with: "serves on")), process: process,
      certificates: certificates)
  }
}

/// Where clients find a router or a load balancer.
private func frontURL(_ port: Int, _ certificates: ClusterCertificates?) -> String {
  certificates == nil
    ? "http://127.0.0.1:\(port)" : "https://\(ClusterCertificates.host):\(port)"
}

public struct TestHAProxy: Sendable {
  public var port: Int
  public var process: ChildProcess
  private var certificates: ClusterCertificates?
  public var url: String { frontURL(port, certificates) }

  /// - Parameter certificates: for a transport that needs them.
  public static func start(
    before routers: [TestRouter], _ transport: Transport = .plain,
    certificates: ClusterCertificates? = nil
  ) async throws -> TestHAProxy {
    let port = try freePort()
    let verified =
      certificates.map {
        "verify required ca-file \($0.ca) verifyhost \(ClusterCertificates.host)"
      } ?? ""
    let (mode, bind, rules, server) =
      switch transport {
      case .plain: ("http", "", "default_backend routers", "")
      case .passthrough:
        (
          "tcp", "",
          """
          tcp-request inspect-delay 5s
            tcp-request content accept if { req.ssl_hello_type 1 }
            use_backend routers if { req.ssl_sni -i \(ClusterCertificates.host) }
          """, "check-ssl \(verified)"
        )
      case .reencrypting:
        (
          "http", "ssl crt \(certificates?.file("server-both") ?? "")", "default_backend routers",
          "ssl \(verified)"
        )
      }
    let servers = routers.enumerated().map { index, router in
      "  server router\(index) 127.0.0.1:\(router.port) check inter 500ms fastinter 200ms downinter 200ms fall 2 rise 1 \(server)"
    }
    let text = """
      global
        maxconn 4000
      defaults
        mode \(mode)
        timeout connect 3s
        timeout check 5s
        timeout client \(mode == "tcp" ? "1h" : "30s")
        timeout server \(mode == "tcp" ? "1h" : "30s")
        timeout tunnel 1h
        option redispatch
        retries 3
      frontend terminals
        bind 127.0.0.1:\(port) \(bind)
        \(rules)
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
    let haproxy = TestHAProxy(port: port, process: process, certificates: certificates)
    try await eventually("haproxy serves") {
      guard process.isRunning else { throw ChildError("haproxy: \(process.output)") }
      return await answers(haproxy.url + "/readyz", ca: certificates?.ca)
    }
    try? FileManager.default.removeItem(at: file)
    return haproxy
  }
}

/// Whether something says 200 there.
/// - Parameter ca: the file of the CA to trust, for https.
public func answers(_ url: String, ca: String? = nil) async -> Bool {
  let process = try? ChildProcess(
    "/usr/bin/curl",
    ["-fsS", "-m", "20", "-o", "/dev/null", url] + (ca.map { ["--cacert", $0] } ?? []))
  return (try? await process?.waitForExit()) == 0
}

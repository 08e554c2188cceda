// How a test's cluster carries its bytes: in the clear, or with TLS on every hop, whose certificates
// `fairlead certs init` makes.

import Foundation

public enum Transport: String, CaseIterable, Sendable {
  /// No TLS anywhere.
  case plain
  /// TLS on every hop; HAProxy reads the name that a client asks for, and passes its TLS on.
  case passthrough
  /// TLS on every hop; HAProxy ends the clients', and begins another towards the routers.
  case reencrypting

  public var isEncrypted: Bool { self != .plain }
}

/// A cluster's certificates, in a folder that goes with this.
public final class ClusterCertificates: Sendable {
  public let folder: String
  /// The name by which clients know the routers.
  public static let host = "localhost"

  public init() async throws {
    folder =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-certs-\(UUID().uuidString)").path
    try await make(["--host", Self.host, "--host", "127.0.0.1"])
    // HAProxy reads certificate and key from one file.
    let both = try [file("server"), file("server-key")].map {
      try String(contentsOfFile: $0, encoding: .utf8)
    }
    try both.joined().write(toFile: file("server-both"), atomically: true, encoding: .utf8)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  public func file(_ name: String) -> String { "\(folder)/\(name).pem" }
  public var ca: String { file("ca") }

  public func addNode(_ id: String) async throws { try await make(["--node", "\(id),127.0.0.1"]) }

  private func make(_ options: [String]) async throws {
    let (code, output) = try await Fairlead.run(["certs", "init", folder] + options)
    guard code == 0 else { throw ChildError("certs init: \(output)") }
  }

  // MARK: Options of each hop

  /// redis-server's: TLS alone, and only for who shows a certificate of the CA.
  public func redisServer(port: Int) -> [String] {
    [
      "--port", "0", "--tls-port", String(port), "--tls-cert-file", file("server"),
      "--tls-key-file", file("server-key"), "--tls-ca-cert-file", ca,
      // Towards its primary and other servers: a server's certificate is none of a client.
      "--tls-client-cert-file", file("router"), "--tls-client-key-file", file("router-key"),
    ]
  }

  /// redis-cli's, towards such a server.
  public var redisCLI: [String] {
    ["--tls", "--cert", file("router"), "--key", file("router-key"), "--cacert", ca]
  }

  /// Those of node `id`, towards Redis and routers.
  public func node(_ id: String) -> [String] { redis("node-\(id)") + link("node-\(id)") }

  /// A router's, towards Redis, nodes and clients.
  public var router: [String] {
    redis("router") + link("router") + [
      "--tls-cert", file("server"), "--tls-key", file("server-key"),
    ]
  }

  private func redis(_ name: String) -> [String] {
    ["--redis-cert", file(name), "--redis-key", file(name + "-key"), "--redis-ca", ca]
  }

  private func link(_ name: String) -> [String] {
    ["--link-cert", file(name), "--link-key", file(name + "-key"), "--link-ca", ca]
  }
}

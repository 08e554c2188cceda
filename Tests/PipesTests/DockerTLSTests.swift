// A Docker engine over TCP with TLS, as `dockerd --tlsverify` listens: for a node's own options, with a
// real engine that demands certificates (promise P9).

import Foundation
import TestSupport
import Testing

@Suite("A Docker engine behind TLS", .timeLimit(.minutes(2 * patience))) struct DockerTLSTests {
  /// What a user of `fairlead serve --docker tcp://…` with `options` sees who asks for a terminal, and what that
  /// server says.
  private func new(_ engine: DockerEngine, _ options: [String]) async throws -> (
    code: Int, output: String, log: String
  ) {
    let serve = try Fairlead.start(
      [
        "serve", "--listen", "127.0.0.1:0", "--no-auth", "--docker",
        "tcp://127.0.0.1:\(engine.port)",
      ] + options)
    let port = try TestSupport.port(in: try await serve.line(with: "serves on"))
    let api = ["--api", "http://127.0.0.1:\(port)"]
    var made = try await Fairlead.run(
      ["new", "--detached", "--session", "s", "--target", "docker:\(engine.container)"] + api
        + ["--", "sh", "-c", "echo in $((6 * 7)); sleep 100"])
    if made.code == 0 {
      try await eventually("its screen") {
        made = try await Fairlead.run(["screen", "s"] + api)
        return made.output.contains("in 42")
      }
      _ = try await Fairlead.run(["kill", "s"] + api)
    }
    serve.signal(SIGTERM)
    #expect(try await serve.waitForExit() == 0)
    return (made.code, made.output, serve.output)
  }

  private func identity(_ engine: DockerEngine, _ name: String) -> [String] {
    [
      "--docker-cert", engine.certificate(name), "--docker-key", engine.certificate("\(name)-key"),
    ]
  }

  @Test("starts processes for who shows a certificate of its CA")
  func known() async throws {
    let engine = try await requireDocker()
    let made = try await new(
      engine, ["--docker-ca", engine.certificate("ca")] + identity(engine, "router"))
    #expect(made.output.contains("in 42"), "\(made.output)")
    #expect(made.code == 0)
  }

  /// What is missing of the node's options, and what its operator is told.
  enum Mistake: CaseIterable {
    case otherCA, noCertificate, certificateForServers, noTLS

    var expected: String {
      switch self {
      case .otherCA: "comes from an unknown CA"
      case .noCertificate: "demands one and got none"
      case .certificateForServers: "does not accept this client's certificate"
      case .noTLS: "speaks TLS: name its CA with --docker-ca"
      }
    }
  }

  @Test("refuses everybody else, and the operator is told why", arguments: Mistake.allCases)
  func mistakes(mistake: Mistake) async throws {
    let engine = try await requireDocker()
    let others = try await ClusterCertificates()
    let options =
      switch mistake {
      case .otherCA: ["--docker-ca", others.ca] + identity(engine, "router")
      case .noCertificate: ["--docker-ca", engine.certificate("ca")]
      case .certificateForServers:
        ["--docker-ca", engine.certificate("ca")] + identity(engine, "server")
      case .noTLS: [String]()
      }
    let made = try await new(engine, options)
    #expect(made.code != 0)
    #expect(made.output.contains("Docker engine"), "\(made.output)")
    #expect(made.log.contains(mistake.expected), "\(made.log)")
  }
}

// A cluster of real processes with TLS on every hop, its certificates made by `fairlead certs init` (promise P9).

import Foundation
import TLS
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3 * patience))) struct ClusterTests {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("fairlead-certs-\(UUID().uuidString)")

  private func file(_ name: String) -> String { folder.appendingPathComponent(name + ".pem").path }

  private func makeCertificates(_ more: [String] = []) async throws {
    let made = try await Fairlead.run(
      ["certs", "init", folder.path, "--node", "a,127.0.0.1", "--host", "localhost"] + more)
    try #require(made.code == 0, "\(made.output)")
  }

  private func link(_ name: String) -> [String] {
    ["--link-cert", file(name), "--link-key", file(name + "-key"), "--link-ca", file("ca")]
  }

  private func router(_ redis: [String], _ more: [String]) async throws -> (
    process: ChildProcess, port: Int
  ) {
    let process = try Fairlead.start(
      ["router", "--id", "r", "--listen", "127.0.0.1:0"] + redis + more)
    let port = try TestSupport.port(in: try await process.line(with: "serves on"))
    return (process, port)
  }

  private func serve(_ more: [String] = []) async throws -> (process: ChildProcess, port: Int) {
    let process = try Fairlead.start(
      [
        "serve", "--listen", "127.0.0.1:0", "--tls-cert", file("server"), "--tls-key",
        file("server-key"),
      ] + more)
    return (process, try TestSupport.port(in: try await process.line(with: "serves on https://")))
  }

  private func curl(_ arguments: [String]) async throws -> (code: Int, output: String) {
    let process = try ChildProcess("/usr/bin/curl", ["-sS", "-m", "10"] + arguments)
    return (try await process.waitForExit(), process.output)
  }

  @Test func everyHopIsEncrypted() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await makeCertificates()
    let redisPort = try freePort()
    let server = try await RedisServer.start([
      "--port", "0", "--tls-port", "\(redisPort)", "--tls-cert-file", file("node-a"),
      "--tls-key-file", file("node-a-key"), "--tls-ca-cert-file", file("ca"),
    ])
    let redis = [
      "--redis", "rediss://127.0.0.1:\(redisPort)/0", "--redis-ca", file("ca"), "--redis-cert",
      file("router"), "--redis-key", file("router-key"),
    ]
    let node = try Fairlead.start(
      ["node", "--id", "a", "--listen", "127.0.0.1:0"] + redis + link("node-a"))
    let linkPort = try TestSupport.port(in: try await node.line(with: "takes links on"))
    let (router, port) = try await router(
      redis, link("router") + ["--tls-cert", file("server"), "--tls-key", file("server-key")])
    let api = ["--api", "https://localhost:\(port)", "--ca", file("ca")]

    let made = try await Fairlead.run(["new", "--detached", "--session", "one", "sh"] + api)
    #expect(made.code == 0, "\(made.output)")
    let attached = try ChildProcess(
      "/bin/sh",
      ["-c", "echo 'echo a$((40+2))b' | \(Fairlead.path) attach one \(api.joined(separator: " "))"])
    _ = try await attached.line(with: "a42b")
    let answer = try await curl(["--cacert", file("ca"), "https://localhost:\(port)/v1/sessions"])
    #expect(answer.output.contains("\"one\""), "\(answer.output)")

    // Nobody without a certificate of the CA gets a link, nor plain text more than a refusal.
    let stranger = try ChildProcess(
      "/bin/sh",
      ["-c", "openssl s_client -connect 127.0.0.1:\(linkPort) -CAfile \(file("ca")) < /dev/null"])
    try await stranger.waitForExit()
    try await eventually("the refusal is logged") { node.output.contains("sent no certificate") }
    #expect(try await curl(["-f", "http://localhost:\(port)/v1/version"]).code != 0)
    // A server's certificate opens no link either.
    let (other, otherPort) = try await self.router(redis, link("server"))
    let refused = try await Fairlead.run(
      ["new", "--detached", "sh", "--api", "http://127.0.0.1:\(otherPort)"])
    #expect(refused.code != 0)
    try await eventually("the refusal is logged") { node.output.contains("not made for this use") }

    for process in [node, router, other] { process.signal(SIGTERM) }
    for process in [node, router, other] { #expect(try await process.waitForExit() == 0) }
    try await server.stop()
  }

  /// What keeps a node from its Redis.
  enum RedisFault: CaseIterable {
    case unknownCA, otherHost, noCertificate, certificateForServers, noTLS, plain

    var words: String {
      switch self {
      case .unknownCA: "is its own CA, which is not trusted here"
      case .otherHost: "is not for"
      case .noCertificate: "demands a client certificate"
      case .certificateForServers: "does not accept this client's certificate"
      case .noTLS: "does it speak TLS?"
      case .plain: "if it speaks TLS, say rediss://"
      }
    }

    var scheme: String { self == .plain ? "redis" : "rediss" }
  }

  @Test(arguments: RedisFault.allCases)
  func whatKeepsANodeFromItsRedisIsSaid(fault: RedisFault) async throws {
    let certificates = try await ClusterCertificates()
    let server = try await RedisServer.start(
      certificates: fault == .noTLS ? nil : certificates, ["--bind", "127.0.0.1", "127.0.0.2"])
    func identity(_ name: String) -> [String] {
      ["--redis-cert", certificates.file(name), "--redis-key", certificates.file(name + "-key")]
    }
    let trust = ["--redis-ca", certificates.ca]
    let options =
      switch fault {
      case .unknownCA: identity("router")
      case .noCertificate: trust
      case .certificateForServers: trust + identity("server")
      case .otherHost, .noTLS: trust + identity("router")
      case .plain: [String]()
      }
    let host = fault == .otherHost ? "127.0.0.2" : "127.0.0.1"
    let node = try Fairlead.start(
      [
        "node", "--id", "a", "--listen", "127.0.0.1:0", "--redis",
        "\(fault.scheme)://\(host):\(server.port)",
      ] + options)
    try await eventually("it says why, and which Redis") {
      node.output.split(separator: "\n").contains {
        $0.contains(fault.words) && $0.contains("\(fault.scheme)://\(host):\(server.port)")
      }
    }
    node.signal(SIGKILL)
    try await server.stop()
  }

  @Test func aRouterKnowsItsNodesByName() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await makeCertificates(["--node", "b,10.9.9.9", "--node", "c,10.9.9.9"])
    let server = try await RedisServer.start()
    let redis = ["--redis", server.url]
    // b proves its name, though not its address; d shows the certificate of c.
    let nodes = try [("b", "node-b"), ("d", "node-c")].map { id, certificate in
      try Fairlead.start(
        ["node", "--id", id, "--listen", "127.0.0.1:0"] + redis + link(certificate))
    }
    for node in nodes { _ = try await node.line(with: "takes links on") }
    let (router, port) = try await router(redis, link("router"))
    let api = ["--api", "http://127.0.0.1:\(port)"]
    for number in 0..<20 {
      _ = try await Fairlead.run(["new", "--detached", "--session", "s\(number)", "sh"] + api)
    }
    try await eventually("d is refused") {
      router.output.contains("is not for \\\"127.0.0.1\\\" or \\\"d\\\"")
        || router.output.contains("is not for \"127.0.0.1\" or \"d\"")
    }
    let list = try await Fairlead.run(["sessions", "-o", "json"] + api)
    // That node d did not answer is said, too.
    #expect(list.output.contains(#""node" : "b""#), "\(list.output)")
    #expect(!list.output.contains(#""node" : "d""#), "\(list.output)")
    for process in nodes + [router] { process.signal(SIGTERM) }
    for process in nodes + [router] { try await process.waitForExit() }
    try await server.stop()
  }

  @Test func serveReadsNewCertificatesOnSIGHUP() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await makeCertificates()
    let (serve, port) = try await serve()
    func seen(_ more: [String] = []) async throws -> String {
      try await Fairlead.run(
        ["certs", "show", "--connect", "127.0.0.1:\(port)", "--ca", file("ca")] + more
      ).output
    }
    let before = try await seen(["--name", "localhost", "-o", "json"])
    #expect(before.contains("\"localhost\"") && !before.contains("\"fault\""), "\(before)")
    #expect(try await seen().contains("a client refuses it: the peer's certificate is not for"))

    for name in ["server", "server-key"] { try FileManager.default.removeItem(atPath: file(name)) }
    try await makeCertificates()
    serve.signal(SIGHUP)
    _ = try await serve.line(with: "certificates were read again")
    let after = try await seen(["--name", "localhost", "-o", "json"])
    #expect(after != before && !after.contains("\"fault\""))

    try "junk".write(toFile: file("server"), atomically: true, encoding: .utf8)
    serve.signal(SIGHUP)
    _ = try await serve.line(with: "the former ones stay in use")
    let wrong = try await Fairlead.run(["nodes", "--api", "https://localhost:\(port)"])
    #expect(wrong.code != 0 && wrong.output.contains("CA"), "\(wrong.output)")
    serve.signal(SIGTERM)
    #expect(try await serve.waitForExit() == 0)
  }

  @Test func curlGetsTheCertificateOfTheNameItAsksFor() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await makeCertificates()
    let (serve, port) = try await serve([
      "--tls-cert", file("node-a"), "--tls-key", file("node-a-key"),
    ])
    for (host, code) in [("localhost", 0), ("a", 0), ("other.example.com", 60)] {
      let answer = try await curl([
        "-f", "--cacert", file("ca"), "--resolve", "\(host):\(port):127.0.0.1",
        "https://\(host):\(port)/livez",
      ])
      #expect(answer.code == code, "\(host): \(answer.output)")
    }
    #expect(try await curl(["https://localhost:\(port)/livez"]).code == 60, "an unknown CA")
    let old = try await curl([
      "--cacert", file("ca"), "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0",
      "https://localhost:\(port)/livez",
    ])
    #expect(old.code == 35, "\(old.output)")
    serve.signal(SIGTERM)
    #expect(try await serve.waitForExit() == 0)
  }

  @Test func clientsShowACertificateWhereTheyMust() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await makeCertificates()
    let (serve, port) = try await serve(["--tls-client-ca", file("ca")])
    let question = ["-f", "--cacert", file("ca"), "https://localhost:\(port)/livez"]
    func identity(_ name: String) -> [String] {
      ["--cert", file(name), "--key", file(name + "-key")]
    }
    let known = try await curl(question + identity("router"))
    #expect(known.code == 0, "\(known.output)")
    for (options, words) in [
      ([], "sent no certificate"), (identity("server"), "not made for this use"),
    ] {
      let refused = try await curl(question + options)
      #expect(refused.code != 0 && refused.output.contains("alert"), "\(refused.output)")
      _ = try await serve.line(with: words)
    }
    serve.signal(SIGTERM)
    #expect(try await serve.waitForExit() == 0)
  }

  @Test func certificatesAreNeverOverwritten() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await makeCertificates()
    let keys = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix("-key.pem") }
    #expect(Set(keys) == ["ca-key.pem", "node-a-key.pem", "router-key.pem", "server-key.pem"])
    for key in keys {
      let attributes = try FileManager.default.attributesOfItem(
        atPath: folder.appendingPathComponent(key).path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
    let before = try String(contentsOfFile: file("node-a"), encoding: .utf8)
    try await makeCertificates(["--node", "b,10.0.0.6"])
    #expect(try String(contentsOfFile: file("node-a"), encoding: .utf8) == before)
    let verified = try ChildProcess(
      "/bin/sh",
      [
        "-c",
        "openssl verify -x509_strict -CAfile \(file("ca")) \(file("node-a")) \(file("node-b")) "
          + "\(file("router")) \(file("server"))",
      ])
    #expect(try await verified.waitForExit() == 0, "\(verified.output)")
    let shown = try await Fairlead.run(["certs", "show", file("node-b")])
    #expect(shown.output.contains("b,10.0.0.6"), "\(shown.output)")
  }

  private static let connecting = """
    import socket, ssl, sys
    port, authorities, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    context = ssl.create_default_context(cafile=authorities)
    for number in range(count):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            peer = context.wrap_socket(raw, server_hostname="localhost")
            peer.sendall(b"GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
            while peer.recv(65536):
                pass
            if number % 2:
                peer.unwrap()
    """

  /// Under the address sanitizer, whose allocator keeps for a while what is freed, `serve` itself says when it
  /// ends what it has lost.
  @Test func aConnectionLeavesNoMemoryBehind() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await makeCertificates()
    let serve = try Fairlead.start([
      "serve", "--listen", "127.0.0.1:0", "--tls-cert", file("server"), "--tls-key",
      file("server-key"),
    ])
    let port = try TestSupport.port(in: try await serve.line(with: "serves on https://"))
    func connect(_ count: Int) async throws {
      let client = try ChildProcess(
        "/usr/bin/python3", ["-c", Self.connecting, "\(port)", file("ca"), "\(count)"])
      #expect(try await client.waitForExit(atMost: .seconds(100)) == 0, "\(client.output)")
    }
    func residentBytes() throws -> Int {
      let text = try String(contentsOfFile: "/proc/\(serve.pid)/statm", encoding: .utf8)
      return (Int(text.split(separator: " ")[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
    // What an SSL holds is some 10 KB or more; buffers and caches fill at first.
    try await connect(500)
    let before = try residentBytes()
    try await connect(2_000)
    let isWatched = ProcessInfo.processInfo.environment["ASAN_OPTIONS"] != nil
    #expect(try residentBytes() - before < 2_000 * 1_024 || isWatched)
    serve.signal(SIGTERM)
    #expect(try await serve.waitForExit() == 0)
  }
}

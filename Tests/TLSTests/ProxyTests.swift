// Behind HAProxy: as a passthrough, where TLS ends at the router, and re-encrypting, where it ends twice (promise P9).

import Foundation
import NIOCore
import TLS
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2 * patience))) struct ProxyTests {
  let certificates: TestCertificates

  init() throws { certificates = try TestCertificates() }

  /// An HAProxy in TCP mode before `target`.
  private func haproxy(bind: String, server: String, target: Int) async throws -> (
    process: ChildProcess, port: Int
  ) {
    let port = try freePort()
    let text = """
      defaults
        mode tcp
        timeout connect 5s
        timeout client 1m
        timeout server 1m
      frontend front
        bind 127.0.0.1:\(port) \(bind)
        default_backend back
      backend back
        server one 127.0.0.1:\(target) \(server)

      """
    let file = certificates.path("haproxy")
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    let process = try ChildProcess("/usr/sbin/haproxy", ["-db", "-f", file])
    try await eventually("haproxy listens") {
      guard process.isRunning else { throw ChildError("haproxy: \(process.output)") }
      return (try? await Connection(nil, port: port).close()) != nil
    }
    return (process, port)
  }

  private func exchange(_ client: TLSContext, port: Int) async throws {
    let connection = try await Connection(client, port: port)
    let sent = ByteBuffer(bytes: (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 * 7) })
    try await connection.channel.writeAndFlush(sent)
    try await eventually("all of the echo") {
      connection.observer.bytes.readableBytes >= sent.readableBytes
    }
    #expect(connection.observer.bytes == sent)
    #expect(connection.observer.error == nil)
    try await connection.close()
  }

  @Test func aProxyMayPassTLSThrough() async throws {
    let context = try certificates.server()
    let server = try await EchoServer({ context })
    let (process, port) = try await haproxy(bind: "", server: "", target: server.port)
    try await exchange(certificates.client(), port: port)
    process.signal(SIGTERM)
    try await server.close()
  }

  @Test func aProxyMayEncryptAnewWithCertificatesOfItsOwn() async throws {
    // HAProxy shows one certificate to the client, and demands and shows another to the server.
    let context = try certificates.server(clientCA: certificates.ca)
    let server = try await EchoServer({ context })
    for (name, use) in [("front", CertificateAuthority.Use.server), ("inner", .client)] {
      let identity = try certificates.issue(name, use: use)
      let both = try [identity.certificate, identity.key].map {
        try String(contentsOfFile: $0, encoding: .utf8)
      }
      try both.joined().write(
        toFile: certificates.path(name + "-both"), atomically: true, encoding: .utf8)
    }
    let (process, port) = try await haproxy(
      bind: "ssl crt \(certificates.path("front-both"))",
      server: "ssl verify required ca-file \(certificates.ca) verifyhost localhost "
        + "crt \(certificates.path("inner-both"))", target: server.port)
    try await exchange(certificates.client(), port: port)
    process.signal(SIGTERM)
    try await server.close()
  }
}

// A router that shuts down says the same to a client over TLS as to one without it: GOAWAY, and to who does not go, the
// close by 1012 (promise P10).

import Foundation
import NIOCore
import TLS
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct GoodbyeTests {
  private let certificates: TestCertificates

  init() throws { certificates = try TestCertificates() }

  /// All that a client hears that stays to the end.
  private func goodbye(byTLS isEncrypted: Bool) async throws -> [String] {
    let identity = try certificates.issue()
    let files = ["--tls-cert", identity.certificate, "--tls-key", identity.key]
    let serve = try Fairlead.start(
      ["serve", "--no-auth", "--listen", "127.0.0.1:0"] + (isEncrypted ? files : []))
    let port = try TestSupport.port(in: try await serve.line(with: "serves on"))
    let client = try await Connection(isEncrypted ? certificates.client() : nil, port: port)
    try await client.send(RawClient.upgradeRequest)
    try await eventually("the upgrade") { client.observer.text.contains("\r\n\r\n") }
    let hello = Frame.hello(Hello(client: .random())).bytes(stream: 0)
    try await client.send(WebSocketMessage.bytes(WebSocketMessage.binary, hello))
    func messages() -> [WebSocketMessage] {
      var bytes = client.observer.bytes
      let end = bytes.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8))
      bytes.moveReaderIndex(to: end?.upperBound ?? bytes.writerIndex)
      return WebSocketMessage.parse(bytes)
    }
    try await eventually("WELCOME") {
      try WebSocketMessage.frames(messages()).contains { $0.frame.type == .welcome }
    }
    serve.signal(SIGTERM)
    try await eventually("the end") { client.observer.isClosed }
    #expect(try await serve.waitForExit() == 0)
    #expect(client.observer.error == nil, "it is cut, and not ended")
    let frames = try WebSocketMessage.frames(messages()).map(\.frame)
    return frames.filter { $0.type == .goAway }.map { "\($0)" }
      + messages().compactMap(\.closing).map { "\($0.code) \($0.reason)" }
  }

  @Test func aRouterThatLeavesSaysTheSameWithTLSAndWithoutIt() async throws {
    let plain = try await goodbye(byTLS: false)
    let encrypted = try await goodbye(byTLS: true)
    #expect(plain == encrypted)
    #expect(plain.count == 2 && plain[0].contains("this router is shutting down"), "\(plain)")
    #expect(plain.last?.hasPrefix("1012 ") == true, "\(plain)")
  }
}

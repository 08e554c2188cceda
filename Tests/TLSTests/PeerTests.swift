// The handler against other implementations, both ways round: OpenSSL's own tools and Python's ssl (promise P9).

import Foundation
import NIOCore
import TLS
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct PeerTests {
  let certificates: TestCertificates
  /// Of a CA that nobody here trusts.
  let strangers: TestCertificates

  init() throws {
    certificates = try TestCertificates()
    strangers = try TestCertificates("another CA")
  }

  private func echo(
    clientCA: String? = nil, protocols: [String] = [], halfCloses: Bool = false
  ) async throws -> EchoServer {
    let context = try certificates.server(clientCA: clientCA, protocols: protocols)
    return try await EchoServer({ context }, halfCloses: halfCloses)
  }

  private func shell(_ script: String) throws -> ChildProcess {
    try ChildProcess("/bin/sh", ["-c", script])
  }

  // MARK: openssl s_client

  /// Sends `input`, and stays until the server closes or the process is ended.
  private func sClient(_ port: Int, _ options: String, input: String = "hello\\n") throws
    -> ChildProcess
  {
    try shell(
      "(printf '\(input)'; exec sleep 60) | exec openssl s_client -connect 127.0.0.1:\(port) "
        + "-servername localhost -CAfile \(certificates.ca) -verify_return_error \(options)")
  }

  /// One that the server is to refuse: it ends by itself.
  private func refusedSClient(_ port: Int, _ options: String) async throws -> String {
    let client = try shell(
      "exec openssl s_client -ign_eof -connect 127.0.0.1:\(port) -CAfile \(certificates.ca) "
        + "\(options) < /dev/null")
    #expect(try await client.waitForExit() != 0)
    return client.output
  }

  @Test(arguments: ["-tls1_2", "-tls1_3"])
  func openSSLClientsAreServed(version: String) async throws {
    let server = try await echo(protocols: ["http/1.1"])
    let client = try sClient(server.port, "\(version) -alpn h2,http/1.1 -verify_hostname localhost")
    _ = try await client.line(with: "hello")
    #expect(client.output.contains("ALPN protocol: http/1.1"))
    #expect(client.output.contains("Verification: OK"))
    client.signal(SIGKILL)
    try await server.close()
  }

  @Test func oldVersionsAreRefused() async throws {
    let server = try await echo()
    _ = try await refusedSClient(server.port, "-tls1_1 -cipher DEFAULT@SECLEVEL=0")
    let observer = try await server.observer()
    try await eventually("the server refuses") { observer.error != nil }
    #expect(observer.error?.message.contains("1.2 or 1.3 is needed") == true)
    try await server.close()
  }

  @Test func ticketsResumeASession() async throws {
    let server = try await echo()
    let session = certificates.path("session")
    // TLS 1.3 brings its tickets with the first data.
    let first = try sClient(server.port, "-tls1_3 -sess_out \(session)")
    _ = try await first.line(with: "hello")
    first.signal(SIGKILL)
    let second = try sClient(server.port, "-tls1_3 -sess_in \(session)")
    _ = try await second.line(with: "hello")
    #expect(second.output.contains("Reused, TLSv1.3"))
    second.signal(SIGKILL)
    try await server.close()
  }

  @Test func renegotiationIsRefused() async throws {
    let server = try await echo()
    // s_client renegotiates when the first letter is R.
    let client = try sClient(server.port, "-tls1_2", input: "R\\n")
    _ = try await client.line(with: "RENEGOTIATING")
    try await eventually("it is refused") { client.output.contains("no renegotiation") }
    client.signal(SIGKILL)
    try await server.close()
  }

  @Test func openSSLClientsWithoutACertificateAreRefused() async throws {
    let server = try await echo(clientCA: certificates.ca)
    let refusal = try await refusedSClient(server.port, "")
    #expect(refusal.contains("certificate required"))
    let observer = try await server.observer()
    try await eventually("the server has closed") { observer.isClosed }
    #expect(observer.error?.message.contains("sent no certificate") == true)
    let identity = try certificates.issue("client", hosts: [], use: .client)
    let known = try sClient(server.port, "-cert \(identity.certificate) -key \(identity.key)")
    _ = try await known.line(with: "hello")
    known.signal(SIGKILL)
    try await server.close()
  }

  // MARK: openssl s_server

  private func sServer(
    _ options: String, identity: TLSConfiguration.Identity? = nil
  ) async throws -> (process: ChildProcess, port: Int) {
    let identity = try identity ?? certificates.issue()
    let port = try freePort()
    let process = try shell(
      "exec openssl s_server -accept 127.0.0.1:\(port) -cert \(identity.certificate) "
        + "-key \(identity.key) -rev \(options)")
    _ = try await process.line(with: "ACCEPT")
    return (process, port)
  }

  @Test(arguments: ["-tls1_2", "-tls1_3"])
  func openSSLServersAreSpokenTo(version: String) async throws {
    let (process, port) = try await sServer(version)
    let client = try await Connection(certificates.client(), port: port)
    try await client.send("fairlead\n")
    try await eventually("the reversed line") { client.observer.text == "daelriaf\n" }
    try await client.close()
    process.signal(SIGKILL)
  }

  @Test func oldServersAreRefused() async throws {
    let (process, port) = try await sServer("-tls1_1 -cipher DEFAULT@SECLEVEL=0")
    let client = try await Connection(certificates.client(), port: port)
    try await eventually("it fails") { client.observer.isClosed }
    #expect(client.observer.error?.message.contains("TLS version") == true)
    process.signal(SIGKILL)
  }

  @Test func aServerThatDemandsACertificateSaysSo() async throws {
    let (process, port) = try await sServer(
      "-Verify 1 -CAfile \(certificates.ca) -verify_return_error")
    let none = try await Connection(certificates.client(), port: port)
    try await eventually("it is refused") { none.observer.isClosed }
    #expect(none.observer.error?.message.contains("demands a client certificate") == true)
    let identity = try certificates.issue("client", hosts: [], use: .client)
    let known = try await Connection(certificates.client(identity: identity), port: port)
    try await known.send("ab\n")
    try await eventually("the answer") { known.observer.text == "ba\n" }
    try await known.close()
    process.signal(SIGKILL)
  }

  // MARK: Certificates with a fault

  /// What is wrong with the certificate that one end shows.
  enum Fault: CaseIterable {
    case otherHost, expired, notYetValid, unknownCA, otherUse

    /// What we say of a peer's.
    var words: String {
      switch self {
      case .otherHost: "is not for \"localhost\": it is for \"other.example.com\""
      case .expired: "has expired: it was valid until 20"
      case .notYetValid: "is not valid yet: it is valid from 20"
      case .unknownCA: "comes from an unknown CA (CN=another CA)"
      case .otherUse: "is not made for this use"
      }
    }

    /// What OpenSSL tells us of ours, in our words. It has no alert for a host or a time to come.
    var answer: String {
      switch self {
      case .expired: "has expired"
      case .unknownCA: "does not know the CA of this server's certificate"
      case .otherHost, .notYetValid, .otherUse: "does not accept this server's certificate"
      }
    }
  }

  private func identity(
    _ fault: Fault, for use: CertificateAuthority.Use
  ) throws -> TLSConfiguration.Identity {
    switch fault {
    case .otherHost: try certificates.issue("faulty", hosts: ["other.example.com"], use: use)
    case .expired:
      try certificates.issue("faulty", use: use, validity: TestCertificates.now(-7_200, -60))
    case .notYetValid:
      try certificates.issue("faulty", use: use, validity: TestCertificates.now(3_600, 7_200))
    case .unknownCA: try strangers.issue("faulty", use: use)
    case .otherUse: try certificates.issue("faulty", use: use == .server ? .client : .server)
    }
  }

  @Test(arguments: Fault.allCases, ["-tls1_2", "-tls1_3"])
  func openSSLServersWithAFaultAreRefused(fault: Fault, version: String) async throws {
    let (process, port) = try await sServer(version, identity: identity(fault, for: .server))
    let client = try await Connection(certificates.client(), port: port)
    try await eventually("it is refused") { client.observer.isClosed }
    #expect(client.observer.error?.code == .verification)
    let message = client.observer.error?.message ?? ""
    #expect(message.contains(fault.words), "\(message)")
    #expect(!client.observer.isHandshaken)
    try await eventually("the server is told") { process.output.contains("SSL alert number") }
    process.signal(SIGKILL)
  }

  @Test(arguments: Fault.allCases.filter { $0 != .otherHost }, ["-tls1_2", "-tls1_3"])
  func openSSLClientsWithAFaultAreRefused(fault: Fault, version: String) async throws {
    let server = try await echo(clientCA: certificates.ca)
    let identity = try identity(fault, for: .client)
    let refusal = try await refusedSClient(
      server.port, "\(version) -cert \(identity.certificate) -key \(identity.key)")
    #expect(refusal.contains("SSL alert number"), "\(refusal)")
    let observer = try await server.observer()
    try await eventually("it is refused") { observer.isClosed }
    #expect(observer.error?.code == .verification)
    let message = observer.error?.message ?? ""
    #expect(message.contains(fault.words), "\(message)")
    #expect(!observer.isHandshaken)
    try await server.close()
  }

  @Test(arguments: Fault.allCases)
  func openSSLClientsThatRefuseUsAreHeard(fault: Fault) async throws {
    let context = try certificates.server(identity(fault, for: .server))
    let server = try await EchoServer({ context })
    _ = try await refusedSClient(
      server.port, "-servername localhost -verify_hostname localhost -verify_return_error")
    let observer = try await server.observer()
    try await eventually("the refusal is heard") { observer.isClosed }
    #expect(observer.error?.code == .refused)
    let message = observer.error?.message ?? ""
    #expect(message.contains(fault.answer), "\(message)")
    try await server.close()
  }

  // MARK: Python

  private static let data = Data((0..<200_000).map { UInt8($0 % 251) })

  private static let pythonServer = """
    import os, socket, ssl, sys
    mode, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print("listens:%d" % listener.getsockname()[1], flush=True)
    raw, _ = listener.accept()
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer = context.wrap_socket(raw, server_side=True)
    data = bytes(i % 251 for i in range(200_000))
    if mode == "bytes":
        for i in range(3_000):
            peer.send(data[i:i + 1])
        peer.unwrap()
    elif mode == "records":
        peer.sendall(data)
        peer.unwrap()
    elif mode == "cut":
        peer.sendall(data[:3_000])
        os.close(peer.detach())
    """

  @Test(arguments: [("bytes", 3_000), ("records", 200_000), ("cut", 3_000)])
  func pythonServersAreSpokenTo(mode: String, count: Int) async throws {
    let identity = try certificates.issue()
    let process = try ChildProcess(
      "/usr/bin/python3", ["-c", Self.pythonServer, mode, identity.certificate, identity.key])
    let port = try TestSupport.port(in: try await process.line(with: "listens:"))
    let client = try await Connection(certificates.client(), port: port)
    try await eventually("it closes") { client.observer.isClosed }
    #expect(Data(client.observer.bytes.readableBytesView) == Self.data.prefix(count))
    #expect(client.observer.error?.code == (mode == "cut" ? .truncated : nil))
    #expect(try await process.waitForExit() == 0, "\(process.output)")
  }

  private static let pythonClient = """
    import os, socket, ssl, sys
    mode, port, authorities = sys.argv[1:]
    context = ssl.create_default_context(cafile=authorities)
    raw = socket.create_connection(("127.0.0.1", int(port)))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer = context.wrap_socket(raw, server_hostname="localhost")
    data = bytes(i % 251 for i in range(200_000))
    count = 3_000 if mode == "bytes" else 200_000
    if mode == "bytes":
        for i in range(count):
            peer.send(data[i:i + 1])
    else:
        peer.sendall(data)
    answer = b""
    while len(answer) < count:
        answer += peer.recv(65536)
    assert answer == data[:count]
    if mode == "cut":
        os.close(peer.detach())
    else:
        peer.unwrap()
    print("done")
    """

  @Test(arguments: ["bytes", "records", "cut"], [false, true])
  func pythonClientsAreServed(mode: String, halfCloses: Bool) async throws {
    let server = try await echo(halfCloses: halfCloses && mode == "cut")
    let process = try ChildProcess(
      "/usr/bin/python3", ["-c", Self.pythonClient, mode, "\(server.port)", certificates.ca])
    #expect(try await process.waitForExit() == 0, "\(process.output)")
    let observer = try await server.observer()
    try await eventually("the end is seen") { observer.isClosed }
    #expect(observer.error?.code == (mode == "cut" ? .truncated : nil))
    try await server.close()
  }

  @Test func pythonRefusesAnotherHost() async throws {
    let identity = try certificates.issue("other", hosts: ["other.example.com"])
    let context = try certificates.server(identity)
    let server = try await EchoServer({ context })
    let process = try ChildProcess(
      "/usr/bin/python3", ["-c", Self.pythonClient, "bytes", "\(server.port)", certificates.ca])
    #expect(try await process.waitForExit() != 0)
    let observer = try await server.observer()
    try await eventually("the refusal is heard") { observer.isClosed }
    #expect(observer.error?.code == .refused)
    try await server.close()
  }
}

// Python's ssl as a peer that stops in the middle of a handshake, at each of its steps, in either role
// and version: it is cut at the deadline, and told so (promises P7 and P10).

import NIOCore
import TLS
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct StallTests {
  let certificates: TestCertificates

  init() throws { certificates = try TestCertificates() }

  /// Where the peer stops.
  struct Stall: CustomTestStringConvertible {
    var version: String
    /// How many of its flights it has sent whole.
    var flights: Int
    /// How much it sends of the next one.
    var part: Double
    var testDescription: String { "\(version), in flight \(flights) after \(part) of it" }
  }

  private static func stalls(_ steps: [(version: String, flights: Int)]) -> [Stall] {
    steps.flatMap { step in
      (0..<step.flights).flatMap { flights in
        [0, 0.5].map { Stall(version: step.version, flights: flights, part: $0) }
      }
    }
  }

  /// RFC 5246, section 7.3; RFC 8446, section 2. A server of TLS 1.3 has one flight, since nobody waits
  /// for its tickets.
  private static let clients = stalls([("TLSv1_2", 2), ("TLSv1_3", 2)])
  private static let servers = stalls([("TLSv1_2", 2), ("TLSv1_3", 1)])

  private static let peer = """
    import socket, ssl, sys
    role, port, version, flights, part, *files = sys.argv[1:]
    serves = role == "server"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serves else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    if serves:
        context.load_cert_chain(*files)
        listener = socket.create_server(("127.0.0.1", 0))
        print("listens:%d" % listener.getsockname()[1], flush=True)
        raw, _ = listener.accept()
    else:
        context.load_verify_locations(*files)
        raw = socket.create_connection(("127.0.0.1", int(port)))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = context.wrap_bio(incoming, outgoing, serves, None if serves else "localhost")
    sent = 0
    try:
        while True:
            try:
                peer.do_handshake()
            except ssl.SSLWantReadError:
                pass
            flight = outgoing.read()
            if flight and sent == int(flights):
                raw.sendall(flight[:int(len(flight) * float(part))])
                print("stalls", flush=True)
                break
            if flight:
                raw.sendall(flight)
                sent += 1
            data = raw.recv(65536)
            if not data:
                sys.exit("cut before it stalled")
            incoming.write(data)
        while raw.recv(65536):
            pass
    except ConnectionResetError:
        pass
    print("was cut")
    """

  private func start(_ role: String, port: Int = 0, _ stall: Stall, _ files: [String]) throws
    -> ChildProcess
  {
    try ChildProcess(
      "/usr/bin/python3",
      ["-c", Self.peer, role, "\(port)", stall.version, "\(stall.flights)", "\(stall.part)"] + files
    )
  }

  @Test(arguments: clients)
  func aClientThatStallsIsCut(stall: Stall) async throws {
    let context = try certificates.server()
    let server = try await EchoServer({ context }, deadline: .seconds(5))
    let client = try start("client", port: server.port, stall, [certificates.ca])
    #expect(try await client.waitForExit() == 0, "\(client.output)")
    #expect(client.output.contains("stalls\nwas cut"), "\(client.output)")
    let observer = try await server.observer()
    try await eventually("it is cut") { observer.isClosed }
    #expect(observer.error?.code == .timeout)
    #expect(!observer.isHandshaken)
    try await server.close()
  }

  @Test(arguments: servers)
  func aServerThatStallsIsCut(stall: Stall) async throws {
    let identity = try certificates.issue()
    let server = try start("server", stall, [identity.certificate, identity.key])
    let port = try TestSupport.port(in: try await server.line(with: "listens:"))
    let client = try await Connection(certificates.client(), port: port, deadline: .seconds(5))
    #expect(try await server.waitForExit() == 0, "\(server.output)")
    #expect(server.output.contains("stalls\nwas cut"), "\(server.output)")
    try await eventually("it is cut") { client.observer.isClosed }
    #expect(client.observer.error?.code == .timeout)
    #expect(client.observer.error?.message.contains("5.0 s") == true)
    #expect(!client.observer.isHandshaken)
  }
}

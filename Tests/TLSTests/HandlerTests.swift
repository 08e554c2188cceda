// The handler on sockets: its deadline, what is written early, back-pressure, closing and truncation (promises P6, P9).

import Foundation
import Logging
import NIOCore
import TLS
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct HandlerTests {
  let certificates: TestCertificates

  init() throws { certificates = try TestCertificates() }

  private func server(deadline: TimeAmount = .seconds(30), halfCloses: Bool = false) async throws
    -> EchoServer
  {
    let context = try certificates.server()
    return try await EchoServer({ context }, deadline: deadline, halfCloses: halfCloses)
  }

  @Test func whatIsWrittenBeforeTheHandshakeArrives() async throws {
    let server = try await server()
    let client = try await Connection(certificates.client(), port: server.port)
    for number in 0..<100 {
      client.channel.write(ByteBuffer(string: "\(number) "), promise: nil)
    }
    try await client.send("end")
    let expected = (0..<100).map { "\($0) " }.joined() + "end"
    try await eventually("the echo") { client.observer.text == expected }
    try await client.close()
    try await eventually("the server sees the end") { server.observers[0].isClosed }
    #expect(server.observers[0].error == nil)
    try await server.close()
  }

  @Test func whatIsWrittenBeforeTheHandshakeIsBounded() async throws {
    let silent = try await SilentServer { _ in nil }
    let client = try await Connection(certificates.client(), port: silent.port)
    let piece = ByteBuffer(repeating: 1, count: 512 * 1024)
    for _ in 0..<3 { client.channel.writeAndFlush(piece, promise: nil) }
    try await eventually("it is closed") { client.observer.isClosed }
    #expect(client.observer.error?.code == .limit)
    try await silent.close()
  }

  @Test func largeTransfersGoBothWays() async throws {
    let server = try await server()
    let client = try await Connection(certificates.client(), port: server.port)
    var sent = ByteBuffer()
    for number in 0..<2_000_000 { sent.writeInteger(UInt32(number)) }
    let all = sent
    try await client.channel.writeAndFlush(all)
    try await eventually("all of the echo") {
      client.observer.bytes.readableBytes >= all.readableBytes
    }
    #expect(client.observer.bytes == all)
    try await client.close()
    try await server.close()
  }

  @Test func nothingIsDeliveredThatWasNotAskedFor() async throws {
    let server = try await server()
    let client = try await Connection(
      certificates.client(), port: server.port, readsByItself: false)
    try await client.send("hello")
    try await eventually("the server hears it") {
      server.observers.first?.text == "hello"
    }
    try await eventually("the client, too, is told of the handshake") {
      client.observer.isHandshaken
    }
    #expect(client.observer.text == "")
    client.channel.read()
    try await eventually("the echo") { client.observer.text == "hello" }
    try await client.send("again")
    try await eventually("the server hears it") { server.observers[0].text == "helloagain" }
    #expect(client.observer.text == "hello")
    try await client.channel.setOption(.autoRead, value: true).get()
    try await eventually("the echo") { client.observer.text == "helloagain" }
    try await client.send("!")
    try await eventually("the echo") { client.observer.text == "helloagain!" }
    try await client.close()
    try await server.close()
  }

  // MARK: Ends

  @Test func theEndOfDataLeavesTheOtherWayOpen() async throws {
    let server = try await server(halfCloses: true)
    let client = try await Connection(certificates.client(), port: server.port)
    try await client.send("question")
    try await client.channel.close(mode: .output)
    try await eventually("the server sees the end") { server.observers.first?.inputEnded == true }
    try await eventually("the answer") { client.observer.text == "question" }
    #expect(server.observers[0].error == nil)
    try await client.close()
    try await server.close()
  }

  @Test(arguments: [false, true])
  func anEndWithoutCloseNotifyIsTold(halfCloses: Bool) async throws {
    let server = try await server(halfCloses: halfCloses)
    let relay = try await Relay(to: server.port)
    let client = try await Connection(certificates.client(), port: relay.port)
    try await client.send("a part of")
    try await eventually("the echo") { client.observer.text == "a part of" }
    try await relay.cut()
    try await eventually("both ends") {
      client.observer.isClosed && server.observers[0].isClosed
    }
    #expect(client.observer.error?.code == .truncated)
    #expect(server.observers[0].error?.code == .truncated)
    try await server.close()
  }

  @Test(arguments: ["GET", "DELETE", "OPTIONS", "PATCH"])
  func plainHTTPIsAnsweredWhateverItsMethod(method: String) async throws {
    let context = try certificates.server()
    let server = try await EchoServer({ context })
    let client = try await Connection(nil, port: server.port)
    try await client.send("\(method) /v1/sessions HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try await eventually("the answer, and the end") { client.observer.isClosed }
    #expect(client.observer.text.hasPrefix("HTTP/1.1 400 "), "\(client.observer.text)")
    #expect(client.observer.text.contains("this port speaks TLS"))
    try await server.close()
  }

  @Test func anEndDuringTheHandshakeIsTold() async throws {
    let server = try await server()
    let bare = try await Connection(nil, port: server.port)
    _ = try await server.observer()
    try await bare.close()
    try await eventually("the server sees it") { server.observers[0].isClosed }
    #expect(server.observers[0].error?.message.contains("during the TLS handshake") == true)
    try await server.close()
  }

  // MARK: Peers that stall

  /// How much of its side of the handshake a peer sends before it stalls.
  static let stalls = [0.0, 0.01, 0.5, 0.99, 1.0]

  @Test(arguments: stalls, [false, true])
  func aClientThatStallsIsCut(part: Double, inLastFlight: Bool) async throws {
    let isWhole = inLastFlight && part == 1
    let server = try await server(deadline: isWhole ? .seconds(60) : .seconds(1))
    let context = try certificates.client()
    let bare = try await Connection(port: server.port) {
      try Stalling(context, part: part, inLastFlight: inLastFlight)
    }
    let observer = try await server.observer()
    if isWhole {
      try await eventually("the handshake is over") { observer.isHandshaken }
    } else {
      try await eventually("it is cut") { observer.isClosed && bare.observer.isClosed }
      #expect(observer.error?.code == .timeout)
    }
    try? await bare.close()
    try await server.close()
  }

  @Test(arguments: stalls.dropLast())
  func aServerThatStallsIsCut(part: Double) async throws {
    let context = try certificates.server()
    let silent = try await SilentServer { hello in
      guard let connection = try? TLSConnection(context) else { return nil }
      _ = connection.start()
      _ = connection.receive(hello)
      var flight = connection.takeCiphertext() ?? ByteBuffer()
      return flight.readSlice(length: Int(Double(flight.readableBytes) * part))
    }
    let client = try await Connection(
      certificates.client(), port: silent.port, deadline: .milliseconds(500))
    try await eventually("it is cut") { client.observer.isClosed }
    #expect(client.observer.error?.code == .timeout)
    #expect(client.observer.error?.message.contains("0.5 s") == true)
    try await silent.close()
  }

  // MARK: Reload

  @Test func certificatesChangeUnderLiveConnections() async throws {
    let live = 500
    let identity = try certificates.issue("server", hosts: ["localhost"])
    let credentials = try TLSCredentials(.server([identity]), logger: quiet)
    let server = try await EchoServer({ credentials.context })
    let context = try certificates.client()
    let clients = try await withThrowingTaskGroup(of: Connection.self) { tasks in
      for _ in 0..<live {
        tasks.addTask { try await Connection(context, port: server.port) }
      }
      return try await tasks.reduce(into: []) { $0.append($1) }
    }
    for client in clients { try await client.send("before ") }
    try await eventually("all echo") { clients.allSatisfy { $0.observer.text == "before " } }

    try certificates.issue("server", hosts: ["new.example.com"])
    #expect(credentials.reload() == nil)
    for client in clients { try await client.send("after") }
    try await eventually("all echo still") {
      clients.allSatisfy { $0.observer.text == "before after" }
    }
    let new = try await Connection(context, names: ["new.example.com"], port: server.port)
    try await new.send("hello")
    try await eventually("the new one echoes") { new.observer.text == "hello" }
    #expect(clients.allSatisfy { $0.observer.error == nil && !$0.observer.isClosed })
    for client in clients + [new] { try await client.close() }
    try await server.close()
  }

  @Test func brokenFilesChangeNothing() throws {
    let identity = try certificates.issue()
    let credentials = try TLSCredentials(.server([identity]), logger: quiet)
    let before = credentials.context
    try "junk".write(toFile: identity.certificate, atomically: true, encoding: .utf8)
    #expect(credentials.reload()?.message.contains("holds no certificate") == true)
    #expect(credentials.context === before)
    try certificates.issue()
    #expect(credentials.reload() == nil)
    #expect(credentials.context !== before)
  }

  @Test func changedFilesAreNoticed() async throws {
    let credentials = try TLSCredentials(.server([certificates.issue()]), logger: quiet)
    let before = credentials.context
    let watching = Task { await credentials.watch(every: .milliseconds(20)) }
    try certificates.issue()
    try await eventually("the new certificate is used") { credentials.context !== before }
    watching.cancel()
  }

  /// Holds a connection no longer than others do; confined to its loop.
  private final class Weak {
    weak var connection: TLSConnection?
    init(_ connection: TLSConnection) { self.connection = connection }
  }

  @Test func closedConnectionsAreFreed() async throws {
    let server = try await server()
    for _ in 0..<20 {
      let client = try await Connection(certificates.client(), port: server.port)
      let loop = client.channel.eventLoop
      let weak = try await client.channel.pipeline.handler(type: TLSHandler.self)
        .map { NIOLoopBound(Weak($0.connection), eventLoop: loop) }.get()
      try await client.send("x")
      try await eventually("the echo") { client.observer.text == "x" }
      try await client.close()
      try await eventually("it is freed") {
        try await loop.submit { weak.value.connection == nil }.get()
      }
    }
    try await server.close()
  }
}

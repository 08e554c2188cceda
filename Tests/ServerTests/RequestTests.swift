// A real `fairlead serve` and clients that speak HTTP by hand: what a connection may carry, in which order, for
// how long, and that each request gets one answer (promise P9).

import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

/// A server, and what a connection to it heard.
private struct Door {
  let process: ChildProcess
  let port: Int

  init(_ options: [String] = ["--no-auth"]) async throws {
    process = try Fairlead.start(["serve", "--listen", "127.0.0.1:0"] + options)
    // What it prints may be another address than its own, which is in its log.
    port = try TestSupport.port(in: try await process.line(with: "ready for clients"))
    _ = try await process.line(with: "serves on")
  }

  func connect() async throws -> RawClient { try await RawClient.connect(port: port) }

  /// Sends `text` on a connection of its own, and returns all that came until the server ended it.
  func ask(_ text: String) async throws -> String {
    let client = try await connect()
    client.send(text)
    try await eventually("the connection ends") { client.isClosed }
    return String(buffer: client.received)
  }
}

extension RawClient {
  fileprivate var text: String { String(decoding: received.readableBytesView, as: UTF8.self) }

  /// Waits until `count` answers have begun and the last one is whole, as far as `end` tells.
  fileprivate func hears(_ end: String, answers count: Int) async throws {
    try await eventually("\(count) answers, the last one with \(end)") {
      text.ranges(of: "HTTP/1.").count >= count && text.contains(end)
    }
  }

  /// WebSocket's frames behind the 101.
  fileprivate var framesAfterUpgrade: [Frame] {
    get throws {
      let bytes = Array(received.readableBytesView)
      func place(of text: String, from start: Int) -> Int? {
        let wanted = Array(text.utf8)
        return bytes.indices.dropFirst(start).first {
          bytes[$0...].prefix(wanted.count).elementsEqual(wanted)
        }
      }
      guard let answer = place(of: " 101 ", from: 0),
        let offset = place(of: "\r\n\r\n", from: answer)
      else { return [] }
      return try WebSocketMessage.frames(
        WebSocketMessage.parse(ByteBuffer(bytes: bytes[(offset + 4)...]))
      ).map(\.frame)
    }
  }

  fileprivate func isWelcomed() async throws {
    try await eventually("WELCOME") {
      try framesAfterUpgrade.contains { $0.type == .welcome } || isClosed
    }
    #expect(try framesAfterUpgrade.first?.type == .welcome, "\(text.prefix(2_000))")
  }
}

private let hello = WebSocketMessage.bytes(
  WebSocketMessage.binary, Frame.hello(Hello(client: .random())).bytes(stream: 0))

@Suite(.timeLimit(.minutes(2 * patience))) struct RequestTests {
  // MARK: Any request may be the upgrade

  @Test func anUpgradeMayComeAfterOtherRequests() async throws {
    let door = try await Door()
    let client = try await door.connect()
    client.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try await client.hears("ok\n", answers: 1)
    client.send("HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try await client.hears(" 404 ", answers: 2)
    client.send(
      "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n")
    try await client.hears(" 400 ", answers: 3)
    // HELLO does not wait for the 101.
    client.send(Array(RawClient.upgradeRequest.utf8) + hello)
    try await client.isWelcomed()
    #expect(client.text.ranges(of: "HTTP/1.1 ").count == 4)
  }

  @Test func anUpgradeMayBePipelinedBehindARequest() async throws {
    let door = try await Door()
    let client = try await door.connect()
    client.send(
      Array("GET /v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        + Array(RawClient.upgradeRequest.utf8) + hello)
    try await client.isWelcomed()
    #expect(client.text.contains("fairlead.v1\"]"))
  }

  @Test func anUpgradeMayNameItsTargetInFull() async throws {
    let door = try await Door()
    let client = try await door.connect()
    client.send(
      Array(
        RawClient.upgradeRequest.replacing(
          "GET /v1", with: "GET http://127.0.0.1:\(door.port)/v1"
        ).replacing(
          "Host: localhost", with: "Host: localhost\r\nOrigin: http://127.0.0.1:\(door.port)"
        )
        .utf8) + hello)
    try await client.isWelcomed()
  }

  @Test func anUpgradeThatIsRefusedIsAnsweredOnceAndEndsTheConnection() async throws {
    let door = try await Door()
    let request = RawClient.upgradeRequest.replacing(
      "Host: localhost", with: "Host: localhost\r\nOrigin: https://evil.example")
    let answer = try await door.ask(
      "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + request
        + "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 200"))
    #expect(answer.contains("HTTP/1.1 403"))
    #expect(answer.ranges(of: "HTTP/1.1 ").count == 2)
  }

  @Test(
    "what a proxy has taken out of an upgrade is named",
    arguments: [
      ("Upgrade: websocket\r\n", "Upgrade: websocket"),
      ("Connection: Upgrade\r\n", "Connection: upgrade"),
      ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Key"),
    ])
  func strippedUpgrade(line: String, name: String) async throws {
    let door = try await Door()
    let answer = try await door.ask(
      RawClient.upgradeRequest.replacing(line, with: "") + "GET /livez HTTP/1.0\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 426"), "\(answer)")
    #expect(answer.contains(name), "\(answer)")
    #expect(answer.lowercased().contains("\r\nupgrade: websocket\r\n"))
  }

  // MARK: One answer each

  private static func post(_ fields: String, _ body: String, version: String = "1.1") -> String {
    "POST /v1/sessions HTTP/\(version)\r\nHost: localhost\r\n\(fields)\r\n\r\n\(body)"
  }

  private static let wrong: [String] = [
    "GET /livez HTTP/1.1\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: evil@a\r\n\r\n",
    "GET livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n",
    post("Transfer-Encoding: xchunked", "0\r\n\r\n"),
    post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    post("Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n"),
    post("Transfer-Encoding: chunked", "0\r\n\r\n", version: "1.0"),
    post(
      "Content-Type: application/json\r\nTransfer-Encoding: chunked",
      "1ffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    post("Transfer-Encoding: chunked", "xyz\r\n"),
    post("Content-Length: 2\r\nContent-Length: 3", "{}"),
    post("Content-Length: -1", ""),
    "CONNECT a:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ]

  @Test("what is no request, or could be read as two, gets one 400", arguments: wrong)
  func malformed(request: String) async throws {
    let door = try await Door()
    let answer = try await door.ask(request)
    #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
    #expect(answer.ranges(of: "HTTP/1.1 ").count == 1, "\(answer)")
    #expect(try await door.ask("GET /livez HTTP/1.0\r\n\r\n").contains(" 200 "))
  }

  @Test func aBodyThatIsTooLongIsRefusedBeforeItComes() async throws {
    let door = try await Door()
    let long = try await door.ask(
      "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n"
    )
    #expect(long.hasPrefix("HTTP/1.1 4") && long.ranges(of: "HTTP/1.1 ").count == 1, "\(long)")
    let announced = try await door.ask(
      "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    #expect(announced.hasPrefix("HTTP/1.1 413"), "\(announced)")
    let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
    let grown = try await door.ask(
      "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk)
    #expect(grown.hasPrefix("HTTP/1.1 413"), "\(grown)")
    #expect(grown.ranges(of: "HTTP/1.1 ").count == 1)
  }

  /// Half of a body may be a whole object.
  @Test func aBodyThatBreaksOffCreatesNothing() async throws {
    let door = try await Door()
    let client = try await door.connect()
    client.send(
      "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Content-Length: 100\r\n\r\n{\"session\":\"half\"}")
    // What follows on another connection is read later than this.
    #expect(try await door.ask("GET /livez HTTP/1.0\r\n\r\n").contains(" 200 "))
    client.close()
    try await eventually("it is closed") { client.isClosed }
    for _ in 0..<20 {
      let sessions = try await door.ask("GET /v1/sessions HTTP/1.0\r\n\r\n")
      #expect(!sessions.contains("half"))
    }
    #expect(!door.process.output.contains("a request failed"))
  }

  @Test func aNameThatWasMadeToLeadHereGetsNothing() async throws {
    let open = try await Door()
    for request in [
      "GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\n\r\n", RawClient.upgradeRequest,
    ] {
      let rebound = request.replacing("Host: localhost", with: "Host: evil.example:\(open.port)")
      let answer = try await open.ask(rebound)
      #expect(answer.hasPrefix("HTTP/1.1 421 "), "\(answer)")
      #expect(answer.contains("unknown_host") && answer.contains("--public-url"), "\(answer)")
    }
    // Where a token decides, a name is no matter.
    let closed = try await Door([])
    let answer = try await closed.ask("GET /v1/sessions HTTP/1.0\r\nHost: evil.example\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 401 ") || answer.hasPrefix("HTTP/1.0 401 "), "\(answer)")
    let named = try await Door(["--no-auth", "--public-url", "http://term.example.com"])
    let known = try await named.ask("GET /livez HTTP/1.0\r\nHost: term.example.com\r\n\r\n")
    #expect(known.contains(" 200 "), "\(known)")
  }

  // MARK: HEAD, HTTP/1.0, Expect

  @Test func headHasNoBodyWhateverIsAsked() async throws {
    let door = try await Door()
    let client = try await door.connect()
    for (index, path) in ["/readyz", "/", "/v1/nodes", "/v9", "/v1/connect"].enumerated() {
      client.send("HEAD \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
      try await client.hears("\r\n\r\n", answers: index + 1)
    }
    client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try await client.hears("ok\n", answers: 6)
    let answers = client.text.split(separator: "\r\n\r\n")
    let statuses = answers.dropLast().map { $0.split(separator: " ").dropFirst().first ?? "" }
    #expect(statuses == ["200", "200", "200", "404", "426", "200"], "\(client.text)")
    #expect(answers.last == "ok\n")
  }

  @Test func http10IsClosedUnlessItAsksToBeKept() async throws {
    let door = try await Door()
    let answer = try await door.ask("GET /livez HTTP/1.0\r\n\r\n")
    #expect(answer.contains(" 200 ") && answer.hasSuffix("ok\n"))
    #expect(!answer.lowercased().contains("chunked"))
    let kept = try await door.connect()
    for number in 1...2 {
      kept.send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      try await kept.hears("ok\n", answers: number)
    }
    try await eventually("both are answered") { kept.text.ranges(of: "ok\n").count == 2 }
    #expect(kept.text.lowercased().contains("connection: keep-alive"))
  }

  @Test func whoEndsItsOwnSideIsAnsweredStill() async throws {
    let door = try await Door()
    let script = """
      import socket
      line = socket.create_connection(("127.0.0.1", \(door.port)))
      line.sendall(b"GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
      line.shutdown(socket.SHUT_WR)
      answer = b""
      while piece := line.recv(4096): answer += piece
      print(answer.decode())
      """
    let process = try ChildProcess("/usr/bin/env", ["python3", "-c", script])
    #expect(try await process.waitForExit() == 0, "\(process.output)")
    #expect(process.output.contains(" 200 ") && process.output.contains("ok\n"))
  }

  @Test func aBodyIsAskedForOfWhoIsKnown() async throws {
    let expecting =
      "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    let open = try await Door()
    let client = try await open.connect()
    client.send(expecting)
    try await client.hears("HTTP/1.1 100 Continue\r\n\r\n", answers: 1)
    client.send("[1]")
    try await client.hears(" 400 ", answers: 2)
    let closed = try await Door([])
    let answer = try await closed.ask(expecting)
    #expect(answer.hasPrefix("HTTP/1.1 401"), "\(answer)")
    let strange = try await open.ask(expecting.replacing("100-continue", with: "miracles"))
    #expect(strange.hasPrefix("HTTP/1.1 417"), "\(strange)")
  }

  // MARK: Every phase has a time

  /// A byte now and then does not buy more time.
  @Test func aBodyThatDripsIsCut() async throws {
    let head =
      "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      + "Content-Length: 16000\r\n\r\n"
    let open = try await Door()
    let slow = try await open.connect()
    slow.send(head)
    try await eventually("it is cut") {
      slow.send("x")
      return slow.isClosed
    }
    // A reset, since more was on its way, may overtake the answer.
    #expect(slow.text.isEmpty || slow.text.hasPrefix("HTTP/1.1 408"), "\(slow.text)")
    // Who is not signed in is not waited for.
    let closed = try await Door([])
    let stranger = try await closed.connect()
    stranger.send(head)
    try await eventually("the stranger is answered and cut") { stranger.isClosed }
    #expect(stranger.text.hasPrefix("HTTP/1.1 401"), "\(stranger.text)")
    #expect(stranger.text.lowercased().contains("connection: close"))
  }

  @Test func aConnectionThatAsksNothingMoreIsClosedInTime() async throws {
    let door = try await Door(["--no-auth", "--keep-alive", "1s"])
    let client = try await door.connect()
    client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try await eventually("it is closed") { client.isClosed }
    #expect(client.text.hasSuffix("ok\n"))
  }
}

// The same table as the pure decision's, through a real server: every operation by every kind of
// token, over HTTP and over WebSocket, and everybody whose token is not good (promise P9).

import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

@testable import Auth

private let shell = Creation(command: ["sh", "-c", "echo ready; exec sleep 1000"])
private let shellJSON = #"{"target":"pty","command":["sh","-c","echo ready; exec sleep 1000"]}"#

@Suite(.timeLimit(.minutes(5 * patience))) struct ServerMatrixTests {
  /// Makes the table's sessions, whichever of them are not there.
  private static func populate(_ server: Server, _ names: [String]? = nil) async throws {
    for session in AuthMatrix.sessions where names?.contains(session.name) ?? true {
      let owner = try #require(session.creator)
      let answer = try await ask(
        "POST", "/v1/sessions", port: server.port, token: try await token(owner, allRights),
        body: #"{"session":"\#(session.name)","create":\#(shellJSON)}"#)
      #expect(answer.status == 201 || answer.status == 200, "\(answer.body)")
    }
  }

  /// Ends a session for good, so that its name is free again.
  private static func clear(_ server: Server, _ name: String) async throws {
    let admin = try await token("root", allRights)
    try await eventually("\(name) is gone") {
      let answer = try await ask("DELETE", "/v1/sessions/\(name)", port: server.port, token: admin)
      return answer.status == 404 || answer.status == 410
    }
  }

  /// Every viewer is told every ClientID.
  @Test func aLookerCannotPassForTheDriver() async throws {
    let server = try await Server.start(.serve)
    let id = ClientID.random()
    let session = SessionID(unchecked: "one")
    let driver = try await greet(
      port: server.port, token: try await token("ann", allRights), as: id)
    driver.send(.open(Open(session: session, create: shell, size: .standard)), stream: 1)
    try await driver.frame("OPENED", stream: 1) { $0.type == .opened }
    let looker = try await greet(
      port: server.port,
      token: try await token("bob", #"{"sessions":["one"],"rights":"read"}"#), as: id)
    var open = Open(session: session, size: .standard, mode: .watcher)
    open.attempt = Varint.maximum
    looker.send(.open(open), stream: 1)
    try await looker.frame("OPENED", stream: 1) { $0.type == .opened }
    driver.send(.input(offset: 0, ByteBuffer(string: "x")), stream: 1)
    try await driver.frame("INPUT_ACK", stream: 1) { $0 == .inputAck(offset: 1) }
    // And the same person's newer stream does take the older one's place.
    let again = try await greet(
      port: server.port, token: try await token("ann", allRights), as: id)
    again.send(.open(Open(session: session, size: .standard)), stream: 1)
    try await driver.frame("CLOSE", stream: 1) { $0 == .close(.superseded) }
  }

  /// What needs more room in UTF-8 than a link's frame has would break the link for all who share it.
  @Test func aBodyThatIsNotUTF8IsRefused() async throws {
    let server = try await Server.start(.serve)
    let body = "{\"create\":{\"command\":[\"\u{0}\"]}}"
    let answer = try await ask(
      "POST", "/v1/sessions", port: server.port, token: try await token("ann", allRights),
      body: body)
    #expect(answer.status == 400)
    #expect(answer.body.contains("not UTF-8"))
  }

  @Test(arguments: Server.Shape.allCases)
  func theHTTPAPIAllowsWhatTheTokenSaysAndNoMore(shape: Server.Shape) async throws {
    let server = try await Server.start(shape)
    try await Self.populate(server)
    var checked = 0
    for kind in AuthMatrix.kinds {
      let mine = try await token(AuthMatrix.subject, kind.claim)
      func status(_ method: String, _ path: String, _ body: String? = nil) async throws -> Int {
        checked += 1
        return try await ask(method, path, port: server.port, token: mine, body: body).status
      }
      let listed = try await ask("GET", "/v1/sessions", port: server.port, token: mine).body
      for session in AuthMatrix.sessions {
        let path = "/v1/sessions/\(session.name)"
        let sees = kind.allows(.watch, session)
        #expect(try await status("GET", path) == (sees ? 200 : 403), "\(kind.name) \(path)")
        #expect(try await status("GET", path + "/screen") == (sees ? 200 : 403))
        #expect(listed.contains("\"session\":\"\(session.name)\"") == sees, "\(kind.name) lists")
        // What exists and may be entered is, whoever may create it.
        #expect(
          try await status("POST", "/v1/sessions", #"{"session":"\#(session.name)","attach":true}"#)
            == (sees ? 200 : 403), "\(kind.name) creates \(session.name) again")
        let kills = kind.allows(.kill, session)
        #expect(
          try await status("DELETE", path) == (kills ? 204 : 403), "\(kind.name) kills \(path)")
        if kills {
          try await Self.clear(server, session.name)
          try await Self.populate(server, [session.name])
        }
      }
      // Under a new name: as under one of that kind that exists.
      for (prefix, like) in [("x-", AuthMatrix.sessions[0]), ("p-", AuthMatrix.sessions[2])] {
        let name = prefix + "new-\(checked)"
        #expect(
          try await status(
            "POST", "/v1/sessions", #"{"session":"\#(name)","create":\#(shellJSON)}"#)
            == (kind.allows(.create, like) ? 201 : 403), "\(kind.name) creates \(name)")
      }
      let operates = kind.mayOperate
      #expect(try await status("GET", "/v1/nodes") == (operates ? 200 : 403), "\(kind.name)")
      #expect(try await status("GET", "/v1/where/exact") == (operates ? 200 : 403))
      for path in ["routers", "clients", "registry", "explain/exact"] {
        #expect(
          try await status("GET", "/v1/\(path)") == (operates ? 200 : 403), "\(kind.name) \(path)")
      }
      #expect(try await status("DELETE", "/v1/clients/nobody") == (operates ? 404 : 403))
      #expect(try await status("POST", "/v1/nodes/nobody/drain") == (operates ? 404 : 403))
      #expect(try await status("DELETE", "/v1/nodes/nobody/drain") == (operates ? 404 : 403))
      // Only `serve` has tickets.
      let issued = shape == .serve ? 201 : 404
      #expect(try await status("POST", "/v1/tickets") == (operates ? issued : 403))
    }
    #expect(checked >= 500)
    try await eventually("every refusal was written") {
      server.audit.filter { $0.result == "forbidden" && $0.who == AuthMatrix.subject }.count >= 100
    }
    // What the session's node decided is written too: it alone knows whose "x-bobs" is.
    for what in [AuditEvent.What.kill, .inspect, .screen] {
      #expect(
        server.audit.contains {
          $0.what == what && $0.session == "x-bobs" && $0.result == "forbidden" && $0.from != ""
        }, "\(what)")
    }
    for what in [AuditEvent.What.create, .kill] {
      #expect(
        server.audit.contains {
          $0.what == what && $0.session == "x-mine" && $0.result == "ok" && $0.who == "alice"
        }, "\(what)")
    }
  }

  @Test(arguments: Server.Shape.allCases)
  func aConnectionAllowsWhatTheTokenSaysAndNoMore(shape: Server.Shape) async throws {
    let server = try await Server.start(shape)
    try await Self.populate(server)
    for kind in AuthMatrix.kinds {
      let client = try await greet(
        port: server.port, token: try await token(AuthMatrix.subject, kind.claim))
      var stream: UInt64 = 0
      func open(
        _ session: String, mode: StreamMode = .driver, create: Creation? = nil
      ) async throws -> Frame {
        stream += 1
        client.send(
          .open(
            Open(
              session: SessionID(unchecked: session), create: create, size: .standard, mode: mode)),
          stream: stream)
        return try await client.frame("an answer to OPEN", stream: stream) {
          $0.type == .opened || $0.type == .refused
        }
      }
      for session in AuthMatrix.sessions {
        let what = "\(kind.name): \(session.name)"
        let watched = try await open(session.name, mode: .watcher)
        guard case .opened(let opened) = try await open(session.name) else {
          #expect(watched.isForbidden, "\(what)")
          #expect(!kind.allows(.watch, session), "\(what)")
          continue
        }
        #expect(kind.allows(.watch, session), "\(what)")
        #expect((opened.mode == .driver) == kind.allows(.drive, session), "\(what) types")
        #expect(opened.mayKill == kind.allows(.kill, session), "\(what) kills")
        client.send(.kill, stream: stream)
        if kind.allows(.kill, session) {
          try await client.frame("ENDED", stream: stream) { $0.type == .ended }
          try await Self.clear(server, session.name)
          try await Self.populate(server, [session.name])
        } else {
          try await client.frame("a refusal of KILL", stream: stream) {
            if case .event(.refused) = $0 { true } else { false }
          }
        }
      }
      for session in AuthMatrix.sessions {
        // What exists and may be entered is, whoever may create it.
        let answer = try await open(session.name, create: shell)
        let enters = kind.allows(.watch, session)
        #expect((answer.type == .opened) == enters, "\(kind.name) creates \(session.name)")
        if !enters { #expect(answer.isForbidden) }
      }
      let new = try await open("x-\(SessionID.random())", create: shell)
      let creates = kind.allows(.create, AuthMatrix.sessions[0])
      #expect((new.type == .opened) == creates, "\(kind.name) creates a new one")
      if !creates { #expect(new.isForbidden) }
      client.close()
    }
  }
}

extension Frame {
  fileprivate var isForbidden: Bool {
    if case .refused(let refusal) = self { refusal.code == .forbidden } else { false }
  }
}

@Suite(.timeLimit(.minutes(5 * patience))) struct NobodyGetsInTests {
  /// Tokens that are no good, and the code that says why.
  private static func wrong() async throws -> [(name: String, token: String, code: String)] {
    let none = base64URLEncode(Array(#"{"alg":"none"}"#.utf8))
    let good = try await token("alice", allRights)
    let payload = String(good.split(separator: ".")[1])
    return [
      ("expired", try await token("alice", allRights, life: -1), "token_expired"),
      (
        "another key",
        try await token("alice", allRights, secret: String(Sample.secret.reversed())),
        "token_signature"
      ),
      ("another service", try await token("alice", allRights, audience: "x"), "token_audience"),
      ("alg none", "\(none).\(payload).", "token_algorithm"),
      ("another algorithm", Sample.rs256, "token_algorithm"),
      ("cut", String(good.dropLast(2)), "token_malformed"),
      ("garbage", "garbage", "token_malformed"),
    ]
  }

  private static let requests = [
    ("GET", "/v1/sessions"), ("POST", "/v1/sessions"), ("GET", "/v1/sessions/a"),
    ("DELETE", "/v1/sessions/a"), ("GET", "/v1/sessions/a/screen"), ("GET", "/v1/where/a"),
    ("GET", "/v1/nodes"), ("POST", "/v1/nodes/a/drain"), ("DELETE", "/v1/nodes/a/drain"),
    ("POST", "/v1/tickets"), ("GET", "//v1/nodes"), ("GET", "/v1/nodes/"), ("GET", "/v1//nodes"),
  ]

  @Test(arguments: Server.Shape.allCases)
  func noRequestIsAnsweredWithoutAGoodToken(shape: Server.Shape) async throws {
    let server = try await Server.start(shape)
    let tokens = try await Self.wrong() + [("none", "", "token_missing")]
    for (method, path) in Self.requests {
      for (name, token, code) in tokens {
        let answer = try await ask(
          method, path, port: server.port, token: token.isEmpty ? nil : token)
        #expect(answer.status == 401, "\(name): \(method) \(path)")
        #expect(answer.body.contains("\"\(code)\""), "\(name): \(answer.body)")
        #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
      }
    }
    for path in ["/livez", "/readyz", "/v1/version"] {
      #expect(try await ask("GET", path, port: server.port).status == 200)
    }
    let long = try await ask(
      "GET", "/v1/nodes", port: server.port, token: String(repeating: "a", count: 9_000))
    #expect(long.status == 401 && long.body.contains("token_too_long"))
    #expect(
      try await ask("GET", "/v1/nodes", port: server.port, headers: ["Authorization: Basic YTpi"])
        .status == 401)
  }

  @Test(arguments: Server.Shape.allCases)
  func noConnectionIsTakenWithoutAGoodToken(shape: Server.Shape) async throws {
    let server = try await Server.start(shape)
    for (name, token, code) in try await Self.wrong() {
      let close = try await closing(try await greet(port: server.port, token: token))
      #expect(close.code == 4_401 && close.reason.hasPrefix(code), "\(name): \(close)")
      // A wrong token at the upgrade is told as HTTP.
      let client = try await RawClient.connect(port: server.port)
      client.send(
        RawClient.upgradeRequest.replacing(
          "Host: localhost", with: "Host: localhost\r\nAuthorization: Bearer \(token)"))
      try await eventually("an answer") { client.headers != nil }
      #expect(client.headers?.contains(" 401 ") == true, "\(name)")
    }
    let nobody = try await closing(try await greet(port: server.port))
    #expect(nobody.code == 4_401 && nobody.reason.hasPrefix("token_missing"))
    try await eventually("each was written") {
      server.audit.filter { $0.what == .connect && $0.result.hasPrefix("token_") }.count >= 15
    }
    #expect(!server.folder.read("audit.log").contains("eyJ"), "no token in the log")
  }
}

// `serve` as its user meets it: the ticket in the URL, the cookie, the commands that just work, the
// token that runs out in the open connection; and who it believes about where a client comes from (promise P9).

import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

@testable import Auth

@Suite(.timeLimit(.minutes(5 * patience))) struct ServeTests {
  @Test func aTicketBecomesACookieOnce() async throws {
    let server = try await Server.start(keys: nil)
    let login = try await ask("GET", "/?ticket=\(server.ticket)", port: server.port)
    #expect(login.status == 303)
    #expect(login.headers["location"] == "/")
    #expect(login.headers["cache-control"] == "no-store")
    let cookie = try #require(login.headers["set-cookie"])
    #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"))
    #expect(!cookie.contains("Secure"), "it comes without TLS")
    let header = "Cookie: " + (cookie.split(separator: ";").first ?? "")

    // Reloads and new tabs work with the cookie, the API and the WebSocket alike.
    for _ in 0..<2 {
      #expect(try await ask("GET", "/v1/nodes", port: server.port, headers: [header]).status == 200)
      let client = try await greet(port: server.port, headers: [header])
      try await client.frame("WELCOME", stream: 0) { $0.type == .welcome }
    }
    // Not from another web site, cookie or not.
    let evil = try await RawClient.connect(port: server.port)
    evil.send(
      RawClient.upgradeRequest.replacing(
        "Host: localhost",
        with: "Host: 127.0.0.1:\(server.port)\r\n\(header)\r\nOrigin: https://evil.example"))
    try await eventually("an answer") { evil.headers != nil }
    #expect(evil.headers?.contains(" 403 ") == true)
    #expect(
      try await ask(
        "POST", "/v1/tickets", port: server.port,
        headers: [header, "Origin: https://evil.example"]
      ).status == 403)

    let again = try await ask("GET", "/?ticket=\(server.ticket)", port: server.port)
    #expect(again.status == 401 && again.body.contains("ticket_invalid"))
    #expect(again.headers["set-cookie"] == nil)
    try await eventually("both are in the audit log") {
      server.audit.filter { $0.what == .login }.map(\.result) == ["ok", "ticket_invalid"]
    }
    #expect(!server.folder.read("audit.log").contains(server.ticket))
  }

  @Test func underTLSTheCookieIsForTLSOnly() async throws {
    let folder = try Folder()
    let certificates = folder.path + "/certs"
    let made = try await Fairlead.run(["certs", "init", certificates, "--host", "127.0.0.1"])
    #expect(made.code == 0, "\(made.output)")
    let server = try await Server.start(
      [
        "--tls-cert", certificates + "/server.pem", "--tls-key", certificates + "/server-key.pem",
      ], keys: nil)
    #expect(server.line.contains("https://127.0.0.1:"))
    let curl = try ChildProcess(
      "/usr/bin/curl",
      [
        "-sS", "-D", "-", "-o", "/dev/null", "--cacert", certificates + "/ca.pem",
        "https://127.0.0.1:\(server.port)/?ticket=\(server.ticket)",
      ])
    try await curl.waitForExit()
    #expect(curl.output.contains(" 303"), "\(curl.output)")
    #expect(curl.output.contains("; Secure"), "\(curl.output)")
    // The commands of the same user find it under TLS as well, given the CA.
    let listed = try await server.run(
      "sessions", "--api", "https://localhost:\(server.port)", "--ca", certificates + "/ca.pem")
    let byNumber = try await server.run("sessions", "--ca", certificates + "/ca.pem")
    #expect(byNumber.code == 0, "\(byNumber.output)")
    #expect(!listed.output.contains("asks for a token"), "\(listed.output)")
  }

  @Test func theCleanAddressLeadsNowhereElse() async throws {
    let server = try await Server.start(keys: nil)
    for (path, clean) in [
      ("/s/build?a=1&ticket=T&b=2", "/s/build?a=1&b=2"),
      ("//evil.example/?ticket=T", "/evil.example/"),
      ("/?ticket=T", "/"),
    ] {
      let ticket = try await server.run("ticket")
      let text = String(ticket.output.split(separator: "ticket=").last ?? "")
        .trimmingCharacters(in: .newlines)
      let answer = try await ask("GET", path.replacing("T", with: text), port: server.port)
      #expect(answer.status == 303 && answer.headers["location"] == clean, "\(path): \(answer)")
    }
  }

  @Test func theCommandsOfTheSameUserJustWork() async throws {
    let server = try await Server.start(keys: nil)
    let api = "http://127.0.0.1:\(server.port)"
    let created = try await server.run("new", "--detached", "--session", "mine", "--", "cat")
    #expect(created.code == 0, "\(created.output)")
    let listed = try await server.run("sessions", "--api", api)
    #expect(listed.code == 0 && listed.output.contains("mine"))
    let ticket = try await server.run("ticket", "--api", api)
    #expect(ticket.code == 0 && ticket.output.hasPrefix("\(api)/?ticket="))

    let file = server.folder.path + "/fairlead/serve-\(server.port).json"
    let attributes = try FileManager.default.attributesOfItem(atPath: file)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    // Another user has no such file; and a file that others can read is not believed.
    let stranger = try await Fairlead.run(
      ["sessions", "--api", api], environment: ["HOME": "/nonexistent"])
    #expect(stranger.code != 0 && stranger.output.contains("asks for a token"))
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
    #expect(try await server.run("sessions", "--api", api).code != 0)

    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    server.process.signal(SIGTERM)
    try await server.process.waitForExit()
    #expect(!FileManager.default.fileExists(atPath: file), "it goes with its server")
  }

  /// Its process number may be another process's by now.
  @Test func theFileOfAServerThatWasKilledIsNotBelieved() async throws {
    let killed = try await Server.start(keys: nil)
    killed.process.signal(SIGKILL)
    try await killed.process.waitForExit()
    let name = "fairlead/serve-\(killed.port).json"
    let left = killed.folder.read(name)
    #expect(left.first == "{")
    let file = try killed.folder.write(name, "{\"pid\":\(getpid())," + left.dropFirst())
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    let living = try Fairlead.start(
      ["serve", "--listen", "127.0.0.1:0"], environment: killed.environment)
    _ = try await living.line(with: "serves on")
    // There is one to be meant.
    let listed = try await killed.run("sessions")
    #expect(listed.code == 0, "\(listed.output)")
  }

  @Test func whichOfTwoServersIsNotGuessed() async throws {
    let first = try await Server.start(keys: nil)
    let second = try Fairlead.start(
      ["serve", "--listen", "127.0.0.1:0"], environment: first.environment)
    let port = try TestSupport.port(in: try await second.line(with: "serves on"))
    let doubtful = try await first.run("sessions")
    #expect(doubtful.code == 64 && doubtful.output.contains("say which one by --api"))
    #expect(doubtful.output.contains(":\(first.port)") && doubtful.output.contains(":\(port)"))
    #expect(try await first.run("sessions", "--api", "http://127.0.0.1:\(port)").code == 0)
    second.signal(SIGTERM)
    try await second.waitForExit()
    #expect(try await first.run("sessions").code == 0)
  }

  @Test func noAuthAsksNobodyAndSaysSo() async throws {
    let server = try await Server.start(["--no-auth"], keys: nil)
    #expect(!server.line.contains("ticket"))
    #expect(server.process.output.contains("--no-auth"))
    #expect(try await ask("GET", "/v1/nodes", port: server.port).status == 200)
    let client = try await greet(port: server.port)
    try await client.frame("WELCOME", stream: 0) { $0.type == .welcome }
  }

  @Test func tokensOfTheCommandAreTaken() async throws {
    for key in [Sample.secret, Sample.rsaPrivate, Sample.ecPrivate, Sample.edPrivate] {
      let server = try await Server.start(keys: key)
      let made = try await server.run(
        "token", "--key-file", server.folder.path + "/tokens.key", "--sub", "ops", "--sessions",
        "*",
        "--rights", "admin", "--ttl", "5m")
      let token = made.output.trimmingCharacters(in: .newlines)
      #expect(
        try await ask("GET", "/v1/nodes", port: server.port, token: token).status == 200,
        "\(made.output)")
    }
  }

  @Test func aTokenIsRenewedInTheOpenConnectionOrItIsClosed() async throws {
    let server = try await Server.start()
    let patient = try await greet(
      port: server.port, token: try await token("alice", allRights, life: 16))
    let lazy = try await greet(
      port: server.port, token: try await token("alice", allRights, life: 16))
    let thief = try await greet(
      port: server.port, token: try await token("alice", allRights, life: 600))
    for client in [patient, lazy] {
      client.send(
        .open(Open(session: SessionID("s"), create: Creation(command: ["cat"]), size: .standard)),
        stream: 1)
      try await client.frame("OPENED", stream: 1) { $0.type == .opened }
      try await client.frame("TOKEN", stream: 0) {
        if case .token(let renewal) = $0 { renewal.within ?? 0 > 0 } else { false }
      }
    }
    patient.send(
      .token(Renewal(token: try await token("alice", allRights, life: 500))), stream: 0)
    try await patient.frame("the new token's end", stream: 0) {
      if case .token(let renewal) = $0 { renewal.expires != nil } else { false }
    }
    let end = try await closing(lazy)
    #expect(end.code == 4_401 && end.reason.hasPrefix("token_expired"))
    #expect(!patient.isClosed && patient.closing == nil)

    thief.send(.token(Renewal(token: try await token("bob", allRights))), stream: 0)
    #expect(try await closing(thief).reason.hasPrefix("token_subject"))

    // A new token that gives less holds for what is open.
    patient.send(
      .token(Renewal(token: try await token("alice", #"{"sessions":["s"],"rights":"read"}"#))),
      stream: 0)
    try await patient.frame("OPENED as a watcher", stream: 1) {
      if case .opened(let opened) = $0 { opened.mode == .watcher } else { false }
    }
    patient.send(.token(Renewal(token: try await token("alice", "[]"))), stream: 0)
    try await patient.frame("REFUSED", stream: 1) { $0.type == .refused }
  }

  @Test func aChangedKeyFileCountsWithoutARestart() async throws {
    let server = try await Server.start()
    let old = try await token("alice", allRights)
    #expect(try await ask("GET", "/v1/nodes", port: server.port, token: old).status == 200)
    let secret = String(Sample.secret.reversed())
    _ = try server.folder.write("tokens.key", secret)
    let new = try await token("alice", allRights, secret: secret)
    try await eventually("the new key is in use") {
      try await ask("GET", "/v1/nodes", port: server.port, token: new).status == 200
    }
    #expect(try await ask("GET", "/v1/nodes", port: server.port, token: old).status == 401)
  }

  // MARK: Where a client comes from

  @Test func aTrustedProxyIsBelievedAndNobodyElse() async throws {
    let trusting = try await Server.start(["--trusted-proxy", "127.0.0.0/8"], keys: nil)
    let wary = try await Server.start(["--trusted-proxy", "192.0.2.0/24"], keys: nil)
    let text = "PROXY TCP4 198.51.100.7 127.0.0.1 4096 7070\r\n"
    #expect(
      try await ask("GET", "/v1/nodes", port: trusting.port, before: text).status == 401)
    #expect(
      try await ask(
        "GET", "/v1/nodes", port: trusting.port, headers: ["X-Forwarded-For: 9.9.9.9, 198.51.100.8"]
      ).status == 401)
    try await eventually("both addresses are in the audit log") {
      Set(trusting.audit.map(\.from)).isSuperset(of: ["198.51.100.7", "198.51.100.8"])
    }
    let refused = try await ask("GET", "/v1/nodes", port: wary.port, before: text)
    #expect(refused.status == 400 || refused.status == 0, "the header is no HTTP")
    _ = try await ask(
      "GET", "/v1/nodes", port: wary.port,
      headers: ["X-Forwarded-For: 9.9.9.9", "X-Fairlead-Client-Address: 9.9.9.9"])
    try await eventually("it is in the audit log") { !wary.audit.isEmpty }
    #expect(wary.audit.allSatisfy { $0.from == "127.0.0.1" })
  }

  // MARK: What is said

  @Test func whatWasDoneIsInTheAuditLogWithoutContents() async throws {
    let server = try await Server.start()
    let mine = try await token("alice", allRights)
    _ = try await ask(
      "POST", "/v1/sessions", port: server.port, token: mine,
      body:
        #"{"session":"s","create":{"command":["sh","-c","echo hunter2"],"env":{"P":"hunter2"}}}"#)
    let client = try await greet(port: server.port, token: mine)
    client.send(.open(Open(session: SessionID("s"), size: .standard)), stream: 1)
    try await client.frame("OPENED", stream: 1) { $0.type == .opened }
    client.send(.input(offset: 0, ByteBuffer(string: "hunter2")), stream: 1)
    _ = try await ask("DELETE", "/v1/sessions/s", port: server.port, token: mine)
    _ = try await ask("POST", "/v1/nodes/nobody/drain", port: server.port, token: "x")
    // Rotation: moved away, the log goes on in a new file.
    try await eventually("three lines") {
      server.audit.filter { $0.session == "s" }.count >= 3
    }
    let all = server.audit.filter { $0.session == "s" }
    #expect(all.map(\.what) == [.create, .open, .kill])
    #expect(all.allSatisfy { $0.who == "alice" && $0.from == "127.0.0.1" && $0.result == "ok" })
    #expect(!server.folder.read("audit.log").contains("hunter2"))
    try FileManager.default.moveItem(
      atPath: server.folder.path + "/audit.log", toPath: server.folder.path + "/audit.log.1")
    _ = try await ask("GET", "/v1/nodes", port: server.port)
    try await eventually("the new file has a line") { !server.audit.isEmpty }
  }
}

@Suite(.timeLimit(.minutes(5 * patience))) struct StartTests {
  @Test(arguments: [
    ["serve", "--listen", "0.0.0.0:0"],
    ["serve", "--listen", "0.0.0.0:0", "--no-auth"],
    ["serve", "--listen", "0.0.0.0:0", "--plaintext-behind-proxy"],
    ["serve", "--listen", "[::]:0", "--no-auth"],
    ["router", "--listen", "0.0.0.0:0"],
    ["node", "--listen", "0.0.0.0:0", "--advertise", "127.0.0.1:7080"],
  ]) func nothingOpenStartsBeyondLoopback(arguments: [String]) async throws {
    let result = try await Fairlead.run(arguments)
    #expect(result.code == 64, "\(arguments): \(result.output)")
    #expect(result.output.contains("--"), "it says what to do: \(result.output)")
  }

  @Test func behindAProxyItStartsAndSaysSo() async throws {
    let folder = try Folder()
    let process = try Fairlead.start(
      [
        "serve", "--listen", "0.0.0.0:0", "--plaintext-behind-proxy", "--public-url",
        "https://console.example.com/",
      ], environment: ["XDG_RUNTIME_DIR": folder.path])
    let line = try await process.line(with: "serves on")
    #expect(line.contains("serves on https://console.example.com/?ticket="))
    #expect(process.output.contains("plaintext on 0.0.0.0"))
  }

  /// Also of what could not be started.
  @Test func theAuditLogHoldsNoCommand() async throws {
    let server = try await Server.start()
    let secret = try await token("alice", allRights)
    let refused = try await ask(
      "POST", "/v1/sessions", port: server.port, token: secret,
      body: #"{"session":"s","create":{"command":["/no/such/s3cret-program","p4ssword"]}}"#)
    #expect(refused.status == 400 && refused.body.contains("s3cret-program"), "\(refused)")
    try await eventually("it is in the audit log") {
      server.audit.contains { $0.what == .create && $0.result == "start_failed" }
    }
    let log = server.folder.read("audit.log")
    #expect(!log.contains("s3cret") && !log.contains("p4ssword"), "\(log)")
  }
}

// Behind the proxies that operators have: those that keep their connections to a server and send it one client's
// WebSocket behind another's requests, and those that put it below a path of their own.

import API
import APIClient
import Client
import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(3 * patience))) struct ProxyTests {
  /// What `curl` prints.
  private func fetch(_ arguments: String...) async throws -> String {
    let process = try ChildProcess("/usr/bin/curl", ["-sS", "-m", "30"] + arguments)
    _ = try await process.waitForExit()
    return process.output
  }

  /// Requests leave connections behind; then terminals and requests take turns on them.
  private func terminalsAndRequestsTakeTurns(
    at front: Front, curl options: [String] = []
  ) async throws {
    let ready = options + [front.url + "/readyz"]
    for round in 0..<3 {
      let process = try ChildProcess("/usr/bin/curl", ["-sS", "-m", "30"] + ready + ready)
      _ = try await process.waitForExit()
      #expect(process.output.hasPrefix("ok\n"), "\(process.output)")
      var terminal = try await LiveTerminal.create(
        SessionID(unchecked: "turn-\(round)"), at: front)
      try await terminal.echo("$((6 * 7)) works", prints: "42 works")
      try await terminal.client.close()
    }
  }

  @Test func nginxThatKeepsItsConnections() async throws {
    let serve = try await Server(["--no-auth"])
    let proxy = try await ReverseProxy.start(.nginx) { front in
      """
        map $http_upgrade $connection_header { default upgrade; '' ''; }
        upstream routers { server 127.0.0.1:\(serve.port); keepalive 1; }
        server {
          listen 127.0.0.1:\(front);
          location / {
            proxy_pass http://routers;
            proxy_http_version 1.1;
            proxy_set_header Host $host:$server_port;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_header;
          }
        }
      """
    }
    try await terminalsAndRequestsTakeTurns(at: Front("http://127.0.0.1:\(proxy.port)", nil))
    #expect(serve.process.isRunning && proxy.process.isRunning)
  }

  @Test func haproxyThatSharesItsConnectionsAndSpeaksHTTP2() async throws {
    let certificates = try await ClusterCertificates()
    let serve = try await Server(["--no-auth"])
    let proxy = try await ReverseProxy.start(.haproxy) { front in
      """
      defaults
        mode http
        timeout connect 3s
        timeout client 30s
        timeout server 30s
        timeout tunnel 1h
      frontend terminals
        bind 127.0.0.1:\(front) ssl crt \(certificates.file("server-both")) alpn h2,http/1.1
        default_backend routers
      backend routers
        option httpchk HEAD /readyz
        http-reuse always
        server router 127.0.0.1:\(serve.port) check inter 200ms

      """
    }
    let url = "https://\(ClusterCertificates.host):\(proxy.port)"
    try await terminalsAndRequestsTakeTurns(
      at: Front(url, certificates), curl: ["--http2", "--cacert", certificates.ca])
    #expect(serve.process.isRunning && proxy.process.isRunning)
  }

  /// A block of docs/proxies.md.
  private func example(_ language: String) throws -> String {
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../docs/proxies.md").standardized.path
    let page = try String(contentsOfFile: path, encoding: .utf8)
    let start = try #require(page.range(of: "```\(language)\n"))
    let end = try #require(page[start.upperBound...].range(of: "```"))
    return String(page[start.upperBound..<end.lowerBound])
  }

  @Test(arguments: [ReverseProxy.Kind.nginx, .haproxy])
  func theExamplesOfTheDocumentationWork(kind: ReverseProxy.Kind) async throws {
    let certificates = try await ClusterCertificates()
    func url(_ port: Int) -> String { "https://\(ClusterCertificates.host):\(port)/terminal" }
    let text = try example("\(kind)")
    var started: [Server] = []
    let proxy = try await ReverseProxy.start(kind) { front in
      started = []
      var text = text
      func put(_ new: String, for old: String) throws {
        try #require(text.contains(old), "\(old)")
        text = text.replacing(old, with: new)
      }
      // First of all: the addresses that are put in have digits of their own.
      try put("127.0.0.1:\(front)", for: kind == .nginx ? "443" : ":443")
      // Two servers know nothing of each other's sessions; the second one is there to be reached by none.
      for (address, role) in [("10.0.0.3:7070", ""), ("10.0.0.4:7070", " backup")] {
        let serve = try await Server([
          "--no-auth", "--plaintext-behind-proxy", "--trusted-proxy", "127.0.0.1", "--public-url",
          url(front) + "/",
        ])
        started.append(serve)
        try put("127.0.0.1:\(serve.port)\(role)", for: address)
      }
      switch kind {
      case .nginx:
        try put(certificates.file("server-key"), for: "/etc/ssl/example.com-key.pem")
        try put(certificates.file("server"), for: "/etc/ssl/example.com.pem")
      case .haproxy:
        try put(certificates.file("server-both"), for: "/etc/ssl/example.com.pem")
      }
      return text
    }
    let base = url(proxy.port)
    let curl = ["--cacert", certificates.ca]
    try await eventually("the proxy has found the server") {
      let process = try ChildProcess(
        "/usr/bin/curl", ["-sS", "-m", "30"] + curl + [base + "/readyz"])
      _ = try await process.waitForExit()
      return process.output == "ok\n"
    }
    try await terminalsAndRequestsTakeTurns(
      at: Front(base, certificates), curl: curl + (kind == .haproxy ? ["--http2"] : []))
    let process = try ChildProcess(
      "/usr/bin/curl", ["-sS", "-m", "30", "-i"] + curl + [base + "/"])
    _ = try await process.waitForExit()
    #expect(process.output.contains(" 200") && process.output.contains("assets/"))
    #expect(started.allSatisfy { $0.process.isRunning } && proxy.process.isRunning)
  }

  @Test(arguments: [true, false])
  func everythingWorksBelowAPathOfAProxy(isStripped: Bool) async throws {
    func outside(_ port: Int) -> String { "http://127.0.0.1:\(port)/deep/terminal" }
    var started: Server?
    let proxy = try await ReverseProxy.start(.nginx) { front in
      let serve = try await Server(["--public-url", outside(front) + "/"])
      started = serve
      return """
        map $http_upgrade $connection_header { default upgrade; '' ''; }
        server {
          listen 127.0.0.1:\(front);
          location /deep/terminal/ {
            proxy_pass http://127.0.0.1:\(serve.port)\(isStripped ? "/" : "");
            proxy_http_version 1.1;
            proxy_set_header Host $host:$server_port;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_header;
          }
        }
        """
    }
    let serve = try #require(started)
    let url = outside(proxy.port)
    // The URL that it prints, as a browser follows it.
    let printed = try await serve.process.line(with: "serves on").split(separator: " ").last ?? ""
    #expect(printed.hasPrefix(url + "/?ticket="), "\(printed)")
    let login = try await fetch("-i", String(printed))
    #expect(login.contains(" 303 "), "\(login)")
    #expect(login.contains("/deep/terminal/\r\n"), "\(login)")
    #expect(login.contains("; Path=/deep/terminal;"), "\(login)")
    #expect(!login.contains("Path=/;"))
    let cookie = login.firstMatch(of: /[Ss]et-[Cc]ookie: ([^;]+);/).map { String($0.1) } ?? ""
    #expect(try await fetch("-b", cookie, url + "/v1/nodes").contains("\"state\":\"live\""))
    // Every address of the page, from both of its places.
    for (place, up) in [("/", ""), ("/t/some", "../")] {
      let page = try await fetch(url + place)
      let links = page.matches(of: /(?:href|src)="([^"]+)"/).map { String($0.1) }
      #expect(links.count > 5)
      for link in links where !link.contains("xterm") {
        #expect(link.hasPrefix(up + "assets/"), "\(link)")
        let whole = url + "/" + link.dropFirst(up.count)
        #expect(
          try await fetch("-o", "/dev/null", "-w", "%{http_code}", whole) == "200", "\(whole)")
      }
    }
    // The command line, by the token of a file that this user alone can read.
    let api = ["--api", url + "/"]
    for arguments in [
      ["new"] + api + ["--detached", "--session", "below", "--", "cat"], ["sessions"] + api,
      ["screen", "below"] + api, ["kill", "below"] + api,
    ] {
      let (code, output) = try await Fairlead.run(arguments, environment: serve.environment)
      #expect(code == 0, "\(arguments): \(output)")
    }
    #expect(proxy.process.isRunning)
  }

  /// `fairlead serve` with a home of its own, and its port.
  private struct Server {
    let process: ChildProcess
    let port: Int
    let home: TemporaryFolder
    var environment: [String: String] { ["HOME": home.path, "XDG_RUNTIME_DIR": home.path] }

    init(_ options: [String]) async throws {
      home = try TemporaryFolder()
      process = try Fairlead.start(
        ["serve", "--listen", "127.0.0.1:0"] + options,
        environment: ["HOME": home.path, "XDG_RUNTIME_DIR": home.path])
      // What it prints may be the proxy's address; its own is in its log.
      port = try TestSupport.port(in: try await process.line(with: "ready for clients"))
      _ = try await process.line(with: "serves on")
    }
  }
}

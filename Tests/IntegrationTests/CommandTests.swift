// What the commands say, and the exit codes that scripts go by, against a real `serve` (promise P10).

import Foundation
import TestSupport
import Testing

private struct Served {
  let process: ChildProcess
  let url: String

  static func start() async throws -> Served {
    let process = try Fairlead.start(["serve", "--no-auth", "--listen", "127.0.0.1:0"])
    let line = try await process.line(with: "serves on")
    return Served(process: process, url: "http://127.0.0.1:\(try port(in: line))")
  }

  func run(_ arguments: [String]) async throws -> (code: Int, output: String) {
    try await Fairlead.run(arguments, environment: ["FAIRLEAD_API": url])
  }
}

@Suite(.timeLimit(.minutes(3 * patience))) struct CommandTests {
  @Test func theExitCodeIsTheProcesssOwn() async throws {
    let serve = try await Served.start()
    for (script, code) in [("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 137), ("kill -2 $$", 130)] {
      let (got, output) = try await serve.run(["new", "--", "sh", "-c", script])
      #expect(got == code, "\(script): \(output)")
    }
    // Input that has ended does not end the wait: a script has none.
    let slow = try await serve.run(["new", "--", "sh", "-c", "sleep 2; exit 9"])
    #expect(slow.code == 9, "\(slow.output)")
    let made = try await serve.run(
      ["new", "--detached", "--session", "later", "--", "sh", "-c", "sleep 1; exit 5"])
    #expect(made.code == 0, "\(made.output)")
    let attached = try await serve.run(["attach", "later"])
    #expect(attached.code == 5, "\(attached.output)")
    #expect(
      try await serve.run(["attach", "later", "--watch"]).code == 5, "ended, and still shown")
  }

  @Test func fairleadsOwnFailuresAre255() async throws {
    let serve = try await Served.start()
    let missing = try await serve.run(["attach", "nobody"])
    #expect(missing.code == 255)
    #expect(missing.output.contains("no session nobody"), "\(missing.output)")
    #expect(missing.output.contains("fairlead new --session nobody"), "\(missing.output)")
    for more in [[], ["--detached"]] {
      let bad = try await serve.run(["new"] + more + ["--", "/no/such/program"])
      #expect(bad.code == 255, "\(more): \(bad.output)")
    }
    let port = try freePort()
    for command in [["attach"], ["new", "--"]] {
      let (code, output) = try await Fairlead.run(
        [command[0], "--api", "http://127.0.0.1:\(port)"] + command.dropFirst() + ["true"])
      #expect(code == 255)
      #expect(output.contains("Connection refused") && !output.contains("("), "\(output)")
    }
  }

  @Test func aLabelThatNoNodeHasIsNamed() async throws {
    let serve = try await Served.start()
    let refused = try await serve.run(["new", "--detached", "--label", "gpu=true", "--", "true"])
    #expect(refused.code == 255)
    #expect(refused.output.contains("has the label gpu=true"), "\(refused.output)")
    #expect(
      try await serve.run(["new", "--detached", "--label", "pty=true", "--", "true"]).code == 0,
      "what its target needs it may ask for")
    let many = (0...16).flatMap { ["--label", "k\($0)=v"] }
    let misused = try await serve.run(["new", "--detached"] + many)
    #expect(misused.code == 64 && misused.output.contains("at most 16"), "\(misused.output)")
  }

  @Test func endingWhatHasEndedIsSaidToBe() async throws {
    let serve = try await Served.start()
    _ = try await serve.run(["new", "--session", "one", "--", "sh", "-c", "exit 3"])
    let (code, output) = try await serve.run(["kill", "one"])
    #expect(code == 0)
    #expect(output.contains("had ended already (exited, exit 3)"), "\(output)")
    _ = try await serve.run(["new", "--detached", "--session", "two", "--", "sleep", "600"])
    #expect(try await serve.run(["kill", "two"]).output.contains("is being ended"))
  }

  @Test func theVersionIsPrintedEvenIfNoRouterAnswersWhichIsAFailure() async throws {
    let port = try freePort()
    let (code, output) = try await Fairlead.run(["version", "--api", "http://127.0.0.1:\(port)"])
    #expect(code == 1)
    #expect(output.contains("fairlead 0.") && output.contains("no router answers"), "\(output)")
    let serve = try await Served.start()
    #expect(try await serve.run(["version"]).code == 0)
  }

  @Test func wordsStayWordsAndNothingSteersTheTerminal() async throws {
    let serve = try await Served.start()
    let words = ["sh", "-c", "sleep 600", "a b", "\u{202e}it's\u{9b}2J", ""]
    _ = try await serve.run(["new", "--detached", "--session", "w", "--"] + words)
    let table = try await serve.run(["sessions"]).output
    #expect(
      table.contains(#"sh -c 'sleep 600' 'a b' $'\u202eit\'s\u009b2J' ''"#), "\(table)")
    for command in [["sessions"], ["session", "w"]] {
      let json = try await serve.run(command + ["-o", "json"]).output
      #expect(json.contains(#""\u202eit's\u009b2J""#), "\(json)")
      #expect(json.contains(#""a b""#) && json.contains(#""sleep 600""#), "\(json)")
    }
    let ask = try ChildProcess("/usr/bin/curl", ["-sS", serve.url + "/v1/sessions/w"])
    _ = try await ask.waitForExit()
    #expect(ask.output.contains(#""\u202eit's\u009b2J""#), "\(ask.output)")
    _ = try await serve.run(["kill", "w"])
  }

  @Test(arguments: [
    (["atach", "x"], #"did you mean "fairlead attach"?"#),
    (["certs", "shwo", "x"], #"did you mean "fairlead certs show"?"#),
    (["frobnicate"], "see fairlead --help"),
    (["router", "--listen", "18999"], "HOST:PORT"),
    (["sessions", "--idle", "5"], "30s, 15m"),
    (["serve", "--keep-ended", "soon"], "30s, 15m"),
    (["new", "--size", "80"], "COLUMNSxROWS"),
    (["new", "--env", "X"], "KEY=VALUE"),
    (["new", "--target", "telnet:x"], "docker:CONTAINER"),
    (["attach", "a/b"], "1 to 64 characters"),
    (["serve", "--lsten", "127.0.0.1:0"], "Did you mean '--listen'?"),
    (["undrain", "a"], #"did you mean "fairlead drain NODE --undo"?"#),
    (["new", "ls", "-la"], "fairlead new -- ls -la"),
    (["certs", "frob"], "Usage: fairlead certs <subcommand>"),
    (["certs", "show"], "Usage: fairlead certs show "),
    (["attach", "x", "--api", "ftp://h"], "Usage: fairlead attach "),
    (["nodes", "--api", "http://127.0.0.1:1", "--redis", "x://h"], "Usage: fairlead nodes "),
    (["node", "--listen", "0.0.0.0:7080"], "Usage: fairlead node "),
  ]) func misuseSaysWhatIsMeant(arguments: [String], words: String) async throws {
    let (code, output) = try await Fairlead.run(arguments)
    #expect(code == 64)
    #expect(output.contains(words), "\(output)")
  }

  @Test func anOptionThatIsFarFromAnyIsNotGuessedAt() async throws {
    let (code, output) = try await Fairlead.run(
      ["sessions", "--quux", "idle", "--api", "http://127.0.0.1:1"])
    #expect(code == 64)
    #expect(output.contains("Unknown option '--quux'") && !output.contains("Did you mean"))
    let variable = try await Fairlead.run(["router"], environment: ["FAIRLEAD_LISTEN": "18999"])
    #expect(variable.code == 64 && variable.output.contains("HOST:PORT"), "\(variable.output)")
  }

  @Test func certificatesAreAllMadeOrNone() async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/fairlead-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for mistake in [["--host", "a,b"], ["--host", "a b"], ["--node", "a,b/c"]] {
      let (code, output) = try await Fairlead.run(
        ["certs", "init", folder, "--node", "ok"] + mistake)
      #expect(code == 64)
      #expect(output.contains(mistake[1]), "\(output)")
      #expect(!FileManager.default.fileExists(atPath: folder))
    }
    let long = String(repeating: "x", count: 60) + ".example.com"
    let made = try await Fairlead.run(["certs", "init", folder, "--node", "a", "--host", long])
    #expect(made.code == 0, "\(made.output)")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      .map { folder + "/" + $0 }
    #expect(files.count == 8)
    // As a shell hands over certs/*.pem: keys are passed over, and said to be.
    let shown = try await Fairlead.run(["certs", "show"] + files)
    #expect(shown.code == 0)
    #expect(shown.output.contains("CN=a") && shown.output.contains("CN=Fairlead CA"))
    #expect(shown.output.contains("ca-key.pem holds a private key"), "\(shown.output)")
    // What is neither is named, and what can be shown is shown.
    let some = try await Fairlead.run(["certs", "show", folder + "/none.pem", folder + "/ca.pem"])
    #expect(some.code == 1)
    #expect(some.output.contains("CN=Fairlead CA") && some.output.contains("none.pem: No such"))
  }
}

/// A failure is told with what to do next.
@Suite(.timeLimit(.minutes(3 * patience))) struct NextStepTests {
  @Test func whereNothingRunsItIsSaidHowToStart() async throws {
    let folder = try TemporaryFolder()
    let home = ["HOME": folder.path, "XDG_RUNTIME_DIR": folder.path]
    let port = try freePort()
    let named = ["--api", "http://127.0.0.1:\(port)"]
    for command in [["sessions"], ["attach", "x"], ["new", "--detached"]] {
      let (code, output) = try await Fairlead.run(command + named, environment: home)
      #expect(code == (command == ["sessions"] ? 2 : 255), "\(output)")
      #expect(output.contains("Connection refused; "), "\(output)")
      #expect(output.contains("does one run there? --api"), "\(output)")
    }
  }

  @Test func severalServesAreNoHindranceToWhoAsksRedis() async throws {
    let folder = try TemporaryFolder()
    let home = ["HOME": folder.path, "XDG_RUNTIME_DIR": folder.path]
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url)
    var serves: [ChildProcess] = []
    for _ in 0..<2 {
      let serve = try Fairlead.start(
        ["serve", "--no-auth", "--listen", "127.0.0.1:0"], environment: home)
      _ = try await serve.line(with: "serves on")
      serves.append(serve)
    }
    let (code, output) = try await Fairlead.run(["nodes", "--redis", redis.url], environment: home)
    #expect(code == 0 && output.contains("a     live"), "\(output)")
    let ambiguous = try await Fairlead.run(["nodes"], environment: home)
    #expect(ambiguous.code == 64 && ambiguous.output.contains("say which one"), "\(ambiguous)")
    let attach = try await Fairlead.run(["attach", "x"], environment: home)
    #expect(attach.code == 64 && attach.output.contains("say which one"), "\(attach)")
    withExtendedLifetime((node, serves)) {}
  }

  @Test func whatIsNotThereIsLookedForElsewhere() async throws {
    let serve = try await Served.start()
    for command in ["session", "screen", "kill"] {
      let (code, output) = try await serve.run([command, "nobody"])
      #expect(code == 1)
      #expect(
        output.contains("no session nobody: none of that name since this server started"),
        "\(output)")
      #expect(output.contains("was lost when it stopped; `fairlead sessions` lists"), "\(output)")
    }
    let drain = try await serve.run(["drain", "nobody"])
    #expect(drain.output.contains("`fairlead nodes` lists"), "\(drain.output)")
    let ticket = try await serve.run(["ticket"])
    #expect(ticket.code == 1 && ticket.output.contains("its URL opens as it is"), "\(ticket)")
  }

  /// A WebSocket's reason has 123 bytes: what to do stands behind it.
  @Test func whoHasNoTokenHearsHowToShowOne() async throws {
    let folder = try TemporaryFolder()
    let home = ["HOME": folder.path, "XDG_RUNTIME_DIR": folder.path]
    let stranger = ["HOME": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent"]
    let serve = try Fairlead.start(["serve", "--listen", "127.0.0.1:0"], environment: home)
    let port = try TestSupport.port(in: try await serve.line(with: "serves on"))
    for token in [nil, "x"] as [String?] {
      var environment = stranger
      environment["FAIRLEAD_API"] = "http://127.0.0.1:\(port)"
      environment["FAIRLEAD_TOKEN"] = token
      for command in [["attach", "x"], ["sessions"]] {
        let (code, output) = try await Fairlead.run(command, environment: environment)
        #expect(code != 0 && output.contains("--token-file FILE or FAIRLEAD_TOKEN"), "\(output)")
        if token == nil { #expect(output.contains("`fairlead ticket` prints"), "\(output)") }
      }
    }
  }

  @Test func theWrongSchemeIsNamed() async throws {
    let certificates = try await ClusterCertificates()
    let secure = try Fairlead.start(
      [
        "serve", "--no-auth", "--listen", "127.0.0.1:0", "--tls-cert", certificates.file("server"),
        "--tls-key", certificates.file("server-key"),
      ])
    let port = try TestSupport.port(in: try await secure.line(with: "serves on"))
    let plain = try await Served.start()
    for command in [["sessions"], ["attach", "x"]] {
      let (_, http) = try await Fairlead.run(command + ["--api", "http://127.0.0.1:\(port)"])
      #expect(http.contains("it is https://127.0.0.1:\(port)"), "\(http)")
      let https = plain.url.replacing("http://", with: "https://")
      let (_, tls) = try await Fairlead.run(command + ["--api", https])
      #expect(tls.contains("there it may be \(plain.url)"), "\(tls)")
    }
    let asked = try ChildProcess("/usr/bin/curl", ["-sS", "-i", "http://127.0.0.1:\(port)/"])
    _ = try await asked.waitForExit()
    #expect(asked.output.hasPrefix("HTTP/1.1 400 ") && asked.output.contains("https://"))
  }

  @Test func aValueThatIsNoneOfSomeIsToldThose() async throws {
    for (name, words) in [("LOG_LEVEL", "info, notice, warning"), ("LOG_FORMAT", "text, json")] {
      let (code, output) = try await Fairlead.run(
        ["serve"], environment: ["FAIRLEAD_\(name)": "loud"])
      #expect(code == 64 && output.contains(words), "\(output)")
    }
  }

  @Test func aSessionThatNoNodeTakesIsWaitedForAsLongAsAsked() async throws {
    let process = try Fairlead.start(
      ["serve", "--no-auth", "--listen", "127.0.0.1:0", "--capacity", "1"])
    let full = Served(
      process: process,
      url: "http://127.0.0.1:\(try port(in: try await process.line(with: "serves on")))")
    #expect(try await full.run(["new", "--detached", "--session", "one", "--", "cat"]).code == 0)
    for wait in ["0", "2s"] {
      let (code, output) = try await full.run(["new", "--wait", wait, "--", "true"])
      #expect(code == 255, "\(output)")
      #expect(output.contains("in vain") && output.contains("--wait 10m"), "\(output)")
      #expect(output.contains("[fairlead: waiting") == (wait != "0"), "\(output)")
    }
    let waiting = try Fairlead.start(
      ["new", "--wait", "10m", "--api", full.url, "--", "sh", "-c", "exit 7"])
    _ = try await waiting.line(with: "waiting, for")
    _ = try await full.run(["kill", "one"])
    #expect(try await waiting.waitForExit() == 7, "\(waiting.output)")
  }
}

/// What is told of a session that has ended, and of one that is there already.
@Suite(.timeLimit(.minutes(3 * patience))) struct EndedAndExistingTests {
  private func ask(_ url: String, _ more: [String] = []) async throws -> (status: Int, body: String)
  {
    let process = try ChildProcess(
      "/usr/bin/curl", ["-sS", "-m", "20", "-w", "\n%{http_code}", url] + more)
    _ = try await process.waitForExit()
    let parts = process.output.split(separator: "\n")
    return (parts.last.flatMap { Int($0) } ?? 0, parts.dropLast().joined(separator: "\n"))
  }

  @Test func howASessionEndedIsToldTheSameEachWay() async throws {
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url, ["--keep-ended", "1s"])
    let router = try await TestRouter.start("r", redis: redis.url)
    func run(_ arguments: [String]) async throws -> (code: Int, output: String) {
      try await Fairlead.run(arguments, environment: ["FAIRLEAD_API": router.url])
    }
    #expect(try await run(["new", "--session", "done", "--", "sh", "-c", "exit 7"]).code == 7)
    try await eventually("it is closed") {
      try await ask(router.url + "/v1/sessions/done").status == 410
    }
    for path in ["sessions/done", "sessions/done/screen", "where/done"] {
      let (status, body) = try await ask(router.url + "/v1/" + path)
      #expect(status == 410, "\(path): \(body)")
      for part in [
        #""code":"gone""#, #""reason":"exited""#, #""status":{"code":7}"#, #""ended":1"#,
        #""node":"a""#,
      ] { #expect(body.contains(part), "\(path): \(body)") }
    }
    #expect(try await ask(router.url + "/v1/sessions/done", ["-X", "DELETE"]).status == 410)
    for command in [
      ["session", "done"], ["screen", "done"], ["where", "done"], ["kill", "done"],
    ] {
      let (code, output) = try await run(command)
      #expect(code == 1)
      #expect(output.contains("has ended on node a: exited, exit 7, 20"), "\(output)")
    }
    let attached = try await run(["attach", "done"])
    #expect(attached.code == 7)
    #expect(attached.output.contains("has ended on node a: exited, exit 7, 20"), "\(attached)")
    #expect(attached.output.contains("fairlead new --session done"), "\(attached)")
    let again = try await run(["new", "--session", "done", "--", "sh", "-c", "exit 8"])
    #expect(again.code == 8, "its name is free: \(again.output)")
    withExtendedLifetime(node) {}
  }

  @Test func aNameThatIsTakenIsSaidToBe() async throws {
    let serve = try await Served.start()
    let url = serve.url + "/v1/sessions"
    func post(_ body: String) async throws -> (status: Int, body: String) {
      try await ask(url, ["-H", "Content-Type: application/json", "-d", body])
    }
    let first = try await post(#"{"session":"n","create":{"command":["sleep","600"]}}"#)
    #expect(first.status == 201 && first.body.contains(#""state":"running""#), "\(first)")
    let same = try await post(#"{"session":"n","create":{"command":["sleep","600"]}}"#)
    #expect(same.status == 409 && same.body.contains(#""code":"exists""#), "\(same)")
    #expect(same.body.contains(#""state":"running""#) && !same.body.contains("differs"), "\(same)")
    let other = try await post(#"{"session":"n","create":{"command":["top"]}}"#)
    #expect(other.status == 409 && other.body.contains(#""differs":["command"]"#), "\(other)")
    let taken = try await post(#"{"session":"n","attach":true,"create":{"command":["top"]}}"#)
    #expect(taken.status == 200 && taken.body.contains(#""differs":["command"]"#), "\(taken)")
    #expect(taken.body.contains(#""state":"running""#), "\(taken)")
    #expect(try await post(#"{"session":"n","exclusive":false}"#).status == 400)
    for command in [["new", "--session", "n", "--detached"], ["new", "--session", "n"]] {
      let (code, output) = try await serve.run(command + ["--", "top"])
      #expect(code == 255)
      #expect(
        output.contains("session n exists") && output.contains("fairlead attach n"), "\(output)")
    }
    let attach = try await serve.run(["new", "--session", "n", "--attach", "--detached"])
    #expect(attach.code == 0, "\(attach.output)")
  }

  @Test func aNameWhoseSessionHasEndedStartsNothingAndSaysSo() async throws {
    let serve = try await Served.start()
    _ = try await serve.run(["new", "--session", "e", "--", "sh", "-c", "exit 3"])
    for more in [["--detached"], ["--detached", "--attach"], [], ["--attach"]] {
      let (code, output) = try await serve.run(["new", "--session", "e"] + more + ["--", "true"])
      #expect(code == 255, "\(more): \(output)")
      #expect(output.contains("has ended") && output.contains("fairlead kill e"), "\(output)")
    }
    _ = try await serve.run(["kill", "e"])
    #expect(try await serve.run(["new", "--session", "e", "--", "true"]).code == 0)
  }
}

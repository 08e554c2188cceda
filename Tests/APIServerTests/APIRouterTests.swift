// The HTTP API: every route answers in the form that docs/api.md shows, and every failure in one (promises P9 and P10).

import API
import HTTPTesting
import HTTPTypes
import Hummingbird
import NIOCore
import Registry
import Testing
import Wire

@testable import APIServer

private let busy = SessionID(unchecked: "busy")
private let quiet = SessionID(unchecked: "quiet")

private actor FakeCluster: ClusterOperations {
  var isReady: Bool
  var draining: Set<NodeID> = []
  var killed: [SessionID] = []
  let node = NodeID(unchecked: "a")

  init(isReady: Bool = true) { self.isReady = isReady }

  func nodes() -> [NodeEntry] {
    [
      NodeEntry(
        record: NodeRecord(
          id: node, incarnation: Incarnation(rawValue: 1),
          loops: [NodeAddress(host: "::1", port: 7071)], capacity: 10, sessions: 2),
        wish: draining.contains(node) ? .drain : .serve, leaseMilliseconds: 9_000)
    ]
  }

  func summary(_ id: SessionID, idle: UInt64) -> SessionSummary {
    SessionSummary(
      session: id, node: "a", life: Life(rawValue: 1), epoch: Epoch(1), target: "pty",
      command: ["sh"], state: .running, status: nil, size: .standard, title: nil, created: 1,
      idle: idle, output: 0, input: 0, viewers: [])
  }

  func link(to node: NodeEntry) -> String? { "ok" }

  func sessions(node: NodeID?) throws -> SessionList {
    guard node == nil || node == self.node else { throw OperationError(.notFound, "no such node") }
    return SessionList(
      sessions: [summary(busy, idle: 0), summary(quiet, idle: 600_000)],
      unanswered: [.init(node: NodeID(unchecked: "b"), reason: "does not answer", sessions: 3)])
  }

  func session(_ id: SessionID) throws -> SessionSummary {
    guard id == busy else { throw OperationError(.notFound, "no session \(id)") }
    return summary(id, idle: 0)
  }

  func locate(_ id: SessionID) throws -> SessionLocation {
    if id == quiet { throw OperationError(.gone, "it is closed") }
    return SessionLocation(
      session: id, node: node, why: .owner, epoch: Epoch(1), explanation: "owned by a")
  }

  func create(_ open: Open) throws -> Opened {
    if open.session == busy, open.exclusive == true {
      var facts = SessionFacts()
      (facts.state, facts.differs) = (.running, ["command"])
      throw OperationError.exists(busy, facts)
    }
    return Opened(
      session: open.session ?? SessionID(unchecked: "fresh"), life: Life(rawValue: 1),
      epoch: Epoch(1), created: open.session != busy, resumed: .new, output: 0, input: 0,
      size: open.size, mode: .driver)
  }

  func kill(_ id: SessionID) { killed.append(id) }
  func screen(_ id: SessionID, format: ScreenFormat, scrollback: UInt32, tail: UInt32?) -> String {
    tail.map { "\(id)'s last \($0) as \(format)" } ?? "\(id) as \(format) below \(scrollback)"
  }

  func setWish(_ node: NodeID, _ wish: NodeWish) -> Bool {
    if wish == .drain { draining.insert(node) } else { draining.remove(node) }
    return true
  }
}

@Suite struct APIRouterTests {
  private func ask(
    _ method: HTTPRequest.Method, _ path: String, headers: HTTPFields = [:], body: String? = nil,
    of cluster: FakeCluster = FakeCluster()
  ) async throws -> (status: Int, body: String) {
    let answer = try await apiRouter(operations: cluster, version: "9.9").ask(
      path, method, headers: headers, body: body.map { ByteBuffer(string: $0) })
    return (answer.status.code, String(buffer: answer.body))
  }

  @Test func healthAndVersion() async throws {
    #expect(try await ask(.get, "/livez") == (200, "ok\n"))
    #expect(try await ask(.get, "/readyz") == (200, "ok\n"))
    #expect(try await ask(.get, "/readyz", of: FakeCluster(isReady: false)).status == 503)
    #expect(
      try await ask(.get, "/v1/version").body
        == #"{"protocols":["fairlead.v1"],"version":"9.9"}"# + "\n")
  }

  @Test func headIsAskedLikeGet() async throws {
    for path in ["/livez", "/readyz", "/v1/version", "/v1/nodes", "/v1/sessions/busy"] {
      #expect(try await ask(.head, path) == (200, ""), "\(path)")
    }
    #expect(try await ask(.head, "/readyz", of: FakeCluster(isReady: false)).status == 503)
  }

  @Test func nodesSayTheirState() async throws {
    let cluster = FakeCluster()
    let live = try await ask(.get, "/v1/nodes", of: cluster).body
    #expect(live.contains(#""state":"live""#) && live.contains(#""link":"ok""#))
    #expect(try await ask(.post, "/v1/nodes/a/drain", of: cluster).status == 200)
    #expect(try await ask(.get, "/v1/nodes", of: cluster).body.contains(#""state":"draining""#))
    #expect(try await ask(.delete, "/v1/nodes/a/drain", of: cluster).status == 200)
    #expect(await cluster.draining.isEmpty)
  }

  @Test func sessionsAreFilteredByNodeAndIdleTime() async throws {
    let all = try await ask(.get, "/v1/sessions").body
    #expect(all.contains("busy") && all.contains("quiet"))
    #expect(
      all.contains(#""unanswered":[{"node":"b","reason":"does not answer","sessions":3}]"#))
    let idle = try await ask(.get, "/v1/sessions?idle=5m").body
    #expect(!idle.contains("busy") && idle.contains("quiet"))
    #expect(try await ask(.get, "/v1/sessions?node=b").status == 404)
    #expect(try await ask(.get, "/v1/sessions?idle=soon").status == 400)
    #expect(try await ask(.get, "/v1/sessions?node=a%2Fb").status == 400)
  }

  @Test(
    arguments: [
      ("state=running", true), ("state=lost,held", false), ("state=asleep", nil), ("state=", nil),
      ("target=pty", true), ("target=p", false), ("target=docker", false), ("user=ann", false),
      ("user=%C3%A4", false), ("label=zone=x", false), ("label=x", nil), ("color=red", nil),
    ] as [(String, Bool?)])
  func sessionsAreFilteredByWhatIsKnownOfThem(query: String, lists: Bool?) async throws {
    let (status, body) = try await ask(.get, "/v1/sessions?" + query)
    guard let lists else {
      #expect(status == 400, "\(body)")
      return
    }
    #expect(status == 200 && body.contains("busy") == lists, "\(body)")
  }

  @Test func aFilterIsWrittenAsItIsRead() throws {
    var filter = SessionFilter(node: NodeID(unchecked: "a"), idle: 90_000)
    (filter.creator, filter.target) = ("ä b&c=d", "docker:web")
    filter.states = [.held, .unreachable]
    filter.labels = ["zone": "x", "disk": "ssd"]
    let query = filter.query
    let read = try SessionFilter { name in query.first { $0.name == name }?.value }
    #expect(read == filter)
    #expect(query.map(\.name) == SessionFilter.parameters)
  }

  @Test func whatOperatorsWishIsSaidAndWhatMeansNothingIsRefused() async throws {
    #expect(
      try await ask(.post, "/v1/nodes/a/cordon")
        == (200, #"{"cordoned":true,"draining":false,"node":"a"}"# + "\n"))
    #expect(
      try await ask(.delete, "/v1/nodes/a/cordon")
        == (200, #"{"cordoned":false,"draining":false,"node":"a"}"# + "\n"))
    for path in [
      "events?after=x", "events?since=soon", "events?after=1-0&since=1h", "explain/s?target=a%20b",
    ] {
      #expect(try await ask(.get, "/v1/" + path).status == 400, "\(path)")
    }
    #expect(try await ask(.get, "/v1/events?since=1h").status == 503, "this cluster has none")
  }

  @Test func aSessionIsShownLocatedAndEnded() async throws {
    let cluster = FakeCluster()
    #expect(try await ask(.get, "/v1/sessions/busy").body.contains(#""session":"busy""#))
    #expect(
      try await ask(.get, "/v1/sessions/none")
        == (404, #"{"error":{"code":"not_found","message":"no session none"}}"# + "\n"))
    #expect(try await ask(.get, "/v1/where/busy").body.contains(#""why":"owner""#))
    #expect(try await ask(.get, "/v1/where/quiet").status == 410)
    #expect(try await ask(.get, "/v1/sessions/busy/screen").body == "busy as text below 0")
    #expect(
      try await ask(.get, "/v1/sessions/busy/screen?format=ansi").body == "busy as ansi below 0")
    let screen = "/v1/sessions/busy/screen?format=json&scrollback="
    #expect(try await ask(.get, screen + "120").body == "busy as json below 120")
    #expect(try await ask(.get, screen + "all").body == "busy as json below \(UInt32.max)")
    #expect(try await ask(.get, screen + "-1").status == 400)
    let tail = "/v1/sessions/busy/screen?tail="
    #expect(try await ask(.get, tail + "50").body == "busy's last 50 as text")
    #expect(try await ask(.get, tail + "all").status == 400)
    #expect(try await ask(.get, tail + "5&scrollback=5").status == 400)
    #expect(try await ask(.delete, "/v1/sessions/busy", of: cluster).status == 204)
    #expect(await cluster.killed == [busy])
  }

  @Test func creating() async throws {
    let json: HTTPFields = [.contentType: "application/json"]
    #expect(try await ask(.post, "/v1/sessions").status == 201)
    let taken = try await ask(.post, "/v1/sessions", headers: json, body: #"{"session":"busy"}"#)
    #expect(taken.status == 409 && taken.body.contains(#""code":"exists","differs":["command"]"#))
    #expect(
      try await ask(
        .post, "/v1/sessions", headers: json, body: #"{"session":"busy","attach":true}"#
      ).status == 200)
    for bad in [
      "[", #"{"session":"a b"}"#, #"{"size":{"columns":0,"rows":1}}"#,
      #"{"create":{"target":"Telnet:x"}}"#, #"{"session":"x","exclusive":true}"#,
      #"{"session":"x","resume":{"life":"1"}}"#,
    ] {
      let answer = try await ask(.post, "/v1/sessions", headers: json, body: bad)
      #expect(answer.status == 400 && answer.body.contains("bad_request"))
    }
    let long = "\"" + String(repeating: "x", count: 20_000) + "\""
    #expect(try await ask(.post, "/v1/sessions", headers: json, body: long).status == 413)
  }

  @Test func whatIsNotUnderstoodIsRefusedByName() async throws {
    let json: HTTPFields = [.contentType: "application/json"]
    for (body, name) in [
      (#"{"bad":1}"#, "bad"), (#"{"create":{"comand":["make"]}}"#, "create.comand"),
      (#"{"size":{"columns":80,"rows":24,"depth":8}}"#, "size.depth"),
      (#"{"create":{"env":{"ANY":"thing"}},"sesion":"x"}"#, "sesion"),
      (##"{"\u001b[2J":1}"##, #"\\u{1b}[2J"#),
    ] {
      let answer = try await ask(.post, "/v1/sessions", headers: json, body: body)
      #expect(answer.status == 400)
      #expect(answer.body.contains(#"unknown key \"\#(name)\""#), "\(answer.body)")
    }
    // All that there is, and a null, are understood.
    let kind = #"{"kind":"x","session":"s","more":1}"#
    let other = try await ask(.post, "/v1/sessions", headers: json, body: kind)
    #expect(other.status == 400 && other.body.contains("no streams of kind"), "\(other.body)")
    let whole = #"""
      {"kind":"terminal","session":"s","create":{"target":"pty","command":["a"],"env":{"bad":"1"},"cwd":"/","user":"app"},"resume":null,
       "size":{"columns":1,"rows":1},"mode":"driver","colors":{"foreground":"#000000"},"attempt":1}
      """#
    #expect(try await ask(.post, "/v1/sessions", headers: json, body: whole).status == 201)
    for (method, path) in [
      (.get, "/v1/sessions?idel=5m"), (.get, "/v1/sessions/busy?x=1"), (.get, "/v1/nodes?x"),
      (.get, "/v1/where/busy?node=a"), (.delete, "/v1/sessions/busy?force=1"),
      (.get, "/v1/sessions/busy/screen?lines=5"), (.post, "/v1/nodes/a/drain?undo=1"),
      (.post, "/v1/sessions?session=x"), (.get, "/v1/sessions?node=a&node=b"),
    ] as [(HTTPRequest.Method, String)] {
      let answer = try await ask(method, path)
      #expect(answer.status == 400 && answer.body.contains("query parameter"), "\(path) \(answer)")
    }
  }

  @Test func aWrongValueIsToldByItsPlace() async throws {
    let json: HTTPFields = [.contentType: "application/json"]
    for (body, words) in [
      (#"{"size":{"columns":"80","rows":1}}"#, "size.columns: it is not a whole number"),
      (#"{"create":{"command":["a",1]}}"#, "create.command[1]: it is not a text"),
      (#"{"create":{"command":"make"}}"#, "create.command: it is not a list"),
      (#"{"create":{"user":"a:b"}}"#, "create.user: a user is a name"),
      (#"{"mode":"drive"}"#, #"mode: \"drive\" is no value of it"#), ("[1", "it is not JSON"),
    ] {
      let answer = try await ask(.post, "/v1/sessions", headers: json, body: body)
      #expect(answer.status == 400 && answer.body.contains(words), "\(answer.body)")
    }
  }

  @Test func otherSitesPagesChangeNothing() async throws {
    let cluster = FakeCluster()
    let foreign: HTTPFields = [.origin: "https://evil.example"]
    #expect(try await ask(.post, "/v1/sessions", headers: foreign).status == 403)
    #expect(
      try await ask(.delete, "/v1/sessions/busy", headers: foreign, of: cluster).status == 403)
    #expect(await cluster.killed.isEmpty)
    let form = try await ask(
      .post, "/v1/sessions", headers: [.contentType: "text/plain"], body: "{}")
    #expect(form.status == 400)
  }

  @Test func whatDoesNotExistIsSaidInTheSameForm() async throws {
    let answer = try await ask(.get, "/v2/x")
    #expect(answer.status == 404 && answer.body.contains(#""code":"not_found""#))
    #expect(try await ask(.get, "/v1/connect").status == 426)
    #expect(try await ask(.get, "/v1/sessions/a%20b").status == 400)
  }
}

// Who may do what: every kind of token, every operation, every kind of session, against a table
// written by hand. What the table does not name is refused (promise P9).

import TestSupport
import Testing
import Wire

@testable import Auth

@Suite struct GrantsMatrixTests {
  @Test func everyOperationByEveryKindOfToken() throws {
    var checked = 0
    for kind in AuthMatrix.kinds {
      for session in AuthMatrix.sessions {
        for operation in AuthMatrix.Operation.allCases {
          let decision = try kind.grants.allows(
            operation.asked, session: SessionID(unchecked: session.name), creator: session.creator,
            subject: AuthMatrix.subject)
          #expect(
            decision.isAllowed == kind.allows(operation, session),
            "\(kind.name): \(operation) \(session.name) of \(session.creator ?? "nobody")")
          checked += 1
        }
      }
      #expect(
        try kind.grants.allows(.operate, subject: AuthMatrix.subject).isAllowed == kind.mayOperate)
    }
    #expect(checked >= 300)
  }

  /// What the node decides, from the envelope alone, is what the claim says.
  @Test func theEnvelopeSaysTheSame() throws {
    for kind in AuthMatrix.kinds {
      for session in AuthMatrix.sessions {
        let access = try kind.grants.access(
          to: SessionID(unchecked: session.name), subject: AuthMatrix.subject)
        let rights = access.rights(creator: session.creator)
        #expect((rights != nil) == kind.allows(.watch, session))
        #expect((rights.map { $0 >= .write } ?? false) == kind.allows(.drive, session))
        #expect(access.mayKill(creator: session.creator) == kind.allows(.kill, session))
      }
    }
  }

  @Test func nobodyOwnsWhatWasMadeWithoutAuthentication() {
    let own = Grants([Grant(sessions: [.own], rights: .admin)])
    let id = SessionID(unchecked: "a")
    #expect(!own.allows(.watch, session: id, creator: nil, subject: "a").isAllowed)
    #expect(!own.allows(.watch, session: id, creator: nil, subject: nil).isAllowed)
    #expect(Principal.anyone.allows(.kill, session: id, creator: "a").isAllowed)
  }
}

extension AuthMatrix.Operation {
  fileprivate var asked: Auth.Operation {
    switch self {
    case .watch: .watch
    case .drive: .drive
    case .kill: .kill
    case .create: .create(Creation())
    }
  }
}

extension AuthMatrix.Kind {
  fileprivate var grants: Grants {
    get throws { try Grants(json: claim) }
  }
}

@Suite struct NamesTests {
  private func seesNames(_ claim: String, creator: String?) throws -> Bool {
    let viewer = Event.Viewer(client: .random(), mode: .driver, sub: "eve")
    let summary = SessionSummary(
      session: SessionID(unchecked: "p-1"), node: "a", life: .random(), epoch: Epoch(1),
      target: "pty", command: [], state: .running, status: nil, size: .standard, title: nil,
      created: 0, idle: 0, output: 0, input: 0, creator: creator, viewers: [viewer])
    let principal = Principal(subject: "alice", grants: try Grants(json: claim))
    return principal.shown(summary).viewers.first?.sub != nil
  }

  @Test func whoElseIsThereIsToldToAnAdminAndToWhomTheTokenSaysSo() throws {
    #expect(try seesNames(#"{"sessions":["p-*"],"rights":"admin"}"#, creator: "bob"))
    #expect(try !seesNames(#"{"sessions":["p-*"],"rights":"write"}"#, creator: "bob"))
    #expect(try seesNames(#"{"sessions":["p-*"],"rights":"read","names":true}"#, creator: "bob"))
    #expect(try !seesNames(#"{"sessions":["q-*"],"rights":"read","names":true}"#, creator: "bob"))
    let own = #"{"sessions":["@own"],"rights":"write","names":true}"#
    #expect(try seesNames(own, creator: "alice"))
    #expect(try !seesNames(own, creator: "bob"))
    #expect(try !seesNames(own, creator: nil))
    let both = #"[\#(own),{"sessions":["*"],"rights":"read"}]"#
    #expect(try !seesNames(both, creator: "bob"), "the grant that lets them in does not")
  }
}

@Suite struct SubjectNameTests {
  private func creates(_ pattern: String, as subject: String?, _ name: String) throws -> Bool {
    let create = #"{"targets":["pty"],"commands":["*"]}"#
    let claim = #"{"sessions":["\#(pattern)"],"rights":"write","create":\#(create)}"#
    return try Grants(json: claim).allows(
      .create(Creation()), session: SessionID(unchecked: name), subject: subject
    ).isAllowed
  }

  /// One grant for all users, and none of them can take a name that another could have (promise P9).
  @Test func ofUsersDoNotOverlap() throws {
    #expect(try creates("{sub}-*", as: "ann", "ann-1"))
    #expect(try !creates("{sub}-*", as: "ann", "anna-1"))
    #expect(try !creates("{sub}-*", as: "ann", "bo-1"))
    #expect(try !creates("{sub}-*", as: "ann-bo", "ann-bo-1"), "they would be ann's, too")
    #expect(try !creates("{sub}-*", as: "ann@example.com", "ann-1"))
    #expect(try !creates("{sub}-*", as: nil, "-1"))
    #expect(try creates("u_{sub}", as: "ann-bo", "u_ann-bo"))
    #expect(try !creates("u_{sub}", as: "ann-bo", "u_ann-bo-1"))
    #expect(SessionPattern("{sub}*") == nil)
    #expect(SessionPattern("{sub}-{sub}") == nil)
    for text in ["{sub}-*", "u_{sub}", "{sub}"] {
      #expect(SessionPattern(text)?.description == text)
    }
  }
}

@Suite struct ClaimFaultTests {
  /// What is wrong with a claim is told by its place, whether it stands alone or in a list.
  @Test(
    arguments: [
      (
        #"[{"sessions":["*"],"rights":"read"},{"sessions":["*"],"rights":"wrte"}]"#,
        #"fl[1].rights: "wrte" is not one of read, write, admin"#
      ),
      (
        #"{"sessions":["*"],"rights":"wrte"}"#,
        #"fl.rights: "wrte" is not one of read, write, admin"#
      ),
      (#"[{"sessions":["*"]}]"#, #"fl[0]: "rights" is missing"#),
      (#"{"sessions":"*","rights":"read"}"#, "fl.sessions: it is not a list"),
      (
        #"[{"sessions":["a","b c"],"rights":"read"}]"#,
        "fl[0].sessions[1]: a session is NAME, PREFIX*, * or @own, and {sub} in a name stands for the token's sub"
      ),
      (
        #"{"sessions":["*"],"rights":"write","create":{"commands":"*"}}"#,
        "fl.create.commands: it is not a list"
      ),
      (
        #"{"sessions":["*"],"rights":"write","create":{"commands":[["a"],"b"]}}"#,
        #"fl.create.commands[1]: a command is "*" or a list of words"#
      ), ("7", "fl: it is not an object"),
    ] as [(String, String)]) func isToldByItsPlace(claim: String, words: String) async throws
  {
    let payload = #"{"sub":"a","aud":"fairlead","exp":4000000000,"fl":\#(claim)}"#
    let text = [#"{"alg":"HS256"}"#, payload, "x"].map { base64URLEncode($0.utf8) }
    let token = try UncheckedToken(text.joined(separator: "."))
    let error = #expect(throws: AuthError.self) { _ = try token.claims() }
    #expect(error?.message == "the token's claims: " + words)
  }
}

@Suite struct CreationRuleTests {
  private func allows(_ rule: String, _ creation: Creation) throws -> Bool {
    try Grants(json: #"{"sessions":["@own"],"rights":"write","create":\#(rule)}"#).allows(
      .create(creation), session: SessionID(unchecked: "x"), subject: "alice"
    ).isAllowed
  }

  private func docker(_ name: String) -> Creation {
    Creation(target: Target(unchecked: "docker:\(name)"))
  }

  @Test func aRuleGivesItsTargetsAndNoOther() throws {
    let rule = #"{"targets":["docker:web-*","docker:db"],"commands":["*"]}"#
    #expect(try allows(rule, docker("web-1")))
    #expect(try allows(rule, docker("db")))
    #expect(try !allows(rule, docker("db2")))
    #expect(try !allows(rule, docker("web")))
    #expect(try !allows(rule, Creation()))
    #expect(try allows(#"{"targets":["*"],"commands":["*"]}"#, Creation()))
    #expect(try !allows(#"{"commands":["*"]}"#, Creation()))
    #expect(try !allows(#"{"targets":["pty"]}"#, Creation()))
  }

  @Test func aRuleGivesItsCommandsWordForWordAndNoOther() throws {
    let rule = #"{"targets":["pty"],"commands":[[],["make","*"],["top"]]}"#
    #expect(try allows(rule, Creation()))
    #expect(try allows(rule, Creation(command: ["make"])))
    #expect(try allows(rule, Creation(command: ["make", "-j8", "all"])))
    #expect(try allows(rule, Creation(command: ["top"])))
    #expect(try !allows(rule, Creation(command: ["top", "-b"])))
    #expect(try !allows(rule, Creation(command: ["sh"])))
    // A lone star among words is that word, not a licence.
    let star = #"{"targets":["pty"],"commands":[["*"]]}"#
    #expect(try !allows(star, Creation(command: ["sh"])))
  }

  @Test func namedCommandsCloseTheWaysRoundThem() throws {
    let top = #"{"targets":["pty"],"commands":[["top"]]}"#
    #expect(try !allows(top, Creation(command: ["top"], environment: ["LD_PRELOAD": "/tmp/x"])))
    #expect(try !allows(top, Creation(command: ["top"], workingDirectory: "/tmp")))
    let more =
      #"{"targets":["pty"],"commands":[["top"]],"env":["TERM","LC_*"],"cwd":["/srv/*","/opt"]}"#
    func cwd(_ path: String) -> Creation { Creation(command: ["top"], workingDirectory: path) }
    #expect(
      try allows(more, Creation(command: ["top"], environment: ["TERM": "x", "LC_ALL": "C"])))
    #expect(try !allows(more, Creation(command: ["top"], environment: ["PATH": "/tmp"])))
    #expect(try allows(more, cwd("/srv/a")))
    #expect(try allows(more, cwd("/opt")))
    #expect(try !allows(more, cwd("/opt/x")))
    #expect(try !allows(more, cwd("/srv/../etc")))
    #expect(try allows(#"{"targets":["pty"],"commands":["*"]}"#, cwd("/etc")))
    #expect(try !allows(#"{"targets":["pty"],"commands":["*"],"cwd":["/srv/*"]}"#, cwd("/etc")))
  }

  @Test func usersAreNamedOnlyWhereTheRuleDoes() throws {
    func user(_ name: String) -> Creation {
      Creation(command: ["top"], user: UserName(name))
    }
    func rule(_ users: String) -> String {
      #"{"targets":["pty"],"commands":["*"],"users":\#(users)}"#
    }
    #expect(try !allows(#"{"targets":["pty"],"commands":["*"]}"#, user("app")))
    #expect(try allows(rule("[]"), Creation(command: ["top"])))
    #expect(try !allows(rule("[]"), user("app")))
    #expect(try allows(rule(#"["app","1000","job-*"]"#), user("app")))
    #expect(try allows(rule(#"["app","1000","job-*"]"#), user("1000")))
    #expect(try allows(rule(#"["app","1000","job-*"]"#), user("job-7")))
    #expect(try !allows(rule(#"["app","1000","job-*"]"#), user("apps")))
    // No pattern stands for root.
    for all in ["*", "r*", "root*", "0*"] {
      for root in ["root", "0"] { #expect(try !allows(rule(#"["\#(all)"]"#), user(root))) }
    }
    #expect(try allows(rule(#"["*"]"#), user("app")))
    #expect(try allows(rule(#"["root"]"#), user("root")))
    #expect(try !allows(rule(#"["root"]"#), user("0")))
    let everything = Principal.anyone
    for name in ["root", "0", "app"] {
      #expect(everything.allows(.create(user(name)), session: SessionID(unchecked: "x")).isAllowed)
    }
    #expect(!CreationRule.anything.allows(user("app")))
  }

  private func refusal(
    _ claim: String, _ creation: Creation, _ session: String = "x"
  ) throws -> String {
    let decision = try Grants(json: claim).allows(
      .create(creation), session: SessionID(unchecked: session), subject: "alice")
    guard case .refused(let why) = decision else { return "allowed" }
    return why
  }

  /// Which part of it, and what the token allows there; what was asked for stands in it only where the audit log may
  /// have it.
  @Test func aRefusalNamesThePartAndWhatIsAllowed() throws {
    func grant(_ rule: String) -> String {
      #"{"sessions":["@own"],"rights":"write","create":\#(rule)}"#
    }
    let full = grant(
      #"{"targets":["pty","docker:web-*"],"commands":[["make","*"],[]],"env":["LC_*"],"users":["app","job-*"]}"#
    )
    let make = ["make", "secret"]
    for (creation, words) in [
      (
        docker("db"),
        "this token does not allow the target docker:db (create.target); it allows pty, docker:web-*"
      ),
      (
        Creation(command: ["secret"]),
        #"this token does not allow this command (create.command); it allows ["make","*"], []"#
      ),
      (
        Creation(command: make, environment: ["LC_ALL": "C", "LD_PRELOAD": "secret"]),
        "this token does not allow the variable LD_PRELOAD (create.env); it allows LC_*"
      ),
      (
        Creation(command: make, workingDirectory: "/secret"),
        "this token does not allow this directory (create.cwd); it allows none"
      ),
      (
        Creation(command: make, user: UserName("www")),
        "this token does not allow the user www (create.user); it allows app, job-*"
      ),
      (
        Creation(command: make, user: UserName("root")),
        "this token does not allow the user root, whom no pattern stands for (create.user); it allows app, job-*"
      ),
    ] { #expect(try refusal(full, creation) == words) }
    // Of several rules the one that is nearest, with what others allow of that part.
    let rules = [
      #"{"targets":["docker:a"],"commands":["*"],"users":["x"]}"#,
      #"{"targets":["pty"],"commands":["*"],"users":["y"]}"#,
      #"{"targets":["pty"],"commands":["*"],"users":["y","z"]}"#,
    ].map(grant)
    #expect(
      try refusal("[\(rules.joined(separator: ","))]", Creation(user: UserName("www")))
        == "this token does not allow the user www (create.user); it allows y, z")
  }

  @Test func aRefusalOfANameSaysWhichMayBeCreated() throws {
    let rule = #""rights":"write","create":{"targets":["pty"],"commands":["*"]}"#
    let claim = #"[{"sessions":["b-*","{sub}-*"],\#(rule)},{"sessions":["c"],"rights":"write"}]"#
    #expect(
      try refusal(claim, Creation(), "c")
        == "this token may not create session c; it may create b-*, alice-*")
    #expect(
      try refusal(#"{"sessions":["*"],"rights":"write"}"#, Creation())
        == "this token may not create session x; it may create none")
    let many = (0..<20).map { #""n\#($0)""# }.joined(separator: ",")
    let long = #"{"sessions":[\#(many)],\#(rule)}"#
    #expect(try refusal(long, Creation()).hasSuffix("n6, n7, and 12 more"))
  }

  @Test func tooManyPatternsAreNoClaim() {
    let many = Array(repeating: #""x""#, count: 65).joined(separator: ",")
    #expect(throws: (any Error).self) {
      try Grants(json: #"{"sessions":[\#(many)],"rights":"read"}"#)
    }
    let grants = Array(repeating: #"{"sessions":["x"],"rights":"read"}"#, count: 33)
    #expect(throws: (any Error).self) {
      try Grants(json: "[\(grants.joined(separator: ","))]")
    }
  }
}

// Tickets work once, cookies stay with their server, and who comes with nothing is told so (promise P9).

import Testing
import Wire

@testable import Auth

@Suite struct TicketTests {
  @Test func aTicketIsGoodOnce() async throws {
    let issuer = try await LocalIssuer()
    let ticket = issuer.issueTicket(now: 100)
    let token = try issuer.redeem(ticket, life: 60, now: 101)
    #expect(try issuer.verify(token, now: 102).grants == .everything)
    #expect(throws: AuthError.self) { try issuer.redeem(ticket, life: 60, now: 101) }
  }

  @Test func aTicketRunsOut() async throws {
    let issuer = try await LocalIssuer()
    let ticket = issuer.issueTicket(now: 100)
    #expect(throws: AuthError.self) {
      try issuer.redeem(ticket, life: 60, now: 100 + AuthLimits.ticketLife)
    }
  }

  @Test func aGuessIsNoTicket() async throws {
    let issuer = try await LocalIssuer()
    let ticket = issuer.issueTicket(now: 100)
    for guess in ["", String(ticket.dropLast()), ticket + "A", String(ticket.reversed())] {
      #expect(throws: AuthError.self) { try issuer.redeem(guess, life: 60, now: 101) }
    }
    _ = try issuer.redeem(ticket, life: 60, now: 101)
  }

  @Test func theStoreIsBoundedAndTheOldestGivesWay() async throws {
    let issuer = try await LocalIssuer()
    let first = issuer.issueTicket(now: 100)
    let others = (0..<AuthLimits.tickets).map { _ in issuer.issueTicket(now: 100) }
    #expect(throws: AuthError.self) { try issuer.redeem(first, life: 60, now: 101) }
    for ticket in others { _ = try issuer.redeem(ticket, life: 60, now: 101) }
  }

  @Test func manyWhoTryAtOnceGetOneCookie() async throws {
    let issuer = try await LocalIssuer()
    let ticket = issuer.issueTicket()
    let won = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<50 { group.addTask { (try? issuer.redeem(ticket, life: 60)) != nil } }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(won == 1)
  }

  @Test func aKeyThatIsKeptKeepsWhoIsSignedIn() async throws {
    let secret = LocalIssuer.newSecret()
    let token = try await LocalIssuer(secret: secret).token(life: 60)
    let again = AccessControl(verifier: nil, local: try await LocalIssuer(secret: secret))
    #expect(try again.principal(token: token).subject == LocalIssuer.subject)
  }

  @Test func whatIsPastedIsATicketOrATokenByItsForm() async throws {
    let issuer = try await LocalIssuer()
    let access = AccessControl(verifier: nil, local: issuer)
    let byTicket = try access.signIn(with: issuer.issueTicket(), life: 60)
    #expect(try access.principal(token: byTicket.token).subject == LocalIssuer.subject)
    let token = try issuer.token(life: 100)
    let byToken = try access.signIn(with: token, life: 1_000)
    #expect(byToken.token == token && (90...100).contains(byToken.life))
    for wrong in ["", "x", "a.b.c", String(repeating: "a.", count: 9_000)] {
      #expect(throws: AuthError.self) { try access.signIn(with: wrong, life: 60) }
    }
  }

  @Test func anotherStartTakesNoOldCookie() async throws {
    let token = try await LocalIssuer().token(life: 60)
    let other = AccessControl(verifier: nil, local: try await LocalIssuer())
    let error = #expect(throws: AuthError.self) { try other.principal(token: token) }
    #expect(error?.code == .signature)
  }
}

@Suite struct CredentialTests {
  @Test func comeInAuthorizationOrTheCookieOfThisPort() async throws {
    let issuer = try await LocalIssuer()
    let access = AccessControl(verifier: nil, local: issuer)
    let token = try issuer.token(life: 60)
    func who(_ authorization: [String], _ cookies: [String], _ host: String?) throws -> String? {
      try access.principal(authorization: authorization, cookies: cookies, host: host)?.subject
    }
    #expect(try who(["Bearer \(token)"], [], nil) == "local")
    #expect(try who(["bearer  \(token)"], [], nil) == "local")
    #expect(try who([], ["a=b; fairlead-7070=\(token)"], "127.0.0.1:7070") == "local")
    #expect(try who([], ["fairlead=\(token)"], "console.example.com") == "local")
    #expect(try who([], ["fairlead-7070=\(token)"], "127.0.0.1:7071") == nil)
    #expect(try who([], [], "127.0.0.1:7070") == nil)
    for wrong in [
      ["Basic YTpi"], ["Bearer"], ["Bearer a b"], ["Bearer \(token)", "Bearer \(token)"], [""],
    ] {
      #expect(throws: AuthError.self) { try who(wrong, [], nil) }
    }
    // Another server of this host, or of a name above it, may have set one of that name.
    func cookies(_ count: Int) -> String {
      String(repeating: "fairlead-7070=a.b.c; ", count: count) + "fairlead-7070=\(token)"
    }
    #expect(try who([], [cookies(1)], "127.0.0.1:7070") == "local")
    #expect(try who([], ["fairlead-7070=a.b.c", cookies(0)], "127.0.0.1:7070") == "local")
    #expect(throws: AuthError.self) {
      try who([], [cookies(AuthLimits.cookies)], "127.0.0.1:7070")
    }
    #expect(SessionCookie(host: "a").values(in: ["fairlead=x; __Host-fairlead=y"]) == ["y", "x"])
    // A wrong Authorization is not made good by a right cookie.
    #expect(throws: AuthError.self) {
      try who(["Bearer x"], ["fairlead-7070=\(token)"], "127.0.0.1:7070")
    }
  }

  @Test func openTakesAnybody() throws {
    #expect(
      try AccessControl.open.principal(authorization: ["nonsense"], cookies: [], host: nil)
        == .anyone)
  }

  @Test func theCookieIsOutOfReachOfScriptsAndOtherSites() {
    let header = SessionCookie(host: "127.0.0.1:7070").header(
      SignedIn(subject: nil, token: "T", life: 604_800), isSecure: true)
    #expect(
      header
        == "__Host-fairlead-7070=T; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure")
  }
}

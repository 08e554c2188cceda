// Who is not let in is told what to do about it, and nothing that is untrue (promise P10).

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2 * patience))) struct RefusedCredentialTests {
  @Test func aServeWithoutKeysSaysSoAndAWrongTicketIsNone() async throws {
    let server = try await Server.start(keys: nil)
    let other = try await token("alice", allRights)
    let refused = try await ask("GET", "/v1/sessions", port: server.port, token: other)
    #expect(refused.status == 401 && refused.body.contains("token_no_keys"), "\(refused)")
    #expect(refused.body.contains("--token-key"), "\(refused)")
    let close = try await closing(try await greet(port: server.port, token: other))
    #expect(close.code == 4_401 && close.reason.hasPrefix("token_no_keys"), "\(close)")
    let broken = try await ask("GET", "/v1/sessions", port: server.port, token: "no.such.token")
    #expect(broken.body.contains("token_malformed"), "\(broken)")
    let typed = try await ask("GET", "/?ticket=garbage", port: server.port)
    #expect(typed.status == 401 && typed.body.contains("token_malformed"), "\(typed)")
  }
}

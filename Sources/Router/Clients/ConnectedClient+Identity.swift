// Who a client is: its first token, the ones that follow, and what is written to the audit log of them.

import Auth
import FoundationEssentials
import NIOCore
import Wire

extension ConnectedClient {
  func greet(_ hello: Hello) {
    timer?.cancel()
    do throws(AuthError) {
      state.identified(as: try identify(hello))
    } catch {
      return shutOut(error)
    }
    watchToken()
    send(.welcome(Welcome(time: WallClock.milliseconds)))
    if loop.isStopping { goAway() }
  }

  private func identify(_ hello: Hello) throws(AuthError) -> Principal {
    let access = loop.context.access
    if access.isOpen { return .anyone }
    if let token = hello.token { return try access.principal(token: token) }
    guard let principal = try identity.get() else { throw access.missing }
    return principal
  }

  /// Lets another token hold from now on, for the open streams as well.
  func renew(_ renewal: Renewal) {
    guard let token = renewal.token else {
      return shutOut(AuthError(.missing, "a TOKEN frame has a \"token\""))
    }
    do throws(AuthError) {
      let principal = try loop.context.access.principal(token: token)
      try state.renewed(as: principal)
      audit(.renew)
      send(.token(Renewal(expires: principal.expires.map { UInt64($0 * 1_000) })))
      watchToken()
      reauthorizeStreams(for: principal)
    } catch {
      shutOut(error)
    }
  }

  /// Asks for another token before this one runs out, and closes when it has.
  private func watchToken() {
    timer?.cancel()
    switch state.tokenWait(now: Double(WallClock.milliseconds) / 1_000) {
    case nil: break
    case .look(let seconds)?: timer = after(Self.time(seconds)) { $0.watchToken() }
    case .ask(let seconds, let notice)?:
      timer = after(Self.time(seconds)) { client in
        client.send(.token(Renewal(within: Int(notice * 1_000))))
        client.timer = client.after(Self.time(notice)) {
          $0.shutOut(AuthError(.expired, "the token has run out, and no other one came"))
        }
      }
    }
  }

  private static func time(_ seconds: Double) -> TimeAmount {
    .milliseconds(Int64(seconds * 1_000))
  }

  /// Closes the connection. The client may come back with another token.
  private func shutOut(_ error: AuthError) {
    audit(.connect, problem: error)
    leave(.unauthorized(error))
  }

  // MARK: The audit log

  private func audit(_ what: AuditEvent.What, problem: AuthError? = nil) {
    loop.context.audit?.record(
      AuditEvent(
        what, who: state.principal?.subject, from: from, result: problem?.code.rawValue ?? "ok",
        message: problem?.message))
  }

  func audit(_ refused: Refused, of open: Open, _ session: SessionID) {
    loop.context.audit?.record(
      AuditEvent(
        open.create == nil ? .open : .create, who: state.principal?.subject, from: from,
        session: session.rawValue, target: open.create?.target.description,
        user: open.create?.user?.rawValue, result: refused.code.rawValue,
        message: refused.message))
  }
}

// Nothing runs open, or in the clear, where other machines can reach it, unless it was told to (promise P9).

import Testing

@testable import Auth

@Suite struct StartPolicyTests {
  private static let far = ["0.0.0.0", "::", "10.0.0.5", "console.example.com", "2001:db8::1"]
  private static let near = ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"]

  private func check(
    _ role: StartPolicy.Role, _ host: String, tls: Bool = false, auth: Bool = false,
    noAuth: Bool = false, plain: Bool = false, url: String? = nil
  ) -> StartPolicy.Verdict {
    StartPolicy.check(
      StartPolicy(
        role: role, host: host, hasTLS: tls, hasAuthentication: auth, noAuthentication: noAuth,
        plaintextBehindProxy: plain, publicURL: url))
  }

  private func starts(_ verdict: StartPolicy.Verdict) -> Bool {
    if case .start = verdict { true } else { false }
  }

  /// Every combination, against the rule in words.
  @Test(arguments: far + near) func everyCombinationIsDecidedAsTheRuleInWordsSays(host: String) {
    let isNear = Self.near.contains(host)
    for role in [StartPolicy.Role.serve, .router, .node] {
      for bits in 0..<32 {
        let (tls, auth, noAuth, plain, url) = (
          bits & 1 != 0, bits & 2 != 0, bits & 4 != 0, bits & 8 != 0,
          bits & 16 != 0 ? "https://console.example.com" : nil
        )
        let verdict = check(
          role, host, tls: tls, auth: auth, noAuth: noAuth, plain: plain, url: url)
        let isConsistent = !(noAuth && auth) && !(plain && (tls || role == .node || url == nil))
        let isHidden = isNear || tls || plain || role == .node
        let isGuarded = isNear || auth || noAuth
        #expect(
          starts(verdict) == (isConsistent && isHidden && isGuarded),
          "\(role) \(host) tls=\(tls) auth=\(auth) no-auth=\(noAuth) plain=\(plain)")
        if case .start(let warnings) = verdict {
          let isDaring =
            noAuth || !auth || (!isNear && (plain || (role == .node && !tls)))
          #expect(warnings.isEmpty == !isDaring, "what is daring is said at every start")
        }
      }
    }
  }

  /// A published port of a container, say: plain HTTP never leaves the machine.
  @Test(arguments: [
    ("https://console.example.com", true), ("http://127.0.0.1:8080", true),
    ("http://localhost:8080/x", true), ("http://[::1]:8080", true), ("http://10.0.0.5:8080", false),
    ("http://127.0.0.1.example.com", false), ("ftp://127.0.0.1", false), ("", false),
  ]) func plaintextIsForWhatAProxyOrThisMachineProtects(url: String, isStarted: Bool) {
    #expect(starts(check(.router, "0.0.0.0", auth: true, plain: true, url: url)) == isStarted)
  }

  @Test func aRefusalSaysWhatToDo() {
    guard case .refuse(let open) = check(.router, "0.0.0.0", tls: true),
      case .refuse(let plain) = check(.router, "0.0.0.0", auth: true),
      case .refuse(let node) = check(.node, "0.0.0.0")
    else {
      Issue.record("it would start")
      return
    }
    #expect(open.contains("--token-key") && open.contains("--no-auth"))
    #expect(plain.contains("--tls-cert") && plain.contains("--plaintext-behind-proxy"))
    #expect(node.contains("--cluster-key-file"))
  }
}

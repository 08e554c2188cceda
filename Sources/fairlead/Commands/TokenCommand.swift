// `fairlead token`: makes tokens, for tests and small installations.

import ArgumentParser
import Auth
import FoundationEssentials
import Wire

struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Make a token for routers started with --token-key.",
    discussion: """
      Signs with a secret (HS256) or a private key in PEM (RS256, ES256, EdDSA). Sessions are NAME, \
      PREFIX*, * or @own (those that the token's subject created). For finer rights give the whole \
      claim with --claim; docs/security.md describes it.

        openssl rand -hex 32 > tokens.key
        fairlead token --key-file tokens.key --sub alice --rights write --ttl 8h
        fairlead token --key-file tokens.key --sub ops --sessions '*' --rights admin
        fairlead token --key-file tokens.key --sub ci --claim \\
          '{"sessions":["ci-*"],"rights":"write","create":{"targets":["docker:ci-*"],"commands":["*"]}}'
      """)

  @Option(help: ArgumentHelp("The secret, or the private key.", valueName: "file"))
  var keyFile: String

  @Option(help: "Who it is for.")
  var sub: String

  @Option(
    help: ArgumentHelp("Which sessions; may be given again.", valueName: "pattern"))
  var sessions: [String] = []

  @Option(help: "read, write or admin.")
  var rights: RightsOption = .write

  /// The token's rights, by their own names.
  enum RightsOption: String, ExpressibleByArgument, CaseIterable {
    case read, write, admin
    var rights: Rights { self == .read ? .read : self == .write ? .write : .admin }
  }

  @Flag(
    help: """
      Nothing may be created. Without this, anything may, under the names of --sessions, but as no user \
      that its client names: that takes --claim.
      """)
  var noCreate = false

  @Option(help: ArgumentHelp("The claim \"fl\" as JSON, instead.", valueName: "json"))
  var claim: String?

  @Option(help: ArgumentHelp("How long it is good for.", valueName: "time"))
  var ttl = TimeOption(seconds: 3_600)

  @Option(help: "Its \"aud\".")
  var audience = "fairlead"

  @Option(help: "Its \"iss\".")
  var issuer: String?

  @Option(help: ArgumentHelp("Its key's name in a JWKS.", valueName: "name"))
  var kid: String?

  private func grants() throws -> Grants {
    if let claim {
      guard sessions.isEmpty, !noCreate else {
        throw ValidationError("--claim says all; it goes without --sessions and --no-create")
      }
      do {
        return try JSONDecoder().decode(Grants.self, from: Data(claim.utf8))
      } catch {
        let why = (error as? DecodingError)?.words(root: "fl") ?? "it is not JSON"
        throw ValidationError("--claim is not understood (see docs/security.md): \(why)")
      }
    }
    let patterns = try (sessions.isEmpty ? ["@own"] : sessions).map { text in
      guard let pattern = SessionPattern(text) else {
        throw ValidationError("--sessions \(text): \(SessionPattern.form)")
      }
      return pattern
    }
    let mayCreate = !noCreate && rights != .read
    return Grants([
      Grant(sessions: patterns, rights: rights.rights, create: mayCreate ? .anything : nil)
    ])
  }

  func validate() throws { _ = try grants() }

  func run() async throws {
    let now = Double(WallClock.milliseconds / 1_000)
    let claims = Claims(
      sub: sub, iss: issuer, aud: [audience], exp: now + Double(ttl.seconds), iat: now,
      fl: try grants())
    do {
      say(try await TokenSigner(path: keyFile).sign(claims, keyID: kid))
    } catch {
      throw ValidationError(error.message)
    }
  }
}

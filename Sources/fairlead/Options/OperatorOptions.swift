// Options that the admin commands share, and how they reach the cluster: through a router's HTTP
// API, or, where that is all they need, straight through the registry.

import APIClient
import ArgumentParser
import Auth
import Client
import FoundationEssentials
import Logging
import NIOCore
import Pipes
import Redis
import Registry
import TLS
import Wire

struct APIOptions: ParsableArguments {
  @Option(
    name: .customLong("api"),
    help: ArgumentHelp(
      "A router, or the load balancer before it. If not given: this user's `fairlead serve`, or "
        + "http://127.0.0.1:7070.", valueName: "url"))
  var given: String?

  @Option(
    help: ArgumentHelp(
      "A file with the token to show. Also: FAIRLEAD_TOKEN, the token itself. `fairlead serve` of "
        + "the same user needs neither.", valueName: "file"))
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "PEM file of the CAs to trust for https:// instead of the system's.", valueName: "file"))
  var ca: String = fromEnvironment("CA", default: "")

  @Option(
    help: ArgumentHelp(
      "PEM file of the certificate to show, where the router asks for one.", valueName: "file"))
  var cert: String = fromEnvironment("CERT", default: "")

  @Option(help: ArgumentHelp("PEM file of its private key.", valueName: "file"))
  var key: String = fromEnvironment("KEY", default: "")

  static let usualPort = 7070
  private static let usual = "http://127.0.0.1:\(usualPort)"

  /// Where nobody has said which of several `serve` is meant. No ``Failure``: it has one kind.
  struct Ambiguous: Error {
    var running: [String]
    var description: String {
      "several `fairlead serve` of yours run (\(running.joined(separator: ", "))); say which one by --api or "
        + "FAIRLEAD_API"
    }
  }

  private var named: String? { given ?? environment("API") }

  /// Whether somebody has said where the API is.
  var isNamed: Bool { named != nil }

  /// Where the API is. Among several `serve` a guess might end a session of the wrong one.
  private func locate() throws(Ambiguous) -> String {
    if let named { return named }
    let running = ServeFile.all().map(\.url)
    if running.count == 1 { return running[0] }
    guard running.isEmpty || running.contains(Self.usual) else {
      throw Ambiguous(running: running)
    }
    return Self.usual
  }

  /// The port that a `serve` of this user would have, if that may be meant; nil: another machine is.
  var ownPort: Int? {
    guard let endpoint = try? Endpoint(api), StartPolicy.isLoopback(endpoint.host) else {
      return nil
    }
    return endpoint.port
  }

  /// As `locate` says; who asks there has seen by `tls` that it does.
  var api: String { (try? locate()) ?? Self.usual }

  func validate() throws {
    // Which of several is meant may not matter: where Redis is asked instead.
    do { _ = try endpoint() } catch is Ambiguous {}
    try requireBoth("--cert", cert, "--key", key)
    if let path = tokenFile ?? environment("TOKEN_FILE"), Self.read(path) == nil {
      throw ValidationError("--token-file \(path) cannot be read")
    }
  }

  /// Nil for `http://`.
  func tls() throws -> TLSContext? {
    guard try endpoint().isEncrypted else { return nil }
    return try TLSContext(clientConfiguration(ca: ca, cert: cert, key: key, ["http/1.1"]))
  }

  private func endpoint() throws -> Endpoint {
    let api = try locate()
    NextStep.asked(at: api, isNamed: named != nil)
    do { return try Endpoint(api) } catch { throw ValidationError("--api: \(error)") }
  }

  /// - Parameter limit: how long an answer may take; nil: as long as usual.
  func client(within limit: TimeAmount? = nil) throws -> APIClient {
    let endpoint = try endpoint()
    return APIClient(
      host: endpoint.host, port: endpoint.port, path: endpoint.path, tls: try tls(),
      token: token(), within: limit)
  }

  /// Another router of the same cluster, who is told the same token; nil: that would go in plain text, where here it
  /// does not.
  func client(of url: String, within limit: TimeAmount?) throws -> APIClient? {
    let own = try endpoint()
    let endpoint: Endpoint
    do { endpoint = try Endpoint(url) } catch { return nil }
    guard endpoint.isEncrypted || !own.isEncrypted else { return nil }
    let tls =
      endpoint.isEncrypted
      ? try TLSContext(clientConfiguration(ca: ca, cert: cert, key: key, ["http/1.1"])) : nil
    return APIClient(
      host: endpoint.host, port: endpoint.port, path: endpoint.path, tls: tls, token: token(),
      within: limit)
  }

  /// Reads the token anew each time, since files are renewed. The token of `serve` goes to that
  /// `serve` alone.
  var token: @Sendable () -> String? {
    let path = tokenFile ?? environment("TOKEN_FILE")
    let url = api
    return {
      if let path { return Self.read(path) }
      return environment("TOKEN") ?? ServeFile.find(url: url)?.token
    }
  }

  private static func read(_ path: String) -> String? {
    guard let data = try? Data(contentsOf: URL(filePath: path)),
      data.count <= CommandLimits.tokenFile
    else {
      return nil
    }
    let text = String(decoding: data, as: UTF8.self)
    return String(text.prefix { !$0.isNewline })
  }
}

struct RegistryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Ask this Redis when no router answers, written as a router's --redis.",
      valueName: "url"))
  var redis: String = fromEnvironment("REDIS", default: "")

  @Option(help: "The cluster's name in that Redis.")
  var cluster: String = fromEnvironment("CLUSTER", default: "fl")

  @OptionGroup var password: RedisPasswordOptions
  @OptionGroup var tls: RedisTLSOptions

  func validate() throws { if !redis.isEmpty { try requireRedisURL(redis) } }

  /// Nil: none was named.
  func open(_ logger: Logger) throws -> (any Registry)? {
    if redis.isEmpty { return nil }
    let credentials = try tls.credentials(for: redis, logger: logger)
    return try openRegistry(
      try password.url(redis), cluster: cluster, tls: credentials, logger: logger)
  }
}

/// The registry in a Redis.
func openRegistry(
  _ url: String, cluster: String, tls: TLSCredentials?,
  keepTombstones: Int = RegistryLimits.tombstone,
  logger: Logger
) throws -> any Registry {
  try RedisRegistry(
    url: url, cluster: cluster, tls: tls, keepTombstones: keepTombstones, logger: logger)
}

func requireRedisURL(_ url: String) throws {
  do { _ = try RedisEndpoint(url) } catch { throw ValidationError("--redis: \(error.message)") }
}

extension TerminalSize: Formed {
  static let form = "COLUMNSxROWS, such as 120x40; 1000x1000 at most"
  init?(formed text: String) { self.init(text) }
}

extension Target: Formed {
  static let form = PipeKinds.standard.targets.form
  static func form(insteadOf text: String) -> String {
    PipeKinds.standard.targets.form(insteadOf: Target(unchecked: text))
  }
  init?(formed text: String) {
    self.init(text)
    guard PipeKinds.standard.targets.knows(self) else { return nil }
  }
}

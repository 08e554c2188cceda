// The certificates of each hop: towards clients, between routers and nodes, to Redis.

import ArgumentParser
import HTTPClient
import Logging
import Redis
import TLS

/// What a router shows to clients, and asks of them.
struct ListenTLSOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "PEM file of the certificate that clients see, and those up to its CA. May be given again for "
        + "other host names, with a --tls-key each. (FAIRLEAD_TLS_CERT takes several, with commas.)",
      valueName: "file"))
  var tlsCert: [String] = []

  @Option(help: ArgumentHelp("PEM file of its private key.", valueName: "file"))
  var tlsKey: [String] = []

  @Option(
    name: .customLong("tls-client-ca"),
    help: ArgumentHelp(
      "PEM file of CAs: takes only clients with a certificate of theirs.", valueName: "file"))
  var tlsClientCA: String = fromEnvironment("TLS_CLIENT_CA", default: "")

  private var identities: [TLSConfiguration.Identity] {
    zip(given(tlsCert, "TLS_CERT"), given(tlsKey, "TLS_KEY")).map {
      TLSConfiguration.Identity(certificate: $0, key: $1)
    }
  }

  private func given(_ values: [String], _ name: String) -> [String] {
    values.isEmpty ? (environment(name) ?? "").split(separator: ",").map(String.init) : values
  }

  func validate() throws {
    guard given(tlsCert, "TLS_CERT").count == given(tlsKey, "TLS_KEY").count else {
      throw ValidationError("each --tls-cert needs its --tls-key, in the same order")
    }
    guard tlsClientCA.isEmpty || !identities.isEmpty else {
      throw ValidationError("--tls-client-ca needs --tls-cert and --tls-key")
    }
  }

  /// Nil: plain text.
  func credentials(logger: Logger) throws -> TLSCredentials? {
    if identities.isEmpty { return nil }
    return try TLSCredentials(
      .server(
        identities, clientAuthorities: tlsClientCA.isEmpty ? nil : tlsClientCA,
        protocols: ["http/1.1"]),
      logger: logger)
  }
}

/// Links between routers and nodes: each end proves itself to the other.
struct LinkTLSOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "PEM file of this process's certificate on links between routers and nodes.",
      valueName: "file"))
  var linkCert: String = fromEnvironment("LINK_CERT", default: "")

  @Option(help: ArgumentHelp("PEM file of its private key.", valueName: "file"))
  var linkKey: String = fromEnvironment("LINK_KEY", default: "")

  @Option(
    name: .customLong("link-ca"),
    help: ArgumentHelp(
      "PEM file of the cluster's own CA: who has a certificate of it counts as router or node.",
      valueName: "file"))
  var linkCA: String = fromEnvironment("LINK_CA", default: "")

  /// By ALPN, so that what was meant for another port is not taken for a link.
  private static let protocols = ["fairlead-link.v1"]

  func validate() throws {
    guard Set([linkCert.isEmpty, linkKey.isEmpty, linkCA.isEmpty]).count == 1 else {
      throw ValidationError("--link-cert, --link-key and --link-ca belong together")
    }
  }

  private var identity: TLSConfiguration.Identity {
    TLSConfiguration.Identity(certificate: linkCert, key: linkKey)
  }

  /// A node's; nil: plain text.
  func listening(logger: Logger) throws -> TLSCredentials? {
    if linkCert.isEmpty { return nil }
    return try TLSCredentials(
      .server([identity], clientAuthorities: linkCA, protocols: Self.protocols), logger: logger)
  }

  /// A router's; nil: plain text.
  func connecting(logger: Logger) throws -> TLSCredentials? {
    if linkCert.isEmpty { return nil }
    return try TLSCredentials(
      .client(trust: .authorities(linkCA), identity: identity, protocols: Self.protocols),
      logger: logger)
  }
}

/// For `rediss…`.
struct RedisTLSOptions: ParsableArguments {
  @Option(
    name: .customLong("redis-ca"),
    help: ArgumentHelp(
      "PEM file of the CAs to trust for rediss:// instead of the system's.", valueName: "file"))
  var redisCA: String = fromEnvironment("REDIS_CA", default: "")

  @Option(
    help: ArgumentHelp(
      "PEM file of the certificate to show to a Redis that asks for one.", valueName: "file"))
  var redisCert: String = fromEnvironment("REDIS_CERT", default: "")

  @Option(help: ArgumentHelp("PEM file of its private key.", valueName: "file"))
  var redisKey: String = fromEnvironment("REDIS_KEY", default: "")

  func validate() throws { try requireBoth("--redis-cert", redisCert, "--redis-key", redisKey) }

  /// Nil if nothing is given, or the URL is plain.
  func credentials(for url: String, logger: Logger) throws -> TLSCredentials? {
    guard let endpoint = try? RedisEndpoint(url), endpoint.usesTLS else { return nil }
    return try TLSCredentials(
      clientConfiguration(ca: redisCA, cert: redisCert, key: redisKey), logger: logger)
  }
}

func requireBoth(
  _ first: String, _ firstValue: String, _ second: String, _ secondValue: String
) throws {
  guard firstValue.isEmpty == secondValue.isEmpty else {
    throw ValidationError("\(first) and \(second) belong together")
  }
}

/// Empty means not given.
func clientConfiguration(
  ca: String, cert: String, key: String, _ protocols: [String] = []
) -> TLSConfiguration {
  .client(
    trust: ca.isEmpty ? .standard : .authorities(ca),
    identity: cert.isEmpty ? nil : TLSConfiguration.Identity(certificate: cert, key: key),
    protocols: protocols)
}

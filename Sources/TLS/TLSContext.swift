// What the connections of one role have in common: certificates, keys, trusted CAs, protocols. Made from
// files, immutable, shared by all threads; `TLSCredentials` makes a new one when the files change.

internal import COpenSSL
public import Wire

/// What a ``TLSContext`` is made from.
public struct TLSConfiguration: Sendable, Equatable {
  public enum Role: Sendable { case server, client }

  /// A certificate with those between it and the CA, and its private key: two PEM files.
  public struct Identity: Sendable, Equatable {
    public var certificate: String
    public var key: String

    public init(certificate: String, key: String) {
      self.certificate = certificate
      self.key = key
    }
  }

  /// Whom to believe.
  public enum Trust: Sendable, Equatable {
    /// A client trusts the CAs of the operating system; a server asks for no certificate.
    case standard
    /// A PEM file of CAs. A server then takes only clients that have a certificate of theirs.
    case authorities(String)
    /// Anyone: the certificate is looked at, and nothing follows from it. For tools that show one.
    case anyone
  }

  public var role: Role
  /// A server's first one serves clients that ask for no name, or for one that no certificate has.
  public var identities: [Identity]
  public var trust: Trust
  /// By ALPN, the preferred one first; a peer that offers none gets a connection without. A server
  /// refuses one that offers only others.
  public var protocols: [String]

  public static func server(
    _ identities: [Identity], clientAuthorities: String? = nil, protocols: [String] = []
  ) -> TLSConfiguration {
    TLSConfiguration(
      role: .server, identities: identities,
      trust: clientAuthorities.map(Trust.authorities) ?? .standard, protocols: protocols)
  }

  public static func client(
    trust: Trust = .standard, identity: Identity? = nil, protocols: [String] = []
  ) -> TLSConfiguration {
    TLSConfiguration(
      role: .client, identities: identity.map { [$0] } ?? [], trust: trust, protocols: protocols)
  }

  /// Every file that it names.
  var files: [String] {
    var files = identities.flatMap { [$0.certificate, $0.key] }
    if case .authorities(let file) = trust { files.append(file) }
    return files
  }
}

public final class TLSContext: Sendable {
  public let configuration: TLSConfiguration
  /// The first certificate of each identity.
  public let certificates: [CertificateSummary]
  // Sendable: OpenSSL counts references to an SSL_CTX and locks what it changes in one; after `init`
  // nothing here configures it.
  nonisolated(unsafe) let pointer: OpaquePointer
  private let choices: ServerChoices
  var isServer: Bool { configuration.role == .server }

  /// Reads the files.
  /// - Throws: ``TLSError`` of code `configuration`, naming the file and what is wrong with it.
  public init(_ configuration: TLSConfiguration) throws(TLSError) {
    self.configuration = configuration
    if configuration.role == .server, configuration.identities.isEmpty {
      throw TLSError(.configuration, "a TLS server needs a certificate and its key")
    }
    var contexts: [OwnedContext] = []
    var leaves: [Certificate] = []
    if configuration.identities.isEmpty {
      contexts.append(try OwnedContext(configuration))
    }
    for identity in configuration.identities {
      let context = try OwnedContext(configuration)
      leaves.append(try context.use(identity))
      contexts.append(context)
    }
    certificates = leaves.map(\.summary)
    pointer = contexts[0].pointer
    choices = ServerChoices(
      contexts: contexts, certificates: leaves, protocols: configuration.protocols)
    if configuration.role == .server {
      choices.install()
    } else if !configuration.protocols.isEmpty {
      let list = configuration.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
      // 0 is success, for this one function.
      guard SSL_CTX_set_alpn_protos(pointer, list, UInt32(list.count)) == 0 else {
        throw .fromQueue(.configuration, "the list of protocols is too long")
      }
    }
  }
}

/// One SSL_CTX: OpenSSL keeps one certificate (of a kind of key) in each.
private final class OwnedContext {
  let pointer: OpaquePointer

  init(_ configuration: TLSConfiguration) throws(TLSError) {
    ERR_clear_error()
    let isServer = configuration.role == .server
    guard let context = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
      throw .fromQueue(.internal, "no TLS context")
    }
    pointer = context
    // TLS 1.2's that have forward secrecy and authenticated encryption, as all of TLS 1.3's do.
    guard copenssl_set_defaults(context) == 1,
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1
    else { throw .fromQueue(.internal, "OpenSSL lacks TLS 1.2's ciphers") }
    switch configuration.trust {
    case .standard:
      SSL_CTX_set_verify(context, isServer ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, verifyPeer)
      if !isServer { SSL_CTX_set_default_verify_paths(context) }
    case .anyone:
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verifyPeer)
      SSL_CTX_set_default_verify_paths(context)
    case .authorities(let path):
      SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (isServer ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), verifyPeer)
      try trust(path, tellClients: isServer)
    }
    // Tickets are resumed only by who asked for the same thing.
    let identifier = Array("fairlead".utf8)
    SSL_CTX_set_session_id_context(context, identifier, UInt32(identifier.count))
  }

  deinit { SSL_CTX_free(pointer) }

  private func trust(_ path: String, tellClients: Bool) throws(TLSError) {
    let store = SSL_CTX_get_cert_store(pointer)
    let names = copenssl_new_names()
    for certificate in try PEMFile(path).certificates() {
      guard X509_STORE_add_cert(store, certificate.pointer) == 1 else {
        throw .fromQueue(.configuration, "\(path): a CA cannot be used")
      }
      if tellClients { _ = copenssl_push_name(names, X509_get_subject_name(certificate.pointer)) }
    }
    SSL_CTX_set_client_CA_list(pointer, names)
  }

  func use(_ identity: TLSConfiguration.Identity) throws(TLSError) -> Certificate {
    let chain = try PEMFile(identity.certificate).certificates()
    let key = try PEMFile(identity.key).privateKey()
    defer { EVP_PKEY_free(key) }
    ERR_clear_error()
    guard SSL_CTX_use_certificate(pointer, chain[0].pointer) == 1 else {
      throw .fromQueue(.configuration, "\(identity.certificate): the certificate cannot be used")
    }
    for certificate in chain.dropFirst() {
      guard copenssl_add_chain_certificate(pointer, certificate.pointer) == 1 else {
        throw .fromQueue(.configuration, "\(identity.certificate): its chain cannot be used")
      }
    }
    guard X509_check_private_key(chain[0].pointer, key) == 1,
      SSL_CTX_use_PrivateKey(pointer, key) == 1
    else {
      throw .fromQueue(
        .configuration,
        "\(identity.key) is not the key of the (first) certificate in \(identity.certificate)")
    }
    return chain[0]
  }
}

/// What a server chooses once it has read a ClientHello: the certificate by the name that the client
/// asks for (SNI, RFC 6066), and the protocol (ALPN, RFC 7301). OpenSSL's callbacks point here; the
/// `TLSContext` keeps it for as long as there are connections.
private final class ServerChoices: Sendable {
  // Sendable: only read once made, and an SSL_CTX may be shared (see `TLSContext`).
  private nonisolated(unsafe) let contexts: [OwnedContext]
  private let certificates: [Certificate]
  private let protocols: [[UInt8]]

  init(contexts: [OwnedContext], certificates: [Certificate], protocols: [String]) {
    self.contexts = contexts
    self.certificates = certificates
    self.protocols = protocols.map { Array($0.utf8) }
  }

  func install() {
    let this = Unmanaged.passUnretained(self).toOpaque()
    if contexts.count > 1 {
      copenssl_set_servername_callback(
        contexts[0].pointer,
        { ssl, _, argument in
          guard let argument, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return SSL_TLSEXT_ERR_NOACK
          }
          let choices = Unmanaged<ServerChoices>.fromOpaque(argument).takeUnretainedValue()
          if let context = choices.context(for: String(cString: name)) {
            SSL_set_SSL_CTX(ssl, context)
          }
          return SSL_TLSEXT_ERR_OK
        }, this)
    }
    guard !protocols.isEmpty else { return }
    for context in contexts {
      SSL_CTX_set_alpn_select_cb(
        context.pointer,
        { _, chosen, length, offered, count, argument in
          guard let argument, let chosen, let length, let offered else {
            return SSL_TLSEXT_ERR_NOACK
          }
          let choices = Unmanaged<ServerChoices>.fromOpaque(argument).takeUnretainedValue()
          let list = UnsafeBufferPointer(start: offered, count: Int(count))
          guard let range = choices.protocolRange(in: list) else {
            return SSL_TLSEXT_ERR_ALERT_FATAL
          }
          // Into the client's own list, which OpenSSL copies from.
          chosen.pointee = offered + range.lowerBound
          length.pointee = UInt8(range.count)
          return SSL_TLSEXT_ERR_OK
        }, this)
    }
  }

  private func context(for name: String) -> OpaquePointer? {
    certificates.firstIndex { $0.matches(name) }.map { contexts[$0].pointer }
  }

  /// Where our most preferred protocol stands in a list of length-prefixed names.
  private func protocolRange(in list: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    for wanted in protocols {
      var index = 0
      while index < list.count {
        let start = index + 1
        let end = start + Int(list[index])
        guard end <= list.count else { return nil }
        if list[start..<end].elementsEqual(wanted) { return start..<end }
        index = end
      }
    }
    return nil
  }
}

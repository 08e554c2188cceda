// The one error of this module, and how OpenSSL's queue of errors becomes one.

internal import COpenSSL
public import Wire

/// What went wrong, in words that say what to do about it.
public typealias TLSError = Failure<TLSErrorCode>

public enum TLSErrorCode: String, FailureCode {
  /// A certificate, key or CA file that cannot be used.
  case configuration
  /// The two ends could not agree: version, cipher, protocol.
  case handshake
  /// A client spoke plain HTTP.
  case plainHTTP = "plain_http"
  /// What answered a client is no TLS.
  case notTLS = "not_tls"
  /// The peer's certificate is missing, not trusted, not valid now, or another host's.
  case verification
  /// The peer says that it refuses us, by an alert.
  case refused
  /// The handshake took too long.
  case timeout
  /// The connection ended without close_notify: what was received may be a part.
  case truncated
  /// A record or message that breaks the protocol, or was changed on its way.
  case violation
  /// More bytes had to be buffered than the limit.
  case limit
  /// OpenSSL itself failed, for example for want of memory.
  case `internal`
}

extension TLSError {
  /// Whether another try would fail, too, before somebody changes certificates or turns TLS on or off.
  public var isOfConfiguration: Bool {
    switch code {
    case .configuration, .plainHTTP, .notTLS, .verification, .refused: true
    case .handshake, .timeout, .truncated, .violation, .limit, .internal: false
    }
  }
}

/// One entry of OpenSSL's queue of errors, which belongs to the thread.
struct QueuedError {
  var library: Int32
  var reason: Int32
  var text: String

  /// Empties the queue.
  static func takeAll() -> [QueuedError] {
    var all: [QueuedError] = []
    while true {
      let code = ERR_get_error()
      if code == 0 { return all }
      let reason =
        ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
      all.append(
        QueuedError(library: ERR_GET_LIB(code), reason: ERR_GET_REASON(code), text: reason))
    }
  }

  var isSSL: Bool { library == ERR_LIB_SSL }
}

extension [QueuedError] {
  var cause: OpenSSLWords? {
    isEmpty ? nil : OpenSSLWords(map(\.text).joined(separator: "; "))
  }
}

/// What OpenSSL itself said, oldest first; for logs. No ``Failure``: it only lies behind one.
struct OpenSSLWords: Error, CustomStringConvertible {
  var text: String
  init(_ text: String) { self.text = text }
  var description: String { "OpenSSL says \(text)" }
}

extension TLSError {
  /// An error of OpenSSL's with nothing known about its cause.
  static func fromQueue(_ code: Code, _ message: String) -> TLSError {
    TLSError(code, message, cause: QueuedError.takeAll().cause)
  }

  static func plainHTTP(_ cause: (any Error)?) -> TLSError {
    TLSError(
      .plainHTTP, "the client speaks plain HTTP to a TLS port: use https:// or wss://",
      cause: cause)
  }

  /// The error of a connection: what OpenSSL queued, in words for the operator.
  init(queue: [QueuedError], isServer: Bool, isHandshake: Bool) {
    let cause = queue.cause
    guard let first = queue.first(where: \.isSSL) ?? queue.first else {
      self.init(.internal, "OpenSSL failed without saying why")
      return
    }
    if first.isSSL, first.reason > SSL_AD_REASON_OFFSET {
      let alert = Self.alert(first.reason - SSL_AD_REASON_OFFSET, isServer: isServer)
      self.init(.refused, "the peer refuses the connection: \(alert)", cause: cause)
      return
    }
    switch first.isSSL ? first.reason : 0 {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      self.init(
        .verification, "the client sent no certificate, and this port demands one", cause: cause)
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_UNKNOWN_SSL_VERSION,
      SSL_R_WRONG_SSL_VERSION, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_VERSION_TOO_HIGH:
      self.init(
        .handshake, "the peer speaks no TLS version that is accepted here: 1.2 or 1.3 is needed",
        cause: cause)
    case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
      self = .plainHTTP(cause)
    case SSL_R_WRONG_VERSION_NUMBER where isHandshake, SSL_R_RECORD_TOO_SMALL where isHandshake,
      SSL_R_PACKET_LENGTH_TOO_LONG where isHandshake,
      SSL_R_RECORD_LENGTH_MISMATCH where isHandshake:
      self.init(
        .notTLS, "the peer does not speak TLS: does it listen for plain text there?",
        cause: cause)
    case SSL_R_NO_SHARED_CIPHER:
      self.init(
        .handshake,
        "the peer offers no cipher that is accepted here (ECDHE with AES-GCM or "
          + "ChaCha20)", cause: cause)
    case SSL_R_NO_APPLICATION_PROTOCOL:
      self.init(
        .handshake, "the peer asks (by ALPN) only for protocols that are not spoken here",
        cause: cause)
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SSL_R_BAD_RECORD_TYPE,
      SSL_R_DATA_LENGTH_TOO_LONG, SSL_R_ENCRYPTED_LENGTH_TOO_LONG, SSL_R_WRONG_VERSION_NUMBER,
      SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_UNEXPECTED_RECORD, SSL_R_UNEXPECTED_MESSAGE:
      self.init(
        .violation,
        "what the peer sent breaks the protocol, or was changed on its way: "
          + first.text, cause: cause)
    default:
      self.init(
        isHandshake ? .handshake : .violation,
        (isHandshake ? "the TLS handshake failed: " : "the TLS connection failed: ") + first.text,
        cause: cause)
    }
  }

  /// RFC 8446, section 6.2.
  private static func alert(_ number: Int32, isServer: Bool) -> String {
    let ours = isServer ? "this server's certificate" : "this client's certificate"
    return switch number {
    case SSL_AD_UNKNOWN_CA: "it does not know the CA of \(ours)"
    case SSL_AD_CERTIFICATE_EXPIRED: "\(ours) has expired, or is not valid yet"
    case SSL_AD_CERTIFICATE_REVOKED: "\(ours) was revoked"
    case SSL_AD_BAD_CERTIFICATE, SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNSUPPORTED_CERTIFICATE:
      // Go's servers say so of a missing one, too.
      "it does not accept \(ours)\(isServer ? "" : ", or demands one and got none")"
    case Int32(TLS13_AD_CERTIFICATE_REQUIRED): "it demands a client certificate"
    case SSL_AD_HANDSHAKE_FAILURE:
      "no cipher in common, or it demands a client certificate"
    case SSL_AD_PROTOCOL_VERSION: "no TLS version in common"
    case SSL_AD_ACCESS_DENIED: "access denied"
    case SSL_AD_NO_APPLICATION_PROTOCOL: "no protocol in common (ALPN)"
    case SSL_AD_UNRECOGNIZED_NAME: "it serves no host of this name"
    default:
      SSL_alert_desc_string_long(number).map { String(cString: $0) } ?? "alert \(number)"
    }
  }
}

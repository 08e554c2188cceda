// A certificate: read from a PEM file or received from a peer, and what of it people want to know.

internal import COpenSSL
import NIOCore
import Wire

/// What a certificate says.
public struct CertificateSummary: Sendable, Equatable {
  /// Distinguished names as in RFC 2253, the most specific part first.
  public var subject: String
  public var issuer: String
  /// DNS names and IP addresses, in the certificate's order.
  public var names: [String]
  /// Seconds since 1970.
  public var notBefore: Int64
  public var notAfter: Int64
  /// SHA-256 of the whole certificate, in hexadecimal.
  public var fingerprint: String
  public var isAuthority: Bool
}

/// Owns a reference to OpenSSL's X509, which is immutable once parsed.
final class Certificate: Sendable {
  nonisolated(unsafe) let pointer: OpaquePointer

  init(owning pointer: OpaquePointer) { self.pointer = pointer }

  /// Takes a reference of its own.
  init(sharing pointer: OpaquePointer) {
    X509_up_ref(pointer)
    self.pointer = pointer
  }

  deinit { X509_free(pointer) }

  var summary: CertificateSummary {
    CertificateSummary(
      subject: Self.text(X509_get_subject_name(pointer)),
      issuer: Self.text(X509_get_issuer_name(pointer)), names: names,
      notBefore: Self.seconds(X509_get0_notBefore(pointer)),
      notAfter: Self.seconds(X509_get0_notAfter(pointer)), fingerprint: fingerprint,
      isAuthority: X509_check_ca(pointer) > 0)
  }

  /// Whether one of its names is `name`: a host, for which `*.` stands for one label (RFC 6125), or
  /// an IP address. The subject's common name does not count.
  func matches(_ name: String) -> Bool {
    if isIPAddress(name) { return X509_check_ip_asc(pointer, name, 0) == 1 }
    let flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
    return X509_check_host(pointer, name, 0, UInt32(flags), nil) == 1
  }

  var names: [String] {
    guard let list = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) else { return [] }
    let names = OpaquePointer(list)
    defer { GENERAL_NAMES_free(names) }
    return (0..<copenssl_names_count(names)).compactMap { index in
      var bytes: UnsafePointer<UInt8>?
      var length: Int32 = 0
      let type = copenssl_name_get(names, index, &bytes, &length)
      guard let bytes, length > 0 else { return nil }
      let value = UnsafeBufferPointer(start: bytes, count: Int(length))
      switch type {
      case GEN_DNS, GEN_URI, GEN_EMAIL: return String(decoding: value, as: UTF8.self)
      case GEN_IPADD:
        return try? SocketAddress(packedIPAddress: ByteBuffer(bytes: value), port: 0).ipAddress
      default: return nil
      }
    }
  }

  private var fingerprint: String {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    guard X509_digest(pointer, EVP_sha256(), &digest, &length) == 1 else { return "" }
    return digest.prefix(Int(length)).hexadecimal
  }

  private static func text(_ name: OpaquePointer?) -> String {
    guard let name, let bio = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(bio) }
    guard copenssl_print_name(bio, name) >= 0 else { return "" }
    return string(in: bio)
  }

  private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
    guard let epoch = ASN1_TIME_set(nil, 0) else { return 0 }
    defer { ASN1_STRING_free(epoch) }
    var days: Int32 = 0
    var seconds: Int32 = 0
    guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return 0 }
    return Int64(days) * 86_400 + Int64(seconds)
  }
}

/// Whether `name` is an IPv4 or IPv6 address and not a host's name.
func isIPAddress(_ name: String) -> Bool {
  (try? SocketAddress(ipAddress: name, port: 0)) != nil
}

/// What was written to a memory BIO.
func string(in bio: OpaquePointer) -> String {
  var bytes: UnsafeMutablePointer<CChar>?
  let count = copenssl_memory(bio, &bytes)
  guard let bytes, count > 0 else { return "" }
  return String(
    decoding: UnsafeRawBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
}

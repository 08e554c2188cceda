// A private CA and the certificates it issues, for `fairlead certs init` and for tests. EC P-256 keys,
// X.509 version 3 (RFC 5280).

internal import COpenSSL
internal import Glibc
public import Wire

/// A certificate with its private key, both in PEM.
public struct IssuedCertificate: Sendable {
  public var certificate: String
  public var key: String
}

public final class CertificateAuthority {
  public enum Use: Sendable {
    /// For listening, such as for browsers.
    case server
    /// For connecting.
    case client
    /// For both.
    case peer

    fileprivate var extendedKeyUsage: String {
      switch self {
      case .server: "serverAuth"
      case .client: "clientAuth"
      case .peer: "serverAuth,clientAuth"
      }
    }
  }

  private let certificate: OpaquePointer
  private let key: OpaquePointer

  /// A new CA.
  /// - Parameters:
  ///   - name: its common name.
  ///   - validity: seconds since 1970.
  public init(name: String, validity: ClosedRange<Int64>) throws(TLSError) {
    key = try newKey()
    certificate = try newCertificate(name, key, validity, issuer: nil)
    let extensions = [
      ("critical,CA:TRUE,pathlen:0", NID_basic_constraints),
      ("critical,keyCertSign,cRLSign", NID_key_usage), ("hash", NID_subject_key_identifier),
    ]
    for (value, kind) in extensions {
      try addExtension(value, kind, to: certificate, issuer: certificate)
    }
    try sign(certificate, with: key)
  }

  /// One made earlier, from its PEM files.
  public init(certificate: String, key: String) throws(TLSError) {
    let file = try PEMFile(certificate)
    let first = try file.certificates()[0]
    self.key = try PEMFile(key).privateKey()
    X509_up_ref(first.pointer)
    self.certificate = first.pointer
    guard X509_check_private_key(self.certificate, self.key) == 1 else {
      throw .fromQueue(.configuration, "\(key) is not the key of \(certificate)")
    }
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
  }

  public var issued: IssuedCertificate {
    get throws(TLSError) { try pem(certificate, key) }
  }

  /// A certificate with a key of its own.
  /// - Parameters:
  ///   - name: its common name, for people.
  ///   - hosts: the DNS names and IP addresses that it is for.
  ///   - validity: seconds since 1970.
  public func issue(
    _ name: String, hosts: [String], use: Use, validity: ClosedRange<Int64>
  ) throws(TLSError) -> IssuedCertificate {
    let key = try newKey()
    defer { EVP_PKEY_free(key) }
    let issued = try newCertificate(name, key, validity, issuer: X509_get_subject_name(certificate))
    defer { X509_free(issued) }
    var extensions = [
      ("critical,CA:FALSE", NID_basic_constraints), ("critical,digitalSignature", NID_key_usage),
      (use.extendedKeyUsage, NID_ext_key_usage), ("hash", NID_subject_key_identifier),
      ("keyid:always", NID_authority_key_identifier),
    ]
    if !hosts.isEmpty { extensions.append((try alternativeNames(hosts), NID_subject_alt_name)) }
    for (value, kind) in extensions {
      try addExtension(value, kind, to: issued, issuer: certificate)
    }
    try sign(issued, with: self.key)
    return try pem(issued, key)
  }
}

/// In OpenSSL's syntax, in which a comma would begin another name.
private func alternativeNames(_ hosts: [String]) throws(TLSError) -> String {
  for host in hosts where !canBeNamed(host) {
    throw TLSError(.configuration, "\"\(host)\" is neither a host's name nor an IP address")
  }
  return hosts.map { (isIPAddress($0) ? "IP:" : "DNS:") + $0 }.joined(separator: ",")
}

/// Whether a certificate can be for `host`: a DNS name, also with a `*`, or an IP address.
public func canBeNamed(_ host: String) -> Bool {
  let isName = host.utf8.allSatisfy {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "-._*".utf8.contains($0)
  }
  return isIPAddress(host) || (isName && (1...253).contains(host.utf8.count))
}

private func newKey() throws(TLSError) -> OpaquePointer {
  ERR_clear_error()
  guard let key = copenssl_new_p256_key() else { throw .fromQueue(.internal, "no new key") }
  return key
}

/// Not signed yet; `issuer` nil: itself.
private func newCertificate(
  _ name: String, _ key: OpaquePointer, _ validity: ClosedRange<Int64>, issuer: OpaquePointer?
) throws(TLSError) -> OpaquePointer {
  guard let certificate = X509_new() else { throw .fromQueue(.internal, "no new certificate") }
  // 20 random bytes at most, positive, not zero: RFC 5280, section 4.1.2.2.
  var serial = [UInt8](repeating: 0, count: 16)
  let subject = X509_get_subject_name(certificate)
  guard RAND_bytes(&serial, 16) == 1 else { throw .fromQueue(.internal, "no random numbers") }
  serial[0] = serial[0] & 0x7F | 0x40
  let number = BN_bin2bn(serial, 16, nil)
  defer { BN_free(number) }
  guard number != nil, X509_set_version(certificate, 2) == 1,
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil,
    ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(validity.lowerBound)) != nil,
    ASN1_TIME_set(X509_getm_notAfter(certificate), time_t(validity.upperBound)) != nil,
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1,
    X509_set_issuer_name(certificate, issuer ?? subject) == 1,
    X509_set_pubkey(certificate, key) == 1
  else {
    X509_free(certificate)
    throw .fromQueue(.configuration, "no certificate can be made for \"\(name)\"")
  }
  return certificate
}

private func addExtension(
  _ value: String, _ kind: Int32, to certificate: OpaquePointer, issuer: OpaquePointer
) throws(TLSError) {
  var context = X509V3_CTX()
  X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
  guard let made = X509V3_EXT_conf_nid(nil, &context, kind, value) else {
    throw .fromQueue(.configuration, "a certificate cannot say \"\(value)\"")
  }
  defer { X509_EXTENSION_free(made) }
  guard X509_add_ext(certificate, made, -1) == 1 else {
    throw .fromQueue(.internal, "no new certificate")
  }
}

private func sign(_ certificate: OpaquePointer, with key: OpaquePointer) throws(TLSError) {
  guard X509_sign(certificate, key, EVP_sha256()) > 0 else {
    throw .fromQueue(.internal, "the certificate cannot be signed")
  }
}

private func pem(
  _ certificate: OpaquePointer, _ key: OpaquePointer
) throws(TLSError) -> IssuedCertificate {
  guard let first = BIO_new(BIO_s_mem()) else { throw .fromQueue(.internal, "no memory") }
  defer { BIO_free(first) }
  guard let second = BIO_new(BIO_s_mem()) else { throw .fromQueue(.internal, "no memory") }
  defer { BIO_free(second) }
  guard PEM_write_bio_X509(first, certificate) == 1,
    PEM_write_bio_PKCS8PrivateKey(second, key, nil, nil, 0, nil, nil) == 1
  else { throw .fromQueue(.internal, "the certificate cannot be written") }
  return IssuedCertificate(certificate: string(in: first), key: string(in: second))
}

// What becomes of a peer's certificate: OpenSSL checks the chain, here the name is checked, and a refusal
// is put into words that say what did not match.

internal import COpenSSL
internal import Glibc
import Wire

/// Called by OpenSSL for each certificate of the chain, from the CA down, and for each fault.
func verifyPeer(isFine: Int32, store: OpaquePointer?) -> Int32 {
  let index = SSL_get_ex_data_X509_STORE_CTX_idx()
  guard let ssl = X509_STORE_CTX_get_ex_data(store, index),
    let connection = Ciphertext.of(OpaquePointer(ssl))
  else { return 0 }
  let depth = X509_STORE_CTX_get_error_depth(store)
  let certificate = X509_STORE_CTX_get_current_cert(store).map(Certificate.init(sharing:))
  var fault: TLSError?
  if isFine != 1 {
    fault = refusal(X509_STORE_CTX_get_error(store), certificate, depth: depth)
  } else if depth == 0, !connection.expectedNames.isEmpty, let certificate,
    !connection.expectedNames.contains(where: certificate.matches)
  {
    fault = wrongName(connection.expectedNames, certificate)
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH)
  }
  guard let fault else { return 1 }
  // The first fault is the one to tell; later ones follow from it.
  if connection.refusal == nil { connection.refusal = fault }
  return connection.acceptsAnything ? 1 : 0
}

private func wrongName(_ expected: [String], _ certificate: Certificate) -> TLSError {
  let names = certificate.names
  let wanted = expected.map { "\"\($0)\"" }.joined(separator: " or ")
  let has =
    names.isEmpty
    ? "has no names at all (subjectAltName; a common name does not count)"
    : "is for " + names.prefix(TLSLimits.namesTold).map { "\"\($0)\"" }.joined(separator: ", ")
      + (names.count > TLSLimits.namesTold
        ? " and \(names.count - TLSLimits.namesTold) more" : "")
  return TLSError(
    .verification, "the peer's certificate is not for \(wanted): it \(has)",
    cause: OpenSSLWords("hostname mismatch"))
}

private func refusal(_ error: Int32, _ certificate: Certificate?, depth: Int32) -> TLSError {
  let summary = certificate?.summary
  let subject = summary.map { " (\($0.subject))" } ?? ""
  let which = depth == 0 ? "the peer's certificate\(subject)" : "the CA certificate\(subject)"
  let message =
    switch error {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      "\(which) has expired" + (summary.map { ": it was valid until \(utc($0.notAfter))" } ?? "")
    case X509_V_ERR_CERT_NOT_YET_VALID:
      "\(which) is not valid yet"
        + (summary.map { ": it is valid from \(utc($0.notBefore)) on; is this clock right?" } ?? "")
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
      "\(which) comes from an unknown CA"
        + (summary.map { " (\($0.issuer)); name the file of that CA to trust it" } ?? "")
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      "\(which) is its own CA, which is not trusted here; name its file to trust it"
    case X509_V_ERR_INVALID_PURPOSE:
      "\(which) is not made for this use (extended key usage)"
    case X509_V_ERR_CERT_REVOKED: "\(which) was revoked"
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      "\(which) has a wrong signature: another CA of that name?"
    case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL, X509_V_ERR_CA_MD_TOO_WEAK:
      "\(which) has a key or signature that is too weak"
    default: "\(which) is not accepted"
    }
  let cause = X509_verify_cert_error_string(Int(error)).map { OpenSSLWords(String(cString: $0)) }
  return TLSError(.verification, message, cause: cause)
}

/// `2026-01-31 12:00:00 UTC`.
public func utc(_ seconds: Int64) -> String {
  var time = time_t(seconds)
  var parts = tm()
  var text = [CChar](repeating: 0, count: 64)
  gmtime_r(&time, &parts)
  let count = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
  return String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
}

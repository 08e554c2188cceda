// Certificates and keys from PEM files. Nothing here asks for a passphrase: a server has nobody to ask.

internal import COpenSSL
internal import Glibc
public import Wire

/// A PEM file's bytes.
struct PEMFile {
  let path: String
  private let bytes: [UInt8]

  init(_ path: String) throws(TLSError) {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw TLSError(.configuration, "\(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw TLSError(.configuration, "\(path): \(String(cString: strerror(errno)))")
      }
      if count == 0 { break }
      bytes += chunk[..<count]
      guard bytes.count <= TLSLimits.file else {
        throw TLSError(.configuration, "\(path) is too long for a PEM file")
      }
    }
    self.bytes = bytes
  }

  /// All its certificates, in order; at least one.
  func certificates() throws(TLSError) -> [Certificate] {
    let all = try withBIO { bio in
      var all: [Certificate] = []
      while let certificate = PEM_read_bio_X509(bio, nil, noPassphrase, nil) {
        all.append(Certificate(owning: certificate))
      }
      return all
    }
    let queue = QueuedError.takeAll()
    // The end of the file is an error of its own.
    let isEnd = queue.last.map { $0.library == ERR_LIB_PEM && $0.reason == PEM_R_NO_START_LINE }
    guard isEnd == true, !all.isEmpty else {
      throw TLSError(
        .configuration,
        all.isEmpty && isEnd == true
          ? "\(path) holds no certificate (-----BEGIN CERTIFICATE-----)"
          : "\(path): certificate \(all.count + 1) in it is damaged", cause: queue.cause)
    }
    return all
  }

  /// Its private key, owned by the caller.
  func privateKey() throws(TLSError) -> OpaquePointer {
    if let key = try withBIO({ PEM_read_bio_PrivateKey($0, nil, noPassphrase, nil) }) {
      return key
    }
    let queue = QueuedError.takeAll()
    let isMissing = !bytes.contains(subsequence: "PRIVATE KEY-----")
    let isEncrypted =
      queue.contains {
        $0.library == ERR_LIB_PEM
          && ($0.reason == PEM_R_BAD_PASSWORD_READ || $0.reason == PEM_R_PROBLEMS_GETTING_PASSWORD)
      } || bytes.contains(subsequence: "ENCRYPTED")
    throw TLSError(
      .configuration,
      isEncrypted
        ? "\(path): the key is encrypted; store it without a passphrase, readable only by this user"
        : isMissing
          ? "\(path) holds no private key (-----BEGIN PRIVATE KEY-----)"
          : "\(path): the private key is damaged", cause: queue.cause)
  }

  /// A key and no certificate.
  var isKeyAlone: Bool {
    bytes.contains(subsequence: "PRIVATE KEY-----")
      && !bytes.contains(subsequence: "-----BEGIN CERTIFICATE-----")
  }

  private func withBIO<Result>(_ body: (OpaquePointer) -> Result) throws(TLSError) -> Result {
    ERR_clear_error()
    let result: Result? = bytes.withUnsafeBytes { bytes in
      guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
      defer { BIO_free(bio) }
      return body(bio)
    }
    guard let result else { throw .fromQueue(.configuration, "\(path) cannot be read") }
    return result
  }
}

private func noPassphrase(
  _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 { -1 }

extension [UInt8] {
  fileprivate func contains(subsequence text: String) -> Bool {
    self.firstRange(of: Array(text.utf8)) != nil
  }
}

/// The certificates in a PEM file.
/// - Throws: ``TLSError`` when it has none or cannot be read.
public func certificates(in path: String) throws(TLSError) -> [CertificateSummary] {
  try PEMFile(path).certificates().map(\.summary)
}

/// Whether the file holds a private key and nothing that anybody may see.
public func isPrivateKey(_ path: String) -> Bool { (try? PEMFile(path))?.isKeyAlone ?? false }

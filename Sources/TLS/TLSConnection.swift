// One TLS connection without its socket: takes ciphertext and plaintext, and gives what comes of them. It
// does no I/O and calls nobody back, so that two of them can be joined in a test by hand.
//
//     handler ── receive(ciphertext) ──► Progress: handshake over? plaintext? close_notify? failure?
//     handler ── write(plaintext), flush() ──► takeCiphertext()
//
// After every call `takeCiphertext` may have something to send: handshake messages, alerts, records.

internal import COpenSSL
public import NIOCore
public import Wire

/// Not thread-safe: it belongs to whoever drives it, one event loop.
public final class TLSConnection {
  /// What received bytes came to.
  public struct Progress {
    public var finishedHandshake = false
    public var plaintext: ByteBuffer?
    /// The peer sent close_notify: it will send no more.
    public var peerClosed = false
    /// The connection is over; an alert may wait to be sent.
    public var failure: TLSError?

    public init() {}
  }

  private enum State { case handshaking, open, closed, failed }

  /// The plaintext of a full record (RFC 8446, section 5.1).
  public static let recordSize = 16 * 1024

  private let context: TLSContext
  private let ssl: OpaquePointer
  private let ciphertext: Ciphertext
  private var state = State.handshaking
  private var hasSentClose = false
  /// Plaintext of a record that is not full yet.
  private var staged = ByteBuffer()
  /// The first bytes of a server's peer, until the handshake is over.
  private var opening: [UInt8] = []

  /// - Parameter serverNames: for a client, the host's name or IP address, and other names any of
  ///   which its certificate may have instead. The first one is asked for by SNI, if it is a name.
  /// - Throws: ``TLSError``, for want of memory, or for a name with a zero byte.
  public init(_ context: TLSContext, serverNames: [String] = []) throws(TLSError) {
    self.context = context
    let names = serverNames.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
    ciphertext = Ciphertext(
      expectedNames: context.isServer ? [] : names,
      acceptsAnything: context.configuration.trust == .anyone)
    ERR_clear_error()
    guard let ssl = SSL_new(context.pointer) else { throw .fromQueue(.internal, "no connection") }
    self.ssl = ssl
    guard let bio = ciphertext.makeBIO() else { throw .fromQueue(.internal, "no connection") }
    SSL_set_bio(ssl, bio, bio)
    if context.isServer {
      SSL_set_accept_state(ssl)
    } else {
      SSL_set_connect_state(ssl)
      if let name = names.first, !isIPAddress(name), copenssl_set_server_name(ssl, name) != 1 {
        throw .fromQueue(.configuration, "\"\(name)\" cannot be a host's name")
      }
    }
  }

  deinit {
    SSL_free(ssl)
  }

  // MARK: In

  /// Begins; a client has its first message to send then.
  public func start() -> Progress {
    var progress = Progress()
    if state == .handshaking { shakeHands(&progress) }
    return progress
  }

  public func receive(_ bytes: ByteBuffer) -> Progress {
    var progress = Progress()
    guard state != .closed, state != .failed else { return progress }
    if state == .handshaking, context.isServer, opening.count < TLSLimits.opening {
      opening += bytes.readableBytesView.prefix(TLSLimits.opening - opening.count)
    }
    if ciphertext.inbound.readableBytes == 0 {
      ciphertext.inbound = bytes
    } else {
      ciphertext.inbound.writeImmutableBuffer(bytes)
    }
    if state == .handshaking { shakeHands(&progress) }
    if state == .open { decrypt(&progress) }
    // OpenSSL has copied what it can use; the read buffer is not kept.
    if ciphertext.inbound.readableBytes == 0 { ciphertext.inbound = ByteBuffer() }
    return progress
  }

  private func shakeHands(_ progress: inout Progress) {
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 {
      state = .open
      opening = []
      progress.finishedHandshake = true
    } else {
      note(result, &progress)
    }
  }

  private func decrypt(_ progress: inout Progress) {
    // Plaintext is shorter than its ciphertext, so that this is enough unless a record began earlier.
    var plaintext = ByteBuffer()
    plaintext.reserveCapacity(ciphertext.inbound.readableBytes)
    while true {
      let room = max(Int(SSL_pending(ssl)), 256)
      var result: Int32 = 0
      ERR_clear_error()
      plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { memory in
        var count = 0
        result = SSL_read_ex(ssl, memory.baseAddress, memory.count, &count)
        return result == 1 ? count : 0
      }
      if result != 1 {
        note(result, &progress)
        break
      }
    }
    if plaintext.readableBytes > 0 { progress.plaintext = plaintext }
  }

  /// Sorts what a call of OpenSSL's, which did not succeed, means.
  private func note(_ result: Int32, _ progress: inout Progress) {
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
    case SSL_ERROR_ZERO_RETURN:
      state = .closed
      progress.peerClosed = true
    default: progress.failure = fail()
    }
  }

  private func fail() -> TLSError {
    let isHandshake = state == .handshaking
    state = .failed
    let queue = QueuedError.takeAll()
    if let refusal = ciphertext.refusal, !ciphertext.acceptsAnything { return refusal }
    let error = TLSError(queue: queue, isServer: context.isServer, isHandshake: isHandshake)
    return error.code == .notTLS && isRequest ? .plainHTTP(error.cause) : error
  }

  /// The peer began with a method's name, whichever (RFC 9110, section 9.1): OpenSSL knows four of them. No record of
  /// TLS begins with a letter.
  private var isRequest: Bool {
    let name = opening.prefix { $0 != UInt8(ascii: " ") }
    return name.count >= 3
      && name.allSatisfy {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "-")
      }
  }

  // MARK: Out

  /// Adds plaintext. Full records are made of it at once, however small the pieces are; the rest
  /// waits for more or for ``flush()``. Only once the handshake is over.
  public func write(_ bytes: ByteBuffer) throws(TLSError) {
    var bytes = bytes
    if staged.readableBytes > 0 {
      let room = min(Self.recordSize - staged.readableBytes, bytes.readableBytes)
      if var part = bytes.readSlice(length: room) { staged.writeBuffer(&part) }
      if staged.readableBytes == Self.recordSize { try flush() }
    }
    // Whole records are taken where they lie.
    let whole = bytes.readableBytes / Self.recordSize * Self.recordSize
    if whole > 0, let part = bytes.readSlice(length: whole) { try encrypt(part) }
    if bytes.readableBytes > 0 {
      // A lone write is not copied.
      if staged.readableBytes == 0 { staged = bytes } else { staged.writeBuffer(&bytes) }
    }
  }

  /// Makes a record of what waits.
  public func flush() throws(TLSError) {
    guard staged.readableBytes > 0 else { return }
    let plaintext = staged
    staged = ByteBuffer()
    try encrypt(plaintext)
  }

  private func encrypt(_ plaintext: ByteBuffer) throws(TLSError) {
    guard !hasSentClose else { throw TLSError(.internal, "written after the end") }
    if ciphertext.outbound.readableBytes == 0 { ciphertext.outbound.clear() }
    let records = plaintext.readableBytes / Self.recordSize + 1
    ciphertext.outbound.reserveCapacity(
      minimumWritableBytes: plaintext.readableBytes + records * 64)
    ERR_clear_error()
    var written = 0
    let result = plaintext.withUnsafeReadableBytes {
      SSL_write_ex(ssl, $0.baseAddress, $0.count, &written)
    }
    guard result == 1 else { throw fail() }
  }

  /// Says close_notify: nothing is written any more.
  public func close() {
    guard state == .open || state == .closed, !hasSentClose else { return }
    hasSentClose = true
    staged = ByteBuffer()
    ERR_clear_error()
    _ = SSL_shutdown(ssl)
    ERR_clear_error()
  }

  public var ciphertextBytes: Int { ciphertext.outbound.readableBytes }

  /// What is to be sent, if anything.
  public func takeCiphertext() -> ByteBuffer? {
    let count = ciphertext.outbound.readableBytes
    guard count > 0 else { return nil }
    let bytes = ciphertext.outbound
    // Cleared, it is used again if its bytes have been sent by the next time.
    if bytes.capacity > TLSLimits.keptBuffer {
      ciphertext.outbound = ByteBuffer()
    } else {
      ciphertext.outbound.moveReaderIndex(forwardBy: count)
    }
    return bytes
  }

  // MARK: What was agreed

  /// The protocol chosen by ALPN.
  public var negotiatedProtocol: String? {
    var bytes: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &bytes, &count)
    guard let bytes, count > 0 else { return nil }
    return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
  }

  /// `TLSv1.2` or `TLSv1.3`.
  public var version: String { SSL_get_version(ssl).map { String(cString: $0) } ?? "" }

  public var cipher: String {
    SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? ""
  }

  /// The peer's certificate and those that it sent with it; empty if it sent none.
  public var peerCertificates: [CertificateSummary] {
    guard let leaf = SSL_get1_peer_certificate(ssl).map(Certificate.init(owning:)) else {
      return []
    }
    let chain = SSL_get_peer_cert_chain(ssl)
    // A client's own view of the chain begins with the leaf, a server's does not.
    let rest = (0..<copenssl_chain_count(chain)).compactMap { index in
      copenssl_chain_get(chain, index).map { Certificate(sharing: $0).summary }
    }
    let first = leaf.summary
    return [first] + rest.filter { $0 != first }
  }

  /// What is wrong with the peer's certificate, where ``TLSConfiguration/Trust/anyone`` let it pass.
  public var peerFault: TLSError? { ciphertext.refusal }
}

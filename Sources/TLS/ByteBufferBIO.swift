// OpenSSL's end of a connection's ciphertext: a BIO that reads and writes `ByteBuffer`s, so that bytes
// are copied once each way, straight between NIO's buffers and OpenSSL's record.

internal import COpenSSL
import NIOCore
import Wire

/// What an `SSL` reads from, writes to, and reports to while OpenSSL runs. It belongs to one
/// `TLSConnection`, which outlives the `SSL` and its BIO; the BIO points to it without owning it.
final class Ciphertext {
  var inbound = ByteBuffer()
  var outbound = ByteBuffer()
  /// The names of which the peer's certificate must have one; none are asked for if empty.
  let expectedNames: [String]
  /// Set when a certificate is only looked at: what is wrong with it does not end the handshake.
  let acceptsAnything: Bool
  /// Why the peer's certificate was refused.
  var refusal: TLSError?

  init(expectedNames: [String], acceptsAnything: Bool) {
    self.expectedNames = expectedNames
    self.acceptsAnything = acceptsAnything
  }

  /// A BIO over these buffers, for an `SSL` to own; nil for want of memory.
  func makeBIO() -> OpaquePointer? {
    guard let method = Self.method, let bio = BIO_new(method) else { return nil }
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
    BIO_set_init(bio, 1)
    return bio
  }

  /// The buffers below `ssl`.
  static func of(_ ssl: OpaquePointer?) -> Ciphertext? { of(bio: SSL_get_rbio(ssl)) }

  private static func of(bio: OpaquePointer?) -> Ciphertext? {
    guard let pointer = BIO_get_data(bio) else { return nil }
    return Unmanaged<Ciphertext>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Made once and never changed, so that any thread may use it.
  private nonisolated(unsafe) static let method: OpaquePointer? = {
    guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ByteBuffer")
    else { return nil }
    BIO_meth_set_create(method) { _ in 1 }
    BIO_meth_set_destroy(method) { _ in 1 }
    BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    BIO_meth_set_write(method) { bio, bytes, count in
      guard let bytes, count > 0, let buffers = of(bio: bio) else { return 0 }
      copenssl_clear_retry(bio)
      buffers.outbound.writeBytes(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
      return count
    }
    BIO_meth_set_read(method) { bio, bytes, count in
      guard let bytes, count > 0, let buffers = of(bio: bio) else { return 0 }
      let available = min(Int(count), buffers.inbound.readableBytes)
      guard available > 0 else {
        copenssl_want_read(bio)
        return -1
      }
      copenssl_clear_retry(bio)
      buffers.inbound.readWithUnsafeReadableBytes { source in
        UnsafeMutableRawBufferPointer(start: bytes, count: available)
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<available]))
        return available
      }
      return Int32(available)
    }
    return method
  }()
}

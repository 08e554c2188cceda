// A command as the bytes that Redis reads, written by libhiredis's formatter.

internal import CHiredis
import NIOCore

public struct RedisCommand: Sendable {
  let bytes: ByteBuffer
  /// The first word, for messages.
  let name: String

  /// - Parameter words: the command and its arguments, such as `["GET", "key"]`.
  public init(_ words: [String]) {
    name = words.first ?? ""
    let texts = words.map { Array($0.utf8) }
    let joined = texts.flatMap { $0 }
    // One array under all of the pointers: they stay valid within the closure.
    bytes = joined.withUnsafeBytes { joined in
      let base = joined.assumingMemoryBound(to: CChar.self).baseAddress
      var pointers: [UnsafePointer<CChar>?] = []
      var lengths: [Int] = []
      var offset = 0
      for text in texts {
        pointers.append(base.map { $0 + offset })
        lengths.append(text.count)
        offset += text.count
      }
      var target: UnsafeMutablePointer<CChar>?
      let length = redisFormatCommandArgv(&target, CInt(texts.count), &pointers, &lengths)
      defer { redisFreeCommand(target) }
      guard let target, length > 0 else { return ByteBuffer() }
      return ByteBuffer(bytes: UnsafeRawBufferPointer(start: target, count: Int(length)))
    }
  }
}

/// A Lua script, named by the SHA-1 of its text, so that it is sent once and then only called.
public struct RedisScript: Sendable {
  public let source: String
  public let digest: String

  public init(_ source: String) {
    self.source = source
    digest = sha1(of: source)
  }
}

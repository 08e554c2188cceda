// A reply of Redis (RESP2), and the reader that makes one of bytes: libhiredis's, fenced in here.

internal import CHiredis
import Wire

/// One reply. Strings are text: nothing that Fairlead keeps in Redis is binary.
public enum RedisValue: Sendable, Equatable {
  case null
  case integer(Int)
  /// A bulk string or a simple one ("OK").
  case string(String)
  case array([RedisValue])
  /// An error inside an array; one that answers a command is thrown as ``RedisError``.
  case error(String)

  public var string: String? { if case .string(let text) = self { text } else { nil } }
  public var array: [RedisValue]? { if case .array(let items) = self { items } else { nil } }

  /// The number, also if it travelled as text, as `ZSCORE` sends it.
  public var integer: Int? {
    switch self {
    case .integer(let number): number
    case .string(let text): Int(text)
    default: nil
    }
  }
}

/// libhiredis's reader: bytes in, replies out, whatever the boundaries of the pieces. One that has
/// thrown is done with: the connection ends.
struct ReplyReader: ~Copyable {
  private let reader: UnsafeMutablePointer<redisReader>
  /// Bytes fed since the last whole reply.
  private var pending = 0
  /// Parts that arrays may still claim until the next whole reply. In memory of its own, where
  /// ``BoundedArrays`` finds it.
  private let room: UnsafeMutablePointer<Int>

  init?() {
    guard let reader = CHiredis.redisReaderCreate() else { return nil }
    self.reader = reader
    room = .allocate(capacity: 1)
    room.initialize(to: RedisLimits.parts)
    if let functions = BoundedArrays.functions { reader.pointee.fn = functions }
    reader.pointee.privdata = UnsafeMutableRawPointer(room)
  }

  deinit {
    redisReaderFree(reader)
    room.deallocate()
  }

  /// - Throws: ``RedisError`` when a reply grows over ``RedisLimits/reply``.
  mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(RedisError) {
    pending += bytes.count
    guard pending <= RedisLimits.reply else {
      throw RedisError(.protocolViolation, "a reply is over \(RedisLimits.reply) bytes long")
    }
    let base = bytes.assumingMemoryBound(to: CChar.self).baseAddress
    guard let base, redisReaderFeed(reader, base, bytes.count) == REDIS_OK else {
      if bytes.isEmpty { return }
      throw RedisError(.protocolViolation, "no memory for a reply")
    }
  }

  /// The next whole reply, or nil until more has been fed.
  mutating func next() throws(RedisError) -> RedisValue? {
    var object: UnsafeMutableRawPointer?
    guard redisReaderGetReply(reader, &object) == REDIS_OK else {
      guard reader.pointee.err != REDIS_ERR_OOM else {
        throw RedisError(.protocolViolation, "a reply has more than \(RedisLimits.parts) parts")
      }
      let reason = withUnsafeBytes(of: reader.pointee.errstr) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw RedisError(
        .protocolViolation, "what answers does not speak Redis's protocol: \(reason)")
    }
    guard let object else { return nil }
    defer { freeReplyObject(object) }
    pending = 0
    room.pointee = RedisLimits.parts
    return Self.value(object.assumingMemoryBound(to: redisReply.self).pointee)
  }

  private static func value(_ reply: redisReply) -> RedisValue {
    switch reply.type {
    case REDIS_REPLY_INTEGER: return .integer(Int(reply.integer))
    case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: return .string(text(reply))
    case REDIS_REPLY_ERROR: return .error(text(reply))
    case REDIS_REPLY_ARRAY:
      let items = UnsafeBufferPointer(start: reply.element, count: Int(reply.elements))
      return .array(items.map { item in item.map { value($0.pointee) } ?? .null })
    default: return .null
    }
  }

  private static func text(_ reply: redisReply) -> String {
    let bytes = UnsafeBufferPointer(start: reply.str, count: Int(reply.len))
    return String(decoding: UnsafeRawBufferPointer(bytes), as: UTF8.self)
  }
}

/// libhiredis makes an array as long as its first line says, before anything of it has come: 13 bytes would
/// reserve 16 GiB. Here an array is made only while its reply is within ``RedisLimits``.
private enum BoundedArrays {
  /// Its own functions, but for the one that makes an array. Never changed and never freed, so that any
  /// thread may use them.
  nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions>? = {
    guard let original, original.createArray != nil else { return nil }
    let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
    functions.initialize(to: original)
    functions.pointee.createArray = { task, count in
      guard let task, let privdata = task.pointee.privdata else { return nil }
      let room = privdata.assumingMemoryBound(to: Int.self)
      guard count <= room.pointee, BoundedArrays.depth(of: task) <= RedisLimits.depth else {
        return nil
      }
      room.pointee -= Int(count)
      return BoundedArrays.original?.createArray(task, count)
    }
    return functions
  }()

  private static let original: redisReplyObjectFunctions? = {
    guard let reader = CHiredis.redisReaderCreate() else { return nil }
    defer { redisReaderFree(reader) }
    return reader.pointee.fn?.pointee
  }()

  private static func depth(of task: UnsafePointer<redisReadTask>) -> Int {
    var depth = 1
    var outer = task.pointee.parent
    while let task = outer {
      depth += 1
      outer = task.pointee.parent
    }
    return depth
  }
}

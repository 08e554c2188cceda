// Reading frames: bytes in, frames out, whatever the boundaries of the pieces they arrive in. A
// decoder that has thrown is done with: the connection ends.

import FoundationEssentials
public import NIOCore

/// What a peer did wrong. Ends the connection with `message` as its reason.
public typealias WireError = Failure<WireErrorCode>

public enum WireErrorCode: String, FailureCode {
  case frameTooLong = "frame_too_long"
  case malformed
  case unknownType = "unknown_type"
  case unexpected
  public static var isTold: Bool { true }
}

public struct FrameDecoder {
  /// Received last; frames are slices of it, so a frame that came whole is not copied.
  private var pending = ByteBuffer()
  /// The beginning of a frame whose end has not come: a copy, so that a few bytes do not hold on to
  /// the whole buffer that they were read into.
  private var partial = ByteBuffer()

  public init() {}

  /// Bytes received and not yet part of a returned frame. Once ``next()`` has returned nil: less
  /// than one frame.
  public var bufferedBytes: Int { partial.readableBytes + pending.readableBytes }

  public mutating func append(_ bytes: ByteBuffer) {
    if pending.readableBytes == 0 { pending = bytes } else { pending.writeImmutableBuffer(bytes) }
  }

  /// The next whole frame, or nil until more has been appended. Skippable unknown ones are passed
  /// over.
  /// - Throws: ``WireError``.
  public mutating func next() throws(WireError) -> (stream: UInt64, frame: Frame)? {
    while var content = try nextContent() {
      guard let (rawType, stream) = Self.takeHead(&content) else {
        throw WireError(.malformed, "a frame without type or stream")
      }
      let type = FrameType(rawValue: rawType)
      let limit = WireLimits.frameBody + (type?.envelope ?? 0)
      guard content.readableBytes <= limit else {
        throw WireError(.frameTooLong, "a body of \(content.readableBytes) bytes; at most 16 KiB")
      }
      guard let type else {
        if rawType >= FrameType.firstSkippable { continue }
        throw WireError(.unknownType, "frame type 0x\(String(rawType, radix: 16)) is not known")
      }
      return (stream, try Self.parse(type, &content))
    }
    return nil
  }

  /// The next frame without its length, or nil until more has been appended.
  private mutating func nextContent() throws(WireError) -> ByteBuffer? {
    while partial.readableBytes > 0 {
      let missing: Int
      switch try Self.look(at: partial) {
      case .whole(let head, let length):
        let content = Self.take(length, behind: head, from: &partial)
        partial = ByteBuffer()
        return content
      case .lacks(let count): missing = count
      }
      guard var piece = pending.readSlice(length: min(missing, pending.readableBytes)),
        piece.readableBytes > 0
      else { break }
      partial.writeBuffer(&piece)
    }
    if pending.readableBytes > 0 {
      if case .whole(let head, let length) = try Self.look(at: pending) {
        return Self.take(length, behind: head, from: &pending)
      }
      partial.writeImmutableBuffer(pending)
    }
    pending = ByteBuffer()
    return nil
  }

  private enum Front {
    /// Behind `head` bytes that say so lie the `length` bytes of a frame.
    case whole(head: Int, length: Int)
    /// Of the frame so many bytes are missing, as far as can be told.
    case lacks(Int)
  }

  private static func look(at bytes: ByteBuffer) throws(WireError) -> Front {
    var head = 0
    guard let length = Varint.read(bytes.readableBytesUInt8Span, at: &head) else {
      return .lacks(1)
    }
    guard
      length <= UInt64(WireLimits.frameBody + FrameType.largestEnvelope + WireLimits.frameOverhead)
    else { throw WireError(.frameTooLong, "a frame of \(length) bytes; at most 16 KiB of body") }
    guard length >= 2 else { throw WireError(.malformed, "a frame without type or stream") }
    let missing = Int(length) - (bytes.readableBytes - head)
    return missing > 0 ? .lacks(missing) : .whole(head: head, length: Int(length))
  }

  private static func take(
    _ length: Int, behind head: Int, from bytes: inout ByteBuffer
  ) -> ByteBuffer? {
    bytes.moveReaderIndex(forwardBy: head)
    return bytes.readSlice(length: length)
  }

  /// A frame's type and stream. Nil: they are not there whole.
  private static func takeHead(_ content: inout ByteBuffer) -> (type: UInt8, stream: UInt64)? {
    var head = 1
    let (type, stream): (UInt8, UInt64)
    do {
      let bytes = content.readableBytesUInt8Span
      guard bytes.count > 0, let number = Varint.read(bytes, at: &head) else { return nil }
      (type, stream) = (bytes[0], number)
    }
    content.moveReaderIndex(forwardBy: head)
    return (type, stream)
  }

  private static func parse(_ type: FrameType, _ body: inout ByteBuffer) throws(WireError) -> Frame
  {
    switch type {
    case .output: return .output(offset: try number(&body, type), body)
    case .input: return .input(offset: try number(&body, type), body)
    case .snapshot: return .snapshot(try snapshot(&body))
    case .outputAck:
      return try whole(
        .outputAck(offset: try number(&body, type), consumed: try number(&body, type)), body)
    case .inputAck: return try whole(.inputAck(offset: try number(&body, type)), body)
    case .resize: return try whole(.resize(try size(&body, type)), body)
    case .resized:
      return try whole(.resized(offset: try number(&body, type), try size(&body, type)), body)
    case .ping, .pong:
      guard let opaque = body.readInteger(as: UInt64.self) else {
        throw WireError(.malformed, "\(type) takes 8 bytes")
      }
      return try whole(type == .ping ? .ping(opaque) : .pong(opaque), body)
    case .kill: return try whole(.kill, body)
    case .take: return try whole(.take, body)
    case .colors: return .colors(try json(body, type))
    case .hello: return .hello(try json(body, type))
    case .welcome: return .welcome(try json(body, type))
    case .goAway: return .goAway(try json(body, type))
    case .token: return .token(try json(body, type))
    case .open: return try open(body)
    case .opened: return .opened(try json(body, type))
    case .refused: return .refused(try json(body, type))
    case .close: return .close(try json(body, type))
    case .ended: return .ended(try json(body, type))
    case .event: return .event(try json(body, type))
    case .linkOpen: return .linkOpen(try json(body, type))
    case .request: return .request(try json(body, type))
    case .response: return .response(try json(body, type))
    }
  }

  private static func number(_ body: inout ByteBuffer, _ type: FrameType) throws(WireError)
    -> UInt64
  {
    guard let value = body.readVarint() else {
      throw WireError(.malformed, "\(type) ends inside a number")
    }
    return value
  }

  private static func size(_ body: inout ByteBuffer, _ type: FrameType) throws(WireError)
    -> TerminalSize
  {
    let columns = try number(&body, type)
    let rows = try number(&body, type)
    // Whether a size is sensible is the receiver's question; it must only not overflow here.
    return TerminalSize(
      columns: Int(min(columns, UInt64(UInt32.max))), rows: Int(min(rows, UInt64(UInt32.max))))
  }

  private static func snapshot(_ body: inout ByteBuffer) throws(WireError) -> SnapshotPart {
    let id = try number(&body, .snapshot)
    guard let marks = body.readInteger(as: UInt8.self) else {
      throw WireError(.malformed, "snapshot ends before its marks")
    }
    let offset = try number(&body, .snapshot)
    let size = try size(&body, .snapshot)
    return SnapshotPart(
      id: id, isFirst: marks & 1 != 0, isLast: marks & 2 != 0, offset: offset, size: size,
      bytes: body)
  }

  private static func whole(_ frame: Frame, _ rest: ByteBuffer) throws(WireError) -> Frame {
    guard rest.readableBytes == 0 else {
      throw WireError(.malformed, "\(frame.type) has \(rest.readableBytes) bytes too many")
    }
    return frame
  }

  /// What is not JSON, or no object, is a peer's that does not speak the protocol. A field that is not understood
  /// may be a user's word.
  private static func open(_ body: ByteBuffer) throws(WireError) -> Frame {
    do {
      return .open(try json(body, .open))
    } catch {
      guard body.mayBeUTF8,
        (try? JSONDecoder().decode(AnyObject.self, from: Data(body.readableBytesView))) != nil
      else { throw error }
      return .unreadableOpen(error.message)
    }
  }

  /// Any object of JSON, whatever is in it.
  private struct AnyObject: Decodable {
    private enum NoKeys: CodingKey {}
    init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: NoKeys.self) }
  }

  private static func json<Body: Decodable>(_ body: ByteBuffer, _ type: FrameType)
    throws(WireError) -> Body
  {
    guard body.mayBeUTF8 else {
      throw WireError(.malformed, "\(type): not UTF-8")
    }
    let decoded: Body
    do {
      decoded = try JSONDecoder().decode(Body.self, from: Data(body.readableBytesView))
    } catch let error as DecodingError {
      throw WireError(.malformed, "\(type): \(error.shortDescription)")
    } catch {
      throw WireError(.malformed, "\(type): not JSON")
    }
    guard (decoded as? any OffsetBody)?.hasSoundOffsets != false else {
      throw WireError(.malformed, "\(type): an offset over 2^62 - 1")
    }
    return decoded
  }
}

extension ByteBuffer {
  /// JSON never holds a zero byte, but UTF-16 and UTF-32, which the parser would take too, do: what comes in
  /// 16 KiB of them needs more in UTF-8 than a link's frame may have.
  public var mayBeUTF8: Bool { !readableBytesView.contains(0) }
}

extension DecodingError {
  /// The path and the reason, without Swift's type names.
  var shortDescription: String {
    let context: Context
    switch self {
    case .typeMismatch(_, let c), .valueNotFound(_, let c), .dataCorrupted(let c): context = c
    case .keyNotFound(let key, _): return "\"\(key.stringValue)\" is missing"
    @unknown default: return "not understood"
    }
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    return path.isEmpty ? context.debugDescription : "\"\(path)\": \(context.debugDescription)"
  }
}

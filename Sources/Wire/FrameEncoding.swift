// Writing frames. Header and payload go into one reused buffer; no intermediate copy.

import FoundationEssentials
public import NIOCore

extension ByteBuffer {
  /// Appends `frame` for `stream`.
  public mutating func writeFrame(_ frame: Frame, stream: UInt64) {
    switch frame {
    case .output(let offset, let bytes):
      writeData(.output, stream: stream, offset: offset, bytes)
    case .input(let offset, let bytes):
      writeData(.input, stream: stream, offset: offset, bytes)
    case .snapshot(let part):
      writeSnapshot(part, stream: stream)
    case .outputAck(let offset, let consumed):
      writeNumbers(.outputAck, stream: stream, offset, consumed)
    case .inputAck(let offset):
      writeNumbers(.inputAck, stream: stream, offset)
    case .resize(let size):
      writeNumbers(
        .resize, stream: stream, UInt64(clamping: size.columns), UInt64(clamping: size.rows))
    case .resized(let offset, let size):
      writeNumbers(
        .resized, stream: stream, offset, UInt64(clamping: size.columns),
        UInt64(clamping: size.rows))
    case .ping(let opaque), .pong(let opaque):
      writeHeader(frame.type, stream: stream, body: 8)
      writeInteger(opaque)
    case .kill, .take:
      writeHeader(frame.type, stream: stream, body: 0)
    case .colors(let body): writeJSON(.colors, stream: stream, body)
    case .token(let body): writeJSON(.token, stream: stream, body)
    case .hello(let body): writeJSON(.hello, stream: stream, body)
    case .welcome(let body): writeJSON(.welcome, stream: stream, body)
    case .goAway(let body): writeJSON(.goAway, stream: stream, body)
    case .open(let body): writeJSON(.open, stream: stream, body)
    case .opened(let body): writeJSON(.opened, stream: stream, body)
    case .refused(let body): writeJSON(.refused, stream: stream, body)
    case .close(let body): writeJSON(.close, stream: stream, body)
    case .ended(let body): writeJSON(.ended, stream: stream, body)
    case .event(let body): writeJSON(.event, stream: stream, body)
    case .linkOpen(let body): writeJSON(.linkOpen, stream: stream, body)
    case .request(let body): writeJSON(.request, stream: stream, body)
    case .response(let body): writeJSON(.response, stream: stream, body)
    case .unreadableOpen: break
    }
  }

  /// Everything of an OUTPUT frame but its `count` bytes, which the caller appends next: the one
  /// copy on the way from the log to the link.
  public mutating func writeOutputHeader(stream: UInt64, offset: UInt64, count: Int) {
    writeHeader(.output, stream: stream, body: Varint.length(offset) + count)
    writeVarint(offset)
  }

  private mutating func writeData(
    _ type: FrameType, stream: UInt64, offset: UInt64, _ bytes: ByteBuffer
  ) {
    writeHeader(type, stream: stream, body: Varint.length(offset) + bytes.readableBytes)
    writeVarint(offset)
    writeImmutableBuffer(bytes)
  }

  private mutating func writeSnapshot(_ part: SnapshotPart, stream: UInt64) {
    let columns = UInt64(clamping: part.size.columns)
    let rows = UInt64(clamping: part.size.rows)
    let head =
      Varint.length(part.id) + 1 + Varint.length(part.offset) + Varint.length(columns)
      + Varint.length(rows)
    writeHeader(.snapshot, stream: stream, body: head + part.bytes.readableBytes)
    writeVarint(part.id)
    writeInteger(UInt8((part.isFirst ? 1 : 0) | (part.isLast ? 2 : 0)))
    writeVarint(part.offset)
    writeVarint(columns)
    writeVarint(rows)
    writeImmutableBuffer(part.bytes)
  }

  // One function for each count of numbers: a variadic one would allocate an array, and an
  // acknowledgement goes with every keystroke.
  private mutating func writeNumbers(_ type: FrameType, stream: UInt64, _ a: UInt64) {
    writeHeader(type, stream: stream, body: Varint.length(a))
    writeVarint(a)
  }

  private mutating func writeNumbers(_ type: FrameType, stream: UInt64, _ a: UInt64, _ b: UInt64) {
    writeHeader(type, stream: stream, body: Varint.length(a) + Varint.length(b))
    writeVarint(a)
    writeVarint(b)
  }

  private mutating func writeNumbers(
    _ type: FrameType, stream: UInt64, _ a: UInt64, _ b: UInt64, _ c: UInt64
  ) {
    writeHeader(
      type, stream: stream, body: Varint.length(a) + Varint.length(b) + Varint.length(c))
    writeVarint(a)
    writeVarint(b)
    writeVarint(c)
  }

  private mutating func writeJSON(_ type: FrameType, stream: UInt64, _ body: some Encodable) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    // Every body is a struct of strings, numbers and arrays of these: encoding one cannot fail.
    let json = (try? encoder.encode(body)) ?? Data("{}".utf8)
    writeHeader(type, stream: stream, body: json.count)
    writeBytes(json)
  }

  private mutating func writeHeader(_ type: FrameType, stream: UInt64, body: Int) {
    writeVarint(UInt64(1 + Varint.length(stream) + body))
    writeInteger(type.rawValue)
    writeVarint(stream)
  }
}

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
      writeHead(.inputAck, stream: stream, offset)
    case .resize(let size):
      writeNumbers(
        .resize, stream: stream, UInt64(clamping: size.columns), UInt64(clamping: size.rows))
    case .resized(let offset, let size):
      writeNumbers(
        .resized, stream: stream, offset, UInt64(clamping: size.columns),
        UInt64(clamping: size.rows))
    case .ping(let opaque), .pong(let opaque):
      FrameHead(frame.type, stream: stream, body: 8).write(to: &self)
      writeInteger(opaque)
    case .kill, .take:
      FrameHead(frame.type, stream: stream, body: 0).write(to: &self)
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
    writeHead(.output, stream: stream, offset, count: count)
  }

  private mutating func writeData(
    _ type: FrameType, stream: UInt64, offset: UInt64, _ bytes: ByteBuffer
  ) {
    writeHead(type, stream: stream, offset, count: bytes.readableBytes)
    writeImmutableBuffer(bytes)
  }

  private mutating func writeSnapshot(_ part: SnapshotPart, stream: UInt64) {
    let columns = UInt64(clamping: part.size.columns)
    let rows = UInt64(clamping: part.size.rows)
    let numbers =
      Varint.length(part.id) + 1 + Varint.length(part.offset) + Varint.length(columns)
      + Varint.length(rows)
    var head = FrameHead(.snapshot, stream: stream, body: numbers + part.bytes.readableBytes)
    head.append(varint: part.id)
    head.append((part.isFirst ? 1 : 0) | (part.isLast ? 2 : 0))
    head.append(varint: part.offset)
    head.append(varint: columns)
    head.append(varint: rows)
    head.write(to: &self)
    writeImmutableBuffer(part.bytes)
  }

  // One function for each count of numbers: a variadic one would allocate an array, and an
  // acknowledgement goes with every keystroke.

  /// - Parameter count: of the bytes that follow.
  private mutating func writeHead(
    _ type: FrameType, stream: UInt64, _ a: UInt64, count: Int = 0
  ) {
    var head = FrameHead(type, stream: stream, body: Varint.length(a) + count)
    head.append(varint: a)
    head.write(to: &self)
  }

  private mutating func writeNumbers(_ type: FrameType, stream: UInt64, _ a: UInt64, _ b: UInt64) {
    var head = FrameHead(type, stream: stream, body: Varint.length(a) + Varint.length(b))
    head.append(varint: a)
    head.append(varint: b)
    head.write(to: &self)
  }

  private mutating func writeNumbers(
    _ type: FrameType, stream: UInt64, _ a: UInt64, _ b: UInt64, _ c: UInt64
  ) {
    var head = FrameHead(
      type, stream: stream, body: Varint.length(a) + Varint.length(b) + Varint.length(c))
    head.append(varint: a)
    head.append(varint: b)
    head.append(varint: c)
    head.write(to: &self)
  }

  private mutating func writeJSON(_ type: FrameType, stream: UInt64, _ body: some Encodable) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    // Every body is a struct of strings, numbers and arrays of these: encoding one cannot fail.
    let json = (try? encoder.encode(body)) ?? Data("{}".utf8)
    FrameHead(type, stream: stream, body: json.count).write(to: &self)
    writeBytes(json)
  }
}

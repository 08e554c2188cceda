// The frame decoder under a fuzzer that is guided by coverage: bytes are operations, so that frames that
// are almost right are near. `deploy/fuzz.sh wire` runs it for long; FuzzCorpusTests replays what it found.

import NIOCore

#if !FUZZING
  @testable import Wire
#endif

/// Reads an input a number at a time; zeros behind its end.
struct OperationReader {
  private var rest: Slice<UnsafeRawBufferPointer>
  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }
  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }
  mutating func bytes(_ count: Int) -> [UInt8] {
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }

  /// Small, near a power of two, or anything.
  mutating func number() -> UInt64 {
    let kind = byte()
    switch kind & 3 {
    case 0: return UInt64(kind >> 2)
    case 1: return (UInt64(1) << UInt64(kind >> 2)) &+ UInt64(byte()) &- 128
    case 2: return UInt64(byte()) << 8 | UInt64(byte())
    default: return bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  mutating func size() -> TerminalSize {
    TerminalSize(
      columns: Int(truncatingIfNeeded: number()), rows: Int(truncatingIfNeeded: number()))
  }
}

/// What comes of `wire` in the pieces that `cut` gives: the frames, or why there are no more.
private func decoded(_ wire: [UInt8], cut: () -> Int) -> ([Frame], WireError?) {
  var decoder = FrameDecoder()
  var frames: [Frame] = []
  var rest = wire[...]
  while !rest.isEmpty {
    let piece = rest.prefix(max(1, cut()))
    rest = rest.dropFirst(piece.count)
    decoder.append(ByteBuffer(bytes: piece))
    do throws(WireError) {
      while let (_, frame) = try decoder.next() { frames.append(frame) }
    } catch {
      return (frames, error)
    }
    precondition(
      decoder.bufferedBytes <= WireLimits.frameBody + WireLimits.responseEnvelope + 2 * 9 + 8)
  }
  return (frames, nil)
}

func wireOperations(_ input: UnsafeRawBufferPointer) {
  var input = OperationReader(input)
  var wire = ByteBuffer()
  while !input.isAtEnd, wire.readableBytes < 100_000 {
    let stream = input.number()
    switch input.byte() % 10 {
    case 0: wire.writeBytes(input.bytes(Int(input.byte())))
    case 1:
      // A frame of any type, whose length is right or nearly so.
      let body = input.bytes(Int(input.byte()))
      wire.writeVarint(UInt64(1 + Varint.length(stream) + body.count) &+ UInt64(input.byte() & 1))
      wire.writeInteger(input.byte())
      wire.writeVarint(stream)
      wire.writeBytes(body)
    case 2:
      wire.writeFrame(
        .outputAck(offset: input.number(), consumed: input.number()), stream: stream)
    case 3:
      wire.writeFrame(
        .input(offset: input.number(), ByteBuffer(bytes: input.bytes(Int(input.byte())))),
        stream: stream)
    case 4: wire.writeFrame(.resized(offset: input.number(), input.size()), stream: stream)
    case 5:
      let marks = input.byte()
      wire.writeFrame(
        .snapshot(
          SnapshotPart(
            id: input.number(), isFirst: marks & 1 != 0, isLast: marks & 2 != 0,
            offset: input.number(), size: input.size(),
            bytes: ByteBuffer(bytes: input.bytes(Int(marks) * 70)))), stream: stream)
    case 6:
      let life = Life(rawValue: input.number())
      wire.writeFrame(
        .opened(
          Opened(
            session: SessionID(unchecked: "s"), life: life, epoch: Epoch(input.number()),
            created: true, resumed: .exact, output: input.number(), input: input.number(),
            size: input.size(), mode: .driver)), stream: stream)
    case 7:
      var open = Open(
        session: nil, create: nil,
        resume: Resume(
          life: Life(rawValue: 1), next: input.number(), input: input.number()),
        size: input.size())
      open.attempt = input.number()
      wire.writeFrame(.open(open), stream: stream)
    case 8:
      // JSON of a right kind, with a hole that anything may fill.
      var body = Array(#"{"versions":[1],"client":"#.utf8) + input.bytes(Int(input.byte()))
      body.append(UInt8(ascii: "}"))
      wire.writeVarint(UInt64(1 + Varint.length(stream) + body.count))
      wire.writeInteger(UInt8(input.byte() % 0x34))
      wire.writeVarint(stream)
      wire.writeBytes(body)
    default: wire.writeVarint(input.number())
    }
  }
  let bytes = Array(wire.readableBytesView)
  let whole = decoded(bytes) { bytes.count }
  let step = Int(input.byte()) % 9 + 1
  let pieces = decoded(bytes) { step }
  precondition(whole.0 == pieces.0 && whole.1 == pieces.1, "the cuts change what is read")
  // What was understood is written as what is understood the same.
  let understood = whole.0.filter { if case .unreadableOpen = $0 { false } else { true } }
  var again = ByteBuffer()
  for frame in understood { again.writeFrame(frame, stream: 1) }
  let back = decoded(Array(again.readableBytesView)) { again.readableBytes }
  precondition(back.0 == understood && back.1 == nil, "what was read is not what is written of it")
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    wireOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif

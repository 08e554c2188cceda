// A stream of the client under a fuzzer that is guided by coverage: bytes are operations, of its user and of a
// server that may say anything. `deploy/fuzz.sh client` runs it for long; FuzzCorpusTests replays what it found.

import NIOCore
import Wire

#if !FUZZING
  @testable import Client
#endif

/// Reads an input a number at a time; zeros behind its end.
private struct Reader {
  private var rest: Slice<UnsafeRawBufferPointer>
  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }
  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// Near `here`, small, or far out; never beyond what the decoder lets through.
  mutating func offset(near here: UInt64) -> UInt64 {
    let kind = byte()
    switch kind & 3 {
    case 0: return min(here &+ UInt64(kind >> 2), Varint.maximum)
    case 1: return here >= UInt64(kind >> 2) ? here - UInt64(kind >> 2) : 0
    case 2: return Varint.maximum - UInt64(byte())
    default: return UInt64(kind >> 2)
    }
  }

  mutating func bytes() -> ByteBuffer {
    ByteBuffer(repeating: 0x61, count: Int(byte()) << Int(byte() % 10))
  }
}

/// What is known of the stream from what it said.
private struct Observed {
  /// Where the next INPUT of this connection has to begin.
  var input: UInt64?
  /// Where the next output that is told has to begin.
  var output: UInt64?
  /// Told and not consumed.
  var unconsumed = 0

  mutating func note(_ actions: [ClientStream.Action], of stream: ClientStream) {
    for action in actions {
      switch action {
      case .send(.input(let offset, let bytes)):
        precondition(offset == input ?? offset, "INPUT at \(offset), not at \(input ?? 0)")
        precondition(bytes.readableBytes > 0 && bytes.readableBytes <= WireLimits.dataPayload)
        input = offset + UInt64(bytes.readableBytes)
      case .send(.outputAck(_, let consumed)): precondition(consumed <= Varint.maximum)
      case .emit(.output(let offset, let bytes)):
        precondition(offset == output ?? offset, "output told at \(offset)")
        output = offset + UInt64(bytes.readableBytes)
        unconsumed += bytes.readableBytes
      case .emit(.snapshot(let offset, _, let bytes)):
        output = offset
        unconsumed += bytes.readableBytes
      case .emit(.opened(let opened)):
        input = opened.input
        if opened.resumed != .exact { output = nil }
      default: break
      }
    }
    precondition(stream.unacknowledgedInput <= ClientLimits.input)
    precondition(
      stream.unacknowledgedInput - stream.waitingInput <= WireLimits.inputInFlight,
      "more under way than may be")
  }
}

func clientOperations(_ input: UnsafeRawBufferPointer) {
  var input = Reader(input)
  let session = SessionID(unchecked: "s")
  var stream = ClientStream(Open(session: session, create: Creation(), size: .standard))
  var seen = Observed()
  _ = stream.begin()
  while !input.isAtEnd, !stream.isOver {
    let operation = input.byte()
    var frame: Frame?
    switch operation % 16 {
    case 0, 1: seen.note(stream.type(input.bytes()), of: stream)
    case 2: seen.note(stream.interrupt(ByteBuffer(bytes: [3])), of: stream)
    case 3:
      _ = stream.begin(at: UInt64(input.byte()))
      seen.input = nil
    case 4, 5:
      let resumed: Opened.Resumed = [.new, .exact, .snapshot, .exact][Int(operation >> 4) % 4]
      let output = resumed == .exact ? stream.next ?? 0 : input.offset(near: 0)
      frame = .opened(
        Opened(
          session: session, life: Life(rawValue: operation & 128 == 0 ? 1 : 2), epoch: Epoch(1),
          created: false, resumed: resumed, output: output,
          input: input.offset(near: stream.acknowledgedInput),
          inDoubt: operation & 64 == 0 ? nil : true, size: .standard, mode: .driver))
    case 6, 7:
      frame = .output(offset: input.offset(near: stream.next ?? 0), input.bytes())
    case 8, 9: frame = .inputAck(offset: input.offset(near: seen.input ?? 0))
    case 10:
      frame = .snapshot(
        SnapshotPart(
          id: UInt64(operation >> 6), isFirst: operation & 16 != 0, isLast: operation & 32 != 0,
          offset: input.offset(near: 0), size: .standard, bytes: input.bytes()))
    case 11: frame = .event(operation & 16 == 0 ? .paused : .refused(""))
    case 12:
      let count = min(seen.unconsumed, Int(input.byte()) << Int(operation >> 4))
      seen.unconsumed -= count
      seen.note(stream.consume(count), of: stream)
    case 13: frame = .refused(Refused(.unavailable, "", retry: Int(input.byte()) - 128))
    case 14: seen.note(operation & 16 == 0 ? stream.take() : stream.kill(), of: stream)
    default: seen.note(stream.resize(TerminalSize(columns: Int(input.byte()), rows: 9)), of: stream)
    }
    guard let frame else { continue }
    do throws(WireError) {
      seen.note(try stream.receive(frame), of: stream)
    } catch {
      // The connection is done with; the next one goes on.
      _ = stream.begin()
      seen.input = nil
    }
  }
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    clientOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif

// The input queue, and beside it a stream's view of the output, under a fuzzer that is guided by coverage:
// bytes are operations. `deploy/fuzz.sh input` runs it for long; FuzzCorpusTests replays what it found.

import NIOCore
import Wire

#if !FUZZING
  @testable import Sessions
#endif

/// Reads an input a number at a time; zeros behind its end.
private struct Reader {
  private var rest: Slice<UnsafeRawBufferPointer>
  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }
  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// Near `here`, small, or far out.
  mutating func number(near here: UInt64) -> UInt64 {
    let kind = byte()
    switch kind & 3 {
    case 0: return here &+ UInt64(kind >> 2)
    case 1: return here &- UInt64(kind >> 2)
    case 2: return (UInt64(1) << UInt64(kind >> 2)) &+ UInt64(byte()) &- 128
    default: return UInt64(kind >> 2)
    }
  }

  mutating func count() -> Int { Int(byte()) << Int(byte() % 10) }
}

/// What one client typed, by a simple account of its own.
private struct Typed {
  var accepted: UInt64 = 0
  var written: UInt64 = 0
}

private func queueOperations(_ input: inout Reader) {
  var queue = InputQueue<Int>()
  var typed: [Int: Typed] = [:]
  /// Whose the unwritten bytes are, in order; nil: answers.
  var order: [(client: Int?, count: Int)] = []
  while !input.isAtEnd {
    let operation = input.byte()
    let client = Int(operation >> 4)
    switch operation % 6 {
    case 0, 1:
      let known = typed[client]
      let acknowledged = operation & 8 == 0 ? nil : input.number(near: known?.written ?? 0)
      let attachment = queue.attach(client, acknowledged: acknowledged)
      precondition(attachment.written <= attachment.accepted)
      if let known, queue.ledgers[client]?.accepted == known.accepted {
        precondition(attachment.accepted == known.accepted && attachment.written == known.written)
      }
      typed[client] = Typed(accepted: attachment.accepted, written: attachment.written)
    case 2: queue.detach(client)
    case 3:
      let here = typed[client]?.accepted ?? 0
      let (offset, count) = (input.number(near: here), min(input.count(), WireLimits.dataPayload))
      let before = queue.unwrittenBytes
      switch queue.receive(client, offset: offset, count: count) {
      case .accept(let fresh):
        precondition(offset <= here && offset + UInt64(count) == here + UInt64(fresh))
        precondition((1...count).contains(fresh) && queue.unwrittenBytes == before + fresh)
        typed[client]?.accepted += UInt64(fresh)
        order.append((client, fresh))
      case .duplicate: precondition(offset + UInt64(count) <= here)
      case .gap, .overflow: break
      }
      precondition(
        queue.unwrittenBytes <= SessionLimits.unwrittenInput + SessionLimits.unwrittenAnswers)
    case 4:
      let count = Int(input.byte()) * 8
      if queue.answer(count) { order.append((nil, count)) }
    default:
      var left = min(input.count(), queue.unwrittenBytes)
      var due: [Int: UInt64] = [:]
      queue.wrote(left) { client, offset in
        precondition(offset >= due[client] ?? 0)
        due[client] = offset
      }
      while left > 0, let first = order.first {
        let part = min(left, first.count)
        left -= part
        if part == first.count { order.removeFirst() } else { order[0].count -= part }
        if let client = first.client { typed[client]?.written += UInt64(part) }
      }
      for (client, offset) in due where queue.ledgers[client]?.written == typed[client]?.written {
        precondition(offset == typed[client]?.written)
      }
    }
    for (_, ledger) in queue.ledgers { precondition(ledger.written <= ledger.accepted) }
  }
}

/// A byte of the output, by its offset.
private func pattern(_ offset: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: offset &* 31 &+ 7) }

private func streamOperations(_ input: inout Reader) {
  let log = OutputLog(limit: 64 * 1024)
  var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
  let before = input.number(near: 0)
  // As a node takes them: it was sent at least what was consumed, and not a window more.
  let sent = min(before, Varint.maximum)
  let consumed = sent - min(sent, UInt64(input.byte()) << 8)
  var state = StreamState(
    cursor: min(input.number(near: 0), log.end), log: log, sent: sent, consumed: consumed, now: now)
  /// Where the client is; nil while it waits for a snapshot.
  var next: UInt64? = state.cursor
  var decoder = FrameDecoder()
  while !input.isAtEnd {
    now = now + .milliseconds(Int64(input.byte()))
    switch input.byte() % 6 {
    case 0:
      let start = log.end
      let count = input.count()
      state.logWillGrow(log, now: now)
      let bytes = (0..<UInt64(count)).map { pattern(start + $0) }
      bytes.withUnsafeBytes { log.append($0) }
    case 1:
      _ = log.markSize(TerminalSize(columns: 1 + Int(input.byte()), rows: 1 + Int(input.byte())))
    case 2:
      let told = input.number(near: state.consumed)
      let could = told <= state.sent
      precondition(state.acknowledge(consumed: told, now: now) == could)
    case 3: state.didType(now: now)
    case 4: _ = state.acknowledge(consumed: state.sent, now: now)
    default:
      var out = ByteBuffer()
      for _ in 0..<8 {
        if state.needsSnapshot(from: log, now: now) {
          state.begin(
            snapshot: ByteBuffer(repeating: 0x73, count: input.count()), size: .standard, log: log)
        }
        guard state.writeNext(into: &out, stream: 1, log: log, now: now) else { break }
      }
      decoder.append(out)
      // Whatever is written is understood, and goes on where the client is.
      while let (_, frame) = try? decoder.next() {
        switch frame {
        case .output(let offset, let bytes):
          precondition(offset == next, "output at \(offset), not \(next ?? 0)")
          for (index, byte) in bytes.readableBytesView.enumerated() {
            precondition(byte == pattern(offset + UInt64(index)), "another byte than was printed")
          }
          next = offset + UInt64(bytes.readableBytes)
        case .snapshot(let part): next = part.isLast ? part.offset : nil
        case .resized: break
        default: preconditionFailure("\(frame.type)")
        }
      }
      precondition(decoder.bufferedBytes == 0)
    }
    precondition(state.consumed <= state.sent && state.credit >= 0)
    precondition(state.window <= WireLimits.maximumWindow)
    _ = (state.wantsMore(from: log), state.mayWaitForMore(from: log), state.isCaughtUp(with: log))
    _ = state.isStalled(behind: log, now: now)
  }
}

func inputOperations(_ input: UnsafeRawBufferPointer) {
  var input = Reader(input)
  if input.byte() & 1 == 0 { queueOperations(&input) } else { streamOperations(&input) }
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    inputOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif

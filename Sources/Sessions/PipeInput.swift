// Input on its way into the pipe. One piece is under way at a time and the rest waits as bytes, so that keys typed
// at a process that does not read are not a write each. A piece is of one source: who holds a terminal for nodes that
// come and go writes each client's bytes once by their offsets.

import DequeModule
import NIOCore
import Wire

struct PipeInput {
  /// Goes to the pipe piece by piece; `waiting` follows it.
  private var writing = ByteBuffer()
  private var waiting = ByteBuffer()
  /// Whose the bytes of both are, in their order.
  private var shares: Deque<Share> = []
  /// The piece that the pipe was given, and how much of it the pipe has not reported.
  private var sent: (source: InputSource, count: Int)?
  private(set) var underWay = 0
  /// Accepted and given up for an interrupt. They count as written once what is under way before them is.
  private var discarded = 0
  /// An interrupt whose key has yet to get through.
  private var interrupt: Interrupt?
  /// Set while the pipe is asked whether a key discards input: how many bytes came from that key's frame on. They stay.
  private var bytesAfterKey: Int?

  private struct Share {
    var source: InputSource
    var count: Int
  }

  private struct Interrupt {
    var key: UInt8
    /// How often room may still be made for it.
    var tries = SessionLimits.interruptTries
  }

  struct Piece {
    var source: InputSource
    var bytes: ByteBuffer
  }

  mutating func append(_ bytes: some Collection<UInt8>, from source: InputSource) {
    guard !bytes.isEmpty else { return }
    waiting.writeBytes(bytes)
    if let last = shares.last, last.source.advanced(by: last.count) == source {
      shares[shares.count - 1].count += bytes.count
    } else {
      shares.append(Share(source: source, count: bytes.count))
    }
    if bytesAfterKey != nil { bytesAfterKey? += bytes.count }
  }

  /// The next piece for the pipe; nil: there is none, or the pipe has not taken the last one, or it has yet to say
  /// whether a key discards what waits here.
  mutating func next() -> Piece? {
    guard underWay == 0, bytesAfterKey == nil else { return nil }
    // A key's buffer is used again, unless the pipe still has it; a paste's is given back.
    if writing.readableBytes == 0, writing.capacity > SessionLimits.keptInput {
      writing = ByteBuffer()
    }
    guard let share = shares.first else { return nil }
    if writing.readableBytes == 0 {
      swap(&writing, &waiting)
      waiting.clear()
    }
    let count = min(writing.readableBytes, WireLimits.dataPayload, share.count)
    guard count > 0, let bytes = writing.readSlice(length: count) else { return nil }
    dropShares(count)
    underWay = count
    sent = (share.source, count)
    return Piece(source: share.source, bytes: bytes)
  }

  private mutating func dropShares(_ count: Int) {
    var left = count
    while left > 0, let first = shares.first {
      guard first.count > left else {
        left -= first.count
        shares.removeFirst()
        continue
      }
      shares[0].count -= left
      shares[0].source = first.source.advanced(by: left)
      return
    }
  }

  /// The pipe has taken `count` more bytes.
  /// - Returns: how many count as written by that, and the key that has to find room in the terminal next.
  mutating func wrote(_ count: Int) -> (written: Int, interrupt: UInt8?) {
    underWay = max(0, underWay - count)
    guard underWay == 0 else { return (count, nil) }
    defer {
      interrupt = nil
      discarded = 0
    }
    return (count + discarded, interrupt?.key)
  }

  // MARK: Interrupts

  /// An interrupt typed behind input that the process does not read would wait behind it for good. So that input is
  /// discarded, as the terminal itself discards what it holds, and counts as written; if the terminal does that for
  /// this key, which only the pipe knows.
  /// - Parameter typed: appended after this call.
  /// - Returns: the key to ask the pipe about, and how far whose input would be given up.
  mutating func keyThatMayInterrupt(
    _ typed: some BidirectionalCollection<UInt8>
  ) -> (key: UInt8, givenUp: [GivenUpInput])? {
    guard underWay > 0, bytesAfterKey == nil, typed.count <= SessionLimits.interruptBytes,
      let key = typed.last
    else { return nil }
    bytesAfterKey = 0
    return (key, givenUp)
  }

  private var givenUp: [GivenUpInput] {
    var ends: [GivenUpInput] = []
    func note(_ source: InputSource, _ count: Int) {
      guard case .client(let client, let offset) = source else { return }
      let end = offset + UInt64(count)
      if let index = ends.firstIndex(where: { $0.client == client }) {
        ends[index].end = end
      } else {
        ends.append(GivenUpInput(client: client, end: end))
      }
    }
    if let sent { note(sent.source, sent.count) }
    for share in shares { note(share.source, share.count) }
    return ends
  }

  /// Takes the pipe's answer. True: room is to be made for the key, and the next try has its time.
  mutating func terminalDidDiscard(_ did: Bool, for key: UInt8) -> Bool {
    guard let bytesAfterKey else { return false }
    self.bytesAfterKey = nil
    guard did else { return false }
    discard(allBut: bytesAfterKey)
    interrupt = Interrupt(key: key)
    return true
  }

  private mutating func discard(allBut bytesAfterKey: Int) {
    var surplus = max(0, writing.readableBytes + waiting.readableBytes - bytesAfterKey)
    discarded += surplus
    dropShares(surplus)
    let first = min(surplus, writing.readableBytes)
    writing.moveReaderIndex(forwardBy: first)
    surplus -= first
    waiting.moveReaderIndex(forwardBy: min(surplus, waiting.readableBytes))
    waiting.discardReadBytes()
  }

  /// Counts a try to make room: what the pipe was given before may have filled the terminal once more.
  /// - Returns: the key that still waits for room; nil: none does, or it was tried often enough.
  mutating func nextTry() -> UInt8? {
    guard let interrupt, interrupt.tries > 0 else { return nil }
    self.interrupt?.tries -= 1
    return interrupt.key
  }
}

extension InputSource {
  /// The source of what follows the first `count` bytes of this one.
  fileprivate func advanced(by count: Int) -> InputSource {
    if case .client(let client, let offset) = self {
      return .client(client, offset: offset + UInt64(count))
    }
    return self
  }
}

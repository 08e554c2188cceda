// Input on its way into the pipe. One piece is under way at a time and the rest waits as bytes, so that keys typed
// at a process that does not read are not a write each.

import NIOCore
import Wire

struct PipeInput {
  /// Goes to the pipe piece by piece; `waiting` follows it.
  private var writing = ByteBuffer()
  private var waiting = ByteBuffer()
  /// Bytes that the pipe was given and has not reported.
  private(set) var underWay = 0
  /// Accepted and given up for an interrupt. They count as written once what is under way before them is.
  private var discarded = 0
  /// An interrupt whose key has yet to get through.
  private var interrupt: Interrupt?
  /// The pipe was asked whether a key discards input; so many bytes are from that key's frame on, and stay.
  private var kept: Int?

  private struct Interrupt {
    var key: UInt8
    /// How often room may still be made for it.
    var tries = SessionLimits.interruptTries
  }

  mutating func append(_ bytes: some Collection<UInt8>) {
    waiting.writeBytes(bytes)
    if kept != nil { kept? += bytes.count }
  }

  /// The next piece for the pipe, once it has taken the last; nil: there is none, or it has not.
  mutating func next() -> ByteBuffer? {
    guard underWay == 0 else { return nil }
    if writing.readableBytes == 0 {
      writing = waiting
      waiting = ByteBuffer()
    }
    let count = min(writing.readableBytes, WireLimits.dataPayload)
    guard count > 0, let piece = writing.readSlice(length: count) else { return nil }
    underWay = count
    return piece
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
  /// - Returns: the key to ask the pipe about.
  mutating func keyThatMayInterrupt(_ typed: some BidirectionalCollection<UInt8>) -> UInt8? {
    guard underWay > 0, typed.count <= SessionLimits.interruptBytes, let key = typed.last else {
      return nil
    }
    kept = 0
    return key
  }

  /// The pipe's answer. True: the next try to make room is to be waited for.
  mutating func terminalDidDiscard(_ did: Bool, for key: UInt8) -> Bool {
    guard let kept else { return false }
    self.kept = nil
    guard did else { return false }
    discard(allBut: kept)
    interrupt = Interrupt(key: key)
    return true
  }

  private mutating func discard(allBut kept: Int) {
    var surplus = max(0, writing.readableBytes + waiting.readableBytes - kept)
    discarded += surplus
    let first = min(surplus, writing.readableBytes)
    writing.moveReaderIndex(forwardBy: first)
    surplus -= first
    waiting.moveReaderIndex(forwardBy: min(surplus, waiting.readableBytes))
    waiting.discardReadBytes()
  }

  /// What the pipe was given before may fill the terminal once more.
  /// - Returns: the key that still waits for room; nil: none does, or it was tried often enough.
  mutating func nextTry() -> UInt8? {
    guard let interrupt, interrupt.tries > 0 else { return nil }
    self.interrupt?.tries -= 1
    return interrupt.key
  }
}

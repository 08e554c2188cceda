// The decoder against bytes that nobody meant: it never traps, never holds more than one frame, and
// its answer does not depend on the pieces in which the bytes arrive (promises P6, P9).

import NIOCore
import TestSupport
import Testing
import Wire

@Suite struct DecoderFuzzTests {
  /// Everything that comes out of `bytes`, fed in pieces of `sizes`.
  private func run(_ bytes: [UInt8], pieces: () -> Int) -> ([Frame], WireError?) {
    var decoder = FrameDecoder()
    var rest = bytes[...]
    var frames: [Frame] = []
    while !rest.isEmpty {
      let count = min(pieces(), rest.count)
      decoder.append(ByteBuffer(bytes: rest.prefix(count)))
      rest = rest.dropFirst(count)
      do {
        while let (_, frame) = try decoder.next() { frames.append(frame) }
      } catch {
        return (frames, error)
      }
      // One frame of the longest kind, with its length.
      #expect(decoder.bufferedBytes <= WireLimits.frameBody + WireLimits.responseEnvelope + 9 + 8)
    }
    return (frames, nil)
  }

  private func check(_ bytes: [UInt8], _ generator: inout SeededGenerator) {
    let whole = run(bytes) { bytes.count }
    let single = run(bytes) { 1 }
    var own = generator
    let random = run(bytes) { Int.random(in: 1...5_000, using: &own) }
    generator = own
    #expect(whole.0 == single.0)
    #expect(whole.0 == random.0)
    #expect(whole.1 == single.1)
    #expect(whole.1 == random.1)
  }

  @Test func randomBytesAreReadTheSameHoweverTheyAreCut() {
    var generator = SeededGenerator.announced()
    for _ in 0..<2_000 {
      let count = Int.random(in: 0...300, using: &generator)
      check((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }, &generator)
    }
  }

  @Test func validStreamsWithMutations() {
    var generator = SeededGenerator.announced()
    // Without the one large frame, which would only make the runs long.
    let frames = everyFrame.filter { $0.creditedBytes < 1_000 }
    for _ in 0..<300 {
      var wire = ByteBuffer()
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        guard let frame = frames.randomElement(using: &generator) else { continue }
        wire.writeFrame(frame, stream: UInt64.random(in: 0...70, using: &generator))
      }
      var bytes = Array(wire.readableBytesView)
      for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 2: bytes.remove(at: index)
        default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        }
      }
      check(bytes, &generator)
    }
  }
}

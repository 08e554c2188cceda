// What waits for a slow client is bounded, whole and in order (promises P1, P6).

import NIOCore
import TestSupport
import Testing
import Wire

@testable import Router

@Suite struct OutgoingFramesTests {
  private func all(_ frames: inout OutgoingFrames) -> [Frame] {
    var list: [Frame] = []
    while let frame = frames.popFirst() { list.append(frame) }
    return list
  }

  @Test func outputThatFollowsIsJoinedUpToAFrame() {
    var frames = OutgoingFrames()
    let half = WireLimits.dataPayload / 2
    for number in 0..<4 {
      frames.append(
        .output(offset: UInt64(number * half), Pattern.bytes(at: number * half, count: half)))
      if number == 1 { frames.settle() }
    }
    #expect(frames.count == 2)
    #expect(
      all(&frames) == [
        .output(offset: 0, Pattern.bytes(at: 0, count: 2 * half)),
        .output(offset: UInt64(2 * half), Pattern.bytes(at: 2 * half, count: 2 * half)),
      ])
  }

  @Test func nothingIsJoinedOverAGapOrAnotherFrame() {
    var frames = OutgoingFrames()
    let list: [Frame] = [
      .output(offset: 0, ByteBuffer(string: "a")), .output(offset: 2, ByteBuffer(string: "b")),
      .event(.paused), .output(offset: 3, ByteBuffer(string: "c")),
    ]
    for frame in list { frames.append(frame) }
    frames.settle()
    #expect(all(&frames) == list)
  }

  /// A slice of a read that has to wait holds on to the whole read otherwise.
  @Test func whatWaitsIsACopyOfItsOwnBytes() {
    let read = ByteBuffer(repeating: 0x78, count: 64 * 1024)
    var frames = OutgoingFrames()
    for number in 0..<3 {
      let piece = read.getSlice(at: number * 100, length: 20) ?? ByteBuffer()
      frames.append(.output(offset: UInt64(number * 1_000), piece))
    }
    _ = frames.popFirst()
    frames.settle()
    for frame in all(&frames) {
      guard case .output(_, let bytes) = frame else { continue }
      #expect(bytes.storageCapacity < 1_024)
    }
  }
}

@Suite struct LookUpTurnsTests {
  @Test func soManyAskAtATimeAndTheOthersInTheirOrder() {
    var turns = LookUpTurns()
    for stream in 0..<UInt64(RouterLimits.lookUps) {
      let may = turns.begin(stream)
      #expect(may)
    }
    for stream: UInt64 in 100..<104 {
      let may = turns.begin(stream)
      #expect(!may)
    }
    // Closed while it waits, it asks no more.
    turns.cancel(101)
    let next = (0..<4).map { _ in turns.end() }
    #expect(next == [100, 102, 103, nil])
    let may = turns.begin(200)
    #expect(may)
    let mayNot = turns.begin(201)
    #expect(!mayNot)
  }
}

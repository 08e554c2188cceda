// The framing of fairlead.v1: what is written is read back, whatever the pieces it arrives in, and
// what is malformed ends in a clear error (promise P9).

import NIOCore
import Testing
import Wire

@Suite struct FrameTests {
  let frames: [Frame] = [
    .ping(7), .output(offset: 70_000, ByteBuffer(string: "hello")),
    .input(offset: 3, ByteBuffer(string: "ls\r")), .outputAck(offset: 5, consumed: 1 << 40),
    .resize(TerminalSize(columns: 120, rows: 40)), .kill,
    .refused(Refused(.gone, "it ended", status: .exited(code: 3))),
  ]

  @Test("frames survive any cut into pieces", arguments: [1, 2, 3, 7, 1_000])
  func pieces(size: Int) throws {
    var wire = ByteBuffer()
    for (number, frame) in frames.enumerated() {
      wire.writeFrame(frame, stream: UInt64(number * 100))
    }
    var decoder = FrameDecoder()
    var read: [Frame] = []
    while wire.readableBytes > 0 {
      let count = min(size, wire.readableBytes)
      guard let piece = wire.readSlice(length: count) else { break }
      decoder.append(piece)
      while let (stream, frame) = try decoder.next() {
        #expect(stream == UInt64(read.count * 100))
        read.append(frame)
      }
    }
    #expect(read == frames)
  }

  @Test func unknownTypesFrom0x40UpAreSkippedAndOthersRefused() throws {
    var decoder = FrameDecoder()
    decoder.append(ByteBuffer(bytes: [2, 0x41, 1, 2, 0x14, 1]))
    #expect(try decoder.next()?.frame == .kill)
    decoder.append(ByteBuffer(bytes: [2, 0x3F, 1]))
    #expect(throws: WireError.self) { try decoder.next() }
  }

  @Test func anOversizedFrameIsRefusedBeforeItArrives() {
    var decoder = FrameDecoder()
    decoder.append(ByteBuffer(bytes: [0x80, 0x01, 0x00, 0x00]))
    #expect(throws: WireError.self) { try decoder.next() }
  }

  @Test func anOpenThatResumesNeverCreates() {
    let open = Open(
      session: SessionID("a"), create: Creation(), resume: Resume(life: .random()),
      size: .standard)
    #expect(open.problem != nil)
  }
}

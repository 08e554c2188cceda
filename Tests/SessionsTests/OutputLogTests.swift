// The output log against a trivial model (promise P1).

import NIOCore
import Testing

@testable import Sessions

@Suite struct OutputLogTests {
  @Test func readsWhatWasAppendedAtItsOffset() {
    let log = OutputLog(limit: 16 * 1024)
    var model: [UInt8] = []
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      let piece = (0..<Int.random(in: 0..<700, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      piece.withUnsafeBytes { log.append($0) }
      model += piece
      #expect(log.end == UInt64(model.count))
      #expect(log.end - log.start >= UInt64(min(model.count, 16 * 1024)))
      let offset = UInt64.random(in: log.start...log.end, using: &random)
      var buffer = ByteBuffer()
      let count = log.read(at: offset, count: 5_000, into: &buffer)
      let expected = model[Int(offset)..<min(model.count, Int(offset) + 5_000)]
      #expect(count == expected.count)
      #expect(Array(buffer.readableBytesView) == Array(expected))
    }
    #expect(log.memoryFootprint <= 16 * 1024 + 2 * SessionLimits.logPage)
  }

  @Test func aResentInputIsWrittenOnceAndAGapIsRefused() {
    var ledger = InputLedger()
    #expect(ledger.receive(offset: 0, count: 10) == .accept(fresh: 10))
    #expect(ledger.receive(offset: 5, count: 10) == .accept(fresh: 5))
    #expect(ledger.receive(offset: 0, count: 15) == .duplicate)
    #expect(ledger.receive(offset: 16, count: 1) == .gap)
    #expect(ledger.receive(offset: 15, count: 65_536) == .overflow)
  }
}

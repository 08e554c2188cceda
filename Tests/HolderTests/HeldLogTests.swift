// The output that a holder keeps is exact: the pipe's bytes, each once, with the sizes at their places (promise P1).

import TestSupport
import Testing

@testable import Holder

@Suite("The holder's log") struct HeldLogTests {
  @Test("gives back what was written, and overwrites nothing that is needed") func isExact() {
    var random = SeededGenerator.announced()
    for _ in 0..<60 {
      let limit = Int.random(in: 1...6, using: &random) * HolderLimits.logPage
      var log = HeldLog(limit: limit, columns: 80, rows: 24)
      var all: [UInt8] = []
      for _ in 0..<200 {
        let bytes = (0..<Int.random(in: 0...3_000, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
        let room = log.room
        log.append(bytes[...])
        all += bytes.prefix(room)
        #expect(log.end == UInt64(all.count))
        #expect(log.start <= log.needed)
        #expect(log.end - log.start <= UInt64(limit + HolderLimits.logPage))
        if random.chance(0.4) { log.need(from: UInt64.random(in: 0...log.end, using: &random)) }
        let from = UInt64.random(in: log.start...log.end, using: &random)
        var read: [UInt8] = []
        let count = log.read(at: from, most: 10_000, into: &read)
        #expect(count == read.count)
        #expect(read == Array(all[Int(from)...].prefix(10_000)))
      }
    }
  }

  @Test("keeps the process waiting rather than to lose what no checkpoint shows") func isFull() {
    var log = HeldLog(limit: 8_192, columns: 80, rows: 24)
    log.append([UInt8](repeating: 1, count: 20_000)[...])
    #expect(log.end == 8_192)
    #expect(log.room == 0)
    log.need(from: 5_000)
    #expect(log.room == 5_000)
    log.append([UInt8](repeating: 2, count: 5_000)[...])
    #expect(log.end == 13_192)
    #expect(log.start <= 5_000)
  }

  @Test("has the sizes at their places") func sizes() {
    var log = HeldLog(limit: 8_192, columns: 80, rows: 24)
    log.append([1, 2, 3])
    log.resize(columns: 100, rows: 30)
    log.append([4])
    log.resize(columns: 90, rows: 20)
    #expect(log.size(log.sizeNumber(at: 0))?.columns == 80)
    #expect(log.size(log.sizeNumber(at: 3))?.columns == 100)
    #expect(log.size(log.sizeNumber(at: 4))?.columns == 90)
    #expect(log.size(log.nextSize) == nil)
  }

  @Test("of a terminal that is resized without end stays small") func manySizes() {
    var log = HeldLog(limit: 1 << 20, columns: 1, rows: 1)
    for number in 1...20_000 {
      log.resize(columns: UInt16(1 + number % 500), rows: 2)
      if number % 3 == 0 { log.append([7]) }
    }
    #expect(log.sizes.count <= HolderLimits.sizes)
    #expect(log.nextSize == 20_001)
    #expect(log.start == 0)
  }
}

// What logs leave behind goes back to the system, and no page is two logs' (promise P6).

import Glibc
import NIOCore
import Sessions
import TestSupport
import Testing

@testable import Node

@Suite struct PagePoolTests {
  private let page = SessionLimits.logPage

  private func isResident(_ page: UnsafeMutableRawPointer) -> Bool {
    var state: UInt8 = 0
    return mincore(page, self.page, &state) == 0 && state & 1 == 1
  }

  @Test func whatIsFreeGoesBackButForSome() {
    let pool = PagePool()
    let pages = (0..<2_000).map { _ in pool.allocatePage() }
    #expect(Set(pages).count == pages.count)
    for page in pages { page.initializeMemory(as: UInt8.self, repeating: 7, count: self.page) }
    let kept = pages[1_000]
    for page in pages where page != kept { _ = pool.keep(page) }
    #expect(pages.allSatisfy(isResident))
    pool.tidy()
    #expect(pages.filter(isResident).count <= NodeLimits.warmPages + 1)
    #expect(kept.loadUnaligned(fromByteOffset: page - 1, as: UInt8.self) == 7)
    let again = (0..<1_999).map { _ in pool.allocatePage() }
    #expect(Set(again).union([kept]) == Set(pages), "the same addresses serve the next ones")
  }

  @Test func aPageIsOneLogsAtATimeAndKeepsWhatIsWritten() {
    var random = SeededGenerator(seed: SeededGenerator.announcedSeed())
    let pool = PagePool()
    var held: [(page: UnsafeMutableRawPointer, mark: UInt64)] = []
    for step in 0..<20_000 {
      if held.isEmpty || random.chance(held.count < 800 ? 0.6 : 0.4) {
        let page = pool.allocatePage()
        let mark = UInt64(step)
        page.storeBytes(of: mark, as: UInt64.self)
        held.append((page, mark))
      } else {
        let (page, mark) = held.swapRemove(at: Int.random(in: 0..<held.count, using: &random))
        if page.load(as: UInt64.self) != mark { Issue.record("a page was written by another") }
        _ = pool.keep(page)
      }
      if random.chance(0.01) { pool.tidy() }
    }
    #expect(Set(held.map(\.page)).count == held.count)
  }

  @Test func aLogInPagesOfThePoolReadsWhatWasAppended() {
    let pool = PagePool()
    for _ in 0..<3 {
      let log = OutputLog(limit: 64 * 1024, source: pool)
      let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      bytes.withUnsafeBytes { log.append($0) }
      var out = ByteBuffer()
      let count = log.read(at: log.start, count: 200_000, into: &out)
      #expect(Array(out.readableBytesView) == Array(bytes.suffix(count)))
      #expect(count >= 64 * 1024)
    }
  }
}

extension Array {
  fileprivate mutating func swapRemove(at index: Int) -> Element {
    swapAt(index, count - 1)
    return removeLast()
  }
}

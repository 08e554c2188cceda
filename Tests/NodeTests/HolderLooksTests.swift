// Thousands of sessions that a dead node left in one container cost a look or two, and none of them is told as lost on an
// old word (promises P6, P11).

import NIOCore
import NIOEmbedded
import Testing
import Wire

@testable import Node

@Suite struct HolderLooksTests {
  private final class Holder {
    let loop = EmbeddedEventLoop()
    private(set) var asked: [EventLoopPromise<HolderLooks<Int>.Answer>] = []
    private(set) var found: [Int: HolderLooks<Int>.Found] = [:]
    private(set) var failures = 0
    private var looks: HolderLooks<Int>?

    init() {
      looks = HolderLooks(eventLoop: loop) { [unowned self] _ in
        asked.append(loop.makePromise())
        return asked[asked.count - 1].futureResult
      }
    }

    deinit {
      for promise in asked { promise.fail(ChannelError.alreadyClosed) }
      loop.advanceTime(by: .seconds(60))
    }

    func id(_ number: Int) -> SessionID { SessionID(unchecked: "s\(number)") }

    func find(_ number: Int) {
      looks?.find(id(number), by: "holder").assumeIsolated().whenComplete { result in
        switch result {
        case .success(let found): self.found[number] = found
        case .failure: self.failures += 1
        }
      }
      loop.run()
    }

    func answer(_ numbers: Range<Int>, isWhole: Bool = true) {
      let kept = Dictionary(uniqueKeysWithValues: numbers.map { (id($0), $0) })
      asked[asked.count - 1].succeed(HolderLooks.Answer(kept: kept, isWhole: isWhole))
      loop.run()
    }

    func fail() {
      asked[asked.count - 1].fail(ChannelError.alreadyClosed)
      loop.run()
    }

    func has(_ number: Int) -> Bool {
      if case .kept(number)? = found[number] { true } else { false }
    }
    func hasNot(_ number: Int) -> Bool {
      if case .nothing? = found[number] { true } else { false }
    }
    func isUnknown(_ number: Int) -> Bool {
      if case .unknown? = found[number] { true } else { false }
    }
  }

  @Test func allThatWaitAreServedByOneLook() {
    let holder = Holder()
    for number in 0..<1_000 { holder.find(number) }
    holder.answer(0..<2_000)
    for number in 1_000..<2_000 { holder.find(number) }
    #expect(holder.asked.count == 1)
    #expect((0..<2_000).allSatisfy(holder.has))
    holder.loop.advanceTime(by: NodeLimits.lookAge)
    holder.find(0)
    #expect(holder.asked.count == 2, "what it said is old by now")
  }

  @Test func thatThereIsNothingIsBelievedOfALaterLookOnly() {
    let holder = Holder()
    holder.find(0)
    // These come while it is under way: they may have been there after it began.
    for number in 1...100 { holder.find(number) }
    holder.answer(200..<300)
    #expect(holder.hasNot(0))
    #expect(holder.asked.count == 2, "one for all that were not there")
    #expect((1...100).allSatisfy { holder.found[$0] == nil })
    holder.answer(1..<100)
    #expect((1..<100).allSatisfy(holder.has))
    #expect(holder.hasNot(100))
    holder.find(101)
    #expect(holder.asked.count == 3)
    holder.answer(0..<0, isWhole: false)
    #expect(holder.isUnknown(101))
  }

  @Test func oneThatFailedIsNobodyElsesAnswer() {
    let holder = Holder()
    holder.find(0)
    holder.find(1)
    holder.fail()
    #expect(holder.failures == 1)
    #expect(holder.asked.count == 2)
    holder.answer(1..<2)
    #expect(holder.has(1))
  }
}

// What a holder writes to a terminal: each client's bytes once, in order, whichever node hands them in (promise P2).

import TestSupport
import Testing

@testable import Holder

@Suite("Input that a holder writes") struct HeldInputTests {
  let client = ClientKey(high: 1, low: 1)
  let other = ClientKey(high: 2, low: 2)

  /// Writes up to so many bytes, and returns them.
  private func write(_ input: inout HeldInput, _ most: Int = .max) -> ([UInt8], [HeldInput.Report])
  {
    var written: [UInt8] = []
    var reports: [HeldInput.Report] = []
    var left = most
    while !input.isEmpty, left > 0 {
      let count = input.withNext { bytes in
        let count = min(bytes.count, left)
        written += bytes.prefix(count)
        return count
      }
      left -= count
      if let report = input.wrote(count) { reports.append(report) }
    }
    return (written, reports)
  }

  @Test("is written once, however often it comes") func isWrittenOnce() {
    var input = HeldInput()
    #expect(input.take(client, offset: 0, [1, 2, 3]) == .taken)
    #expect(input.take(client, offset: 0, [1, 2, 3]) == .duplicate)
    #expect(input.take(client, offset: 2, [3, 4]) == .taken)
    #expect(input.take(client, offset: 5, [6]) == .gap)
    let (bytes, reports) = write(&input)
    #expect(bytes == [1, 2, 3, 4])
    #expect(reports == [.written(client, 3), .written(client, 4)])
  }

  @Test("that was not written when another node attached is that one's to bring again")
  func takeBack() {
    var input = HeldInput()
    #expect(input.take(client, offset: 0, [1, 2, 3, 4]) == .taken)
    let two = write(&input, 2).0
    #expect(two == [1, 2])
    input.takeBack()
    #expect(input.isEmpty)
    #expect(input.states == [HeldLedger(client: client, written: 2)])
    #expect(input.take(client, offset: 2, [3, 4]) == .taken)
    let rest = write(&input).0
    #expect(rest == [3, 4])
  }

  @Test("Each byte is written once and in order over any number of nodes") func histories() {
    var random = SeededGenerator.announced()
    for _ in 0..<500 {
      var input = HeldInput()
      let all: [[UInt8]] = (0..<3).map { _ in
        (0..<Int.random(in: 1...200, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
      }
      let clients = all.indices.map { ClientKey(high: UInt64($0), low: 0) }
      var written: [[UInt8]] = all.map { _ in [] }
      // What the node of the moment has brought.
      var brought = all.map { _ in 0 }
      while written != all {
        let who = Int.random(in: all.indices, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
          input.takeBack()
          for index in all.indices {
            brought[index] = Int(input.states.first { $0.client == clients[index] }?.written ?? 0)
          }
        case 1..<5:
          let from = Int.random(in: 0...brought[who], using: &random)
          let end = Int.random(in: from...min(all[who].count, from + 40), using: &random)
          // A client that is not known begins where it says.
          guard from == 0 || input.states.contains(where: { $0.client == clients[who] }) else {
            continue
          }
          let verdict = input.take(clients[who], offset: UInt64(from), Array(all[who][from..<end]))
          #expect(verdict == .taken || verdict == .duplicate)
          brought[who] = max(brought[who], end)
        default:
          guard !input.isEmpty else { continue }
          var piece: [UInt8] = []
          let count = input.withNext { bytes in
            let count = Int.random(in: 1...bytes.count, using: &random)
            piece = Array(bytes.prefix(count))
            return count
          }
          guard case .written(let client, let offset) = input.wrote(count) else {
            Issue.record("nobody is told of what was written")
            return
          }
          let index = Int(client.high)
          written[index] += piece
          #expect(offset == UInt64(written[index].count))
          #expect(all[index].starts(with: written[index]))
        }
      }
    }
  }

  @Test("A query is answered once, whichever node reads it") func answers() {
    var input = HeldInput()
    #expect(input.answer(query: 10, [27], settled: 0) == .taken)
    #expect(input.answer(query: 10, [27], settled: 0) == .duplicate)
    let (bytes, reports) = write(&input)
    #expect(bytes == [27])
    #expect(reports == [.answered(10)])
    input.takeBack()
    #expect(input.answer(query: 10, [27], settled: 0) == .duplicate)
    #expect(input.answer(query: 11, [28], settled: 11) == .duplicate, "it is too old")
    #expect(input.answer(query: 12, [29], settled: 11) == .taken)
  }

  @Test("An answer that is half written is written to its end") func halfAnAnswer() {
    var input = HeldInput()
    #expect(input.answer(query: 1, [1, 2, 3], settled: 0) == .taken)
    #expect(input.answer(query: 2, [4], settled: 0) == .taken)
    let one = write(&input, 1).0
    #expect(one == [1])
    input.takeBack()
    let rest = write(&input).0
    #expect(rest == [2, 3])
    #expect(input.answered == 1)
    #expect(input.answer(query: 2, [4], settled: 0) == .taken)
  }

  @Test("What an interrupt overtakes counts as written, for everybody") func discard() {
    var input = HeldInput()
    #expect(input.take(other, offset: 0, [9, 9]) == .taken)
    #expect(input.take(client, offset: 0, [1, 2, 3]) == .taken)
    let reports = input.discard(upTo: [HeldLedger(client: client, written: 5)])
    #expect(reports == [.written(client, 5), .written(other, 2)])
    #expect(input.isEmpty)
    #expect(input.take(client, offset: 5, [3]) == .taken)
    let rest = write(&input).0
    #expect(rest == [3])
  }

  @Test("remembers so many clients, and says when it has forgotten one") func forgets() {
    var input = HeldInput()
    for number in 0..<HolderLimits.ledgers {
      #expect(input.take(ClientKey(high: 0, low: UInt64(number)), offset: 0, [1]) == .taken)
    }
    #expect(input.take(client, offset: 0, [1]) == .tooMuch, "all of them have input under way")
    _ = write(&input)
    #expect(!input.hasForgotten)
    #expect(input.take(client, offset: 0, [1]) == .taken)
    #expect(input.hasForgotten)
    #expect(input.states.count == HolderLimits.ledgers)
  }
}

// `top` shows rates between two looks, the busiest first, and fits into its terminal.

import API
import Testing
import Wire

@testable import fairlead

@Suite struct BoardTests {
  private let start = ContinuousClock.now

  private func session(_ id: String, output: UInt64, life: UInt64 = 1) -> SessionSummary {
    SessionSummary(
      session: SessionID(unchecked: id), node: "a", life: Life(rawValue: life), epoch: Epoch(1),
      target: "pty", command: [], state: .running, status: nil, size: .standard, title: nil,
      created: 0, idle: 0, output: output, input: 0, viewers: [])
  }

  private func look(_ seconds: Int, _ sessions: [SessionSummary]) -> Board.Look {
    Board.Look(
      time: start + .seconds(seconds), nodes: [], routers: [], sessions: sessions, clients: [])
  }

  @Test func theBusiestComesFirst() {
    var board = Board()
    board.take(look(0, [session("a", output: 900_000), session("b", output: 0)]))
    board.take(look(2, [session("a", output: 900_100), session("b", output: 4_096)]))
    let lines = board.text(columns: 80, rows: 24).split(separator: "\n")
    let rows = lines.drop { !$0.hasPrefix("SESSION") }.dropFirst()
    #expect(
      rows.map { $0.split(separator: " ").map(String.init) }.map { [$0[0], $0[4]] } == [
        ["b", "2KiB/s"], ["a", "50B/s"],
      ])
    #expect(lines.contains { $0.contains("out 2KiB/s") }, "\(lines)")
    // Another process of the same name has no rate yet.
    board.take(look(4, [session("b", output: 5, life: 2)]))
    #expect(board.text(columns: 80, rows: 24).contains("b        a     running  now     -"))
  }

  @Test func itFitsAndKeysChoose() {
    var board = Board()
    let many = (0..<100).map { session("s\($0)", output: 0) }
    board.take(look(0, many))
    for key in "snrcoitb".utf8 {
      board.press(key)
      let lines = board.text(columns: 40, rows: 10).split(
        separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count <= 10 && lines.allSatisfy { $0.count <= 40 })
    }
    #expect(board.page == .clients && board.order == .load)
    board.press(UInt8(ascii: " "))
    #expect(board.isImpatient)
    board.take(look(2, many))
    #expect(!board.isImpatient)
  }
}

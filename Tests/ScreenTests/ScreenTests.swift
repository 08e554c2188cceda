// What a screen shows, case by case.

import Testing

@testable import Screen

@Suite struct ScreenTests {
  @Test func printsAndWraps() {
    let screen = Screen(columns: 5, rows: 2)
    screen.write(Array("hello".utf8))
    #expect(screen.isWrapPending)
    screen.write(Array("w".utf8))
    #expect(screen.lines() == ["hello", "w"])
  }
}

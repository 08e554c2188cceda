// A character takes as many columns as Unicode 16 and the C library say, so that the cursor stands where the program
// believes it to be (promise P1).

import Testing

@testable import Screen

@Suite struct WidthTests {
  @Test(arguments: [
    // Emoji from Unicode 13 on; signs that Unicode 16 made wide.
    ("\u{1F972}", 2), ("\u{1FAE0}", 2), ("\u{1FAE8}", 2), ("\u{1F6DC}", 2), ("\u{1FAE9}", 2),
    ("\u{2630}", 2), ("\u{268F}", 2), ("\u{4DC0}", 2), ("\u{1D300}", 2), ("\u{3248}", 2),
    // No emoji by themselves.
    ("\u{1F93B}", 1), ("\u{2764}", 1), ("\u{2764}\u{FE0F}", 1),
    // Marks, joiners, Hangul that joins.
    ("e\u{301}", 1), ("e\u{897}", 1), ("\u{1F469}\u{200D}\u{1F4BB}", 4),
    ("\u{1100}\u{1161}\u{11A8}", 2), ("\u{1100}\u{D7B0}\u{D7CB}", 2),
    // Format characters that are seen.
    ("a\u{AD}", 2), ("\u{600}1", 2), ("\u{110BD}", 1),
  ])
  func takesSoManyColumns(text: String, columns: Int) {
    let screen = Screen(columns: 20, rows: 2)
    screen.write(Array(text.utf8))
    #expect(screen.cursorColumn == columns)
  }

  @Test func rangesAreInOrderAndApart() {
    for bounds in [WidthRanges.zero, WidthRanges.wide] {
      #expect(bounds.count % 2 == 0)
      for index in bounds.indices.dropFirst() {
        // The last of a range may be its first, and the next range begins behind it.
        #expect(
          index % 2 == 1 ? bounds[index - 1] <= bounds[index] : bounds[index - 1] < bounds[index])
      }
    }
    #expect(WidthTable.shared[0x10_FFFF] == 1)
  }
}

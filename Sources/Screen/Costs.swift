// What work on a screen costs beyond the bytes that ask for it, in the units of ``Screen/workPerCall``: one is about a
// cell that is touched, or a byte of text. A few bytes can ask for much, so that work is counted and done in slices
// (promise P7). The numbers are measured, and rough: what takes twice as long costs about twice as much.

enum Cost {
  // MARK: Buffers

  /// A row that is made, or freed.
  static let newRow = 32
  /// RIS beside its rows: the scrollback is freed, and tables are walked.
  static let reset = 1_000
  /// Entering the alternate buffer beside its rows: its memory is touched for the first time.
  static let alternateBuffer = 2_000
  /// A row that is erased, or whose columns are shifted.
  static let erasedRow = 8
  /// A row that is filled with one cell.
  static let filledRow = 4
  /// A cell of a rectangle whose checksum is told.
  static let checksumCell = 8
  /// A code point of a cell that REP repeats, of one that is wide or has marks: it is packed cell by cell later.
  static let repeatedCodePoint = 8
  /// A cell, and a row, that a collection of attributes walks over.
  static let collectedCell = 2
  static let collectedRow = 4

  // MARK: A resize

  /// Storing a line of the old buffer, beside its cells.
  static let storedLine = 16
  /// Taking back a line of the scrollback of so many cells.
  static func takenLine(_ cells: Int) -> Int { cells * 2 + 24 }
  /// Packing a line of so many cells into the scrollback.
  static func packedLine(_ cells: Int) -> Int { cells * 2 + 40 }
  /// Writing a line of so many cells into a row.
  static func writtenRow(_ cells: Int) -> Int { cells * 2 + 16 }
  /// A column of such a row, as a part of one: memory that is touched for the first time.
  static let columnsPerUnit = 4
  /// A line that flows and is not kept.
  static let droppedLine = 4
  /// Cutting a logical line into the lines of another width: for each old one and each new one.
  static let cutLine = 3

  // MARK: The scrollback

  /// Looking at a page of it.
  static let page = 8
  /// Measuring a packed line.
  static let measuredLine = 24
  /// Measuring a cell where some are wide, and beginning to read them.
  static let measuredCell = 4
  static let measuredText = 200
  /// Reading a line and passing over it, beside its cells.
  static let passedLine = 16
  /// Writing a line of so many cells as text or for a terminal: its looks and characters are looked up.
  static func shownLine(_ cells: Int) -> Int { cells * 5 + 80 }
}

// Bytes that are operations on a screen, for a fuzzer that is guided by coverage: a byte or two each, so that
// long rows of changing looks, full scrollbacks and resizes are few mutations away. (As bytes of output each
// would take hundreds that must stay right together.) Any bytes are a valid input.

import Screen

package struct ScreenOperations {
  /// The first thing that is wrong, and after which operation.
  package struct Fault: Error, CustomStringConvertible {
    package var description: String
  }

  /// Output of one input, at most: an input must not become slow by saying "a thousand lines" often.
  private static let mostOutput = 1 << 20
  /// Cells that resizes and snapshots of one input may touch, for the same reason.
  private static let mostCells = 1 << 24

  private var input: ArraySlice<UInt8>
  private var output: [UInt8] = []
  private var written = 0
  private var cells = 0
  private var screen: Screen
  private var scrollback: Int

  /// Does what the bytes say to a fresh screen, and looks into it after each step.
  package static func run(_ bytes: some Sequence<UInt8>) throws(Fault) {
    var operations = ScreenOperations(Array(bytes)[...])
    try operations.run()
  }

  private init(_ bytes: ArraySlice<UInt8>) {
    input = bytes
    var bytes = bytes
    func next() -> Int { Int(bytes.popFirst() ?? 0) }
    let size = Self.size(next(), next())
    scrollback = [0, 1, 2, 7, 50, 300, 1_000, 100_000][next() & 7]
    screen = Screen(columns: size.columns, rows: size.rows, scrollback: scrollback)
    input = bytes
  }

  /// Small sizes mostly, and all up to 1,000.
  private static func size(_ columns: Int, _ rows: Int) -> (columns: Int, rows: Int) {
    func side(_ byte: Int) -> Int {
      switch byte {
      case 0..<64: byte
      case 64..<192: 64 + (byte - 64) * 4
      default: 576 + (byte - 192) * 7
      }
    }
    return (side(columns), rows < 128 ? rows / 2 : side(rows))
  }

  private mutating func next() -> Int { Int(input.popFirst() ?? 0) }

  private mutating func put(_ text: String, _ count: Int = 1) {
    let bytes = Array(text.utf8)
    for _ in 0..<count where output.count < Self.mostOutput { output += bytes }
  }

  private mutating func run() throws(Fault) {
    while !input.isEmpty, written < Self.mostOutput, cells < Self.mostCells {
      let operation = input.popFirst() ?? 0
      try step(operation)
      if output.count > 4_096 || operation & 0x80 != 0 { try flush("operation \(operation)") }
    }
    try flush("the end")
    try readBack()
  }

  private mutating func flush(_ what: String) throws(Fault) {
    written += output.count
    screen.write(output)
    output.removeAll(keepingCapacity: true)
    _ = screen.takeAnswers()
    if let fault = screen.fault() { throw Fault(description: "\(fault), after \(what)") }
  }

  private mutating func step(_ operation: UInt8) throws(Fault) {
    switch operation & 0x1F {
    case 0:
      let step = 1 + (next() & 15)
      for index in 0..<next() { put("\u{1B}[38;5;\(index * step & 255)ma") }
    case 1: put("a", next() * 4)
    case 2: put("\r\n", next() * 8)
    case 3: put("e" + String(repeating: "\u{301}", count: next() & 31))
    case 4: put("\u{1B}[\(next());\(next())m")
    case 5: put("\u{1B}[\(next() & 3)J")
    case 6: put("\u{1B}[\(next());\(next() * 4)H")
    case 7: put("\u{1B}]8;;http://x/\(next())\u{7}l")
    case 8: try resize(next(), next())
    case 9: put("中🚀", next() & 63)
    case 10: put("\u{1B}[?1049" + (next() & 1 == 0 ? "h" : "l"))
    case 11: output.append(UInt8(next()))
    case 12: put("x\u{1B}[\(next() * 8_191)b")
    case 13: put("\u{1B}[\(next() & 3)K")
    case 14: put("\u{1B}[\(next())" + ["S", "T", "L", "M", "@", "P", "X", "b"][next() & 7])
    case 15: put("\u{1B}[\(next());\(next() * 4)r")
    case 16: put("\u{1B}#8")
    case 17: put("\u{1B}[4" + (next() & 1 == 0 ? "h" : "l"))
    case 18:
      put(
        "\u{1B}[?\([6, 7, 45, 69, 1_049, 47, 25, 2_026][next() & 7])"
          + (next() & 1 == 0 ? "h" : "l"))
    case 19:
      put(
        ["\u{1B}7", "\u{1B}8", "\u{1B}D", "\u{1B}M", "\u{1B}E", "\u{1B}c", "\u{1B}[!p", "\u{1B}H"][
          next() & 7])
    case 20: put("\u{1B}[\(next())" + [" @", " A", "'}", "'~"][next() & 3])
    case 21: put("\u{1B}(" + ["0", "B", "A", "K"][next() & 3] + "q\u{301}")
    case 22:
      for index in 0..<next() { put("\u{1B}[48;2;\(index);\(next());7m\u{1B}[K\r\n") }
    case 23: put("\t", next() & 15)
    case 24: put("\u{8}", next() & 63)
    case 25: put("\u{1B}[38;2;\(next());\(next());\(next())m")
    case 26: put("漢", next() * 4)
    case 27: put("\u{1B}[1\"q" + "p" + "\u{1B}[?\(next() & 3)J\u{1B}[0\"q")
    case 28: put("\u{1B}[\(next())" + ["A", "B", "C", "D", "G", "d", "I", "Z"][next() & 7])
    case 29: for _ in 0..<next() { put("e\u{301}\u{302} ") }
    case 30: for index in 0..<next() { put(String(repeating: "w", count: index) + "\r\n") }
    default:
      flushQuietly()
      cells += screen.columns * screen.rows
      switch next() & 3 {
      case 0: _ = screen.snapshot()
      case 1: _ = screen.text(scrollback: next() * 16)
      case 2: _ = screen.ansi(scrollback: next() * 16)
      default: _ = screen.contents(scrollback: next())
      }
    }
  }

  private mutating func flushQuietly() {
    written += output.count
    screen.write(output)
    output.removeAll(keepingCapacity: true)
  }

  /// In slices of any size, and looked into between two of them.
  private mutating func resize(_ columns: Int, _ rows: Int) throws(Fault) {
    flushQuietly()
    let size = Self.size(columns, rows)
    cells += screen.columns * screen.rows + size.columns * size.rows
    screen.beginResize(columns: size.columns, rows: size.rows)
    let work = 1 << (4 + (columns ^ rows) % 20)
    var slices = 0
    while !screen.goOnResizing(work: work) {
      slices += 1
      if slices == 1 + columns & 3, let fault = screen.fault() {
        throw Fault(description: "\(fault), in slice \(slices) of a resize")
      }
    }
  }

  /// What a client would be sent makes a screen like this one.
  private func readBack() throws(Fault) {
    let snapshot = screen.snapshot()
    let reader = Screen(columns: screen.columns, rows: screen.rows, scrollback: scrollback)
    reader.write(snapshot)
    if let fault = reader.fault() { throw Fault(description: "\(fault), in the snapshot's reader") }
    guard reader.cursorColumn == screen.cursorColumn, reader.cursorRow == screen.cursorRow,
      reader.isAlternate == screen.isAlternate
    else {
      throw Fault(description: "the snapshot's reader has its cursor elsewhere")
    }
    guard reader.lines(scrollback: 1_000) == screen.lines(scrollback: 1_000) else {
      throw Fault(description: "the snapshot's reader shows other lines")
    }
  }
}

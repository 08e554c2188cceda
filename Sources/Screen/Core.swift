// The whole state of one terminal. What the program sent acts here: Parser.swift finds the sequences, and
// Print.swift, Cursor.swift, Editing.swift, Rendition.swift, Core+Modes.swift, Core+Keyboard.swift and
// Core+Strings.swift carry them out as xterm.js 6 does, because the browsers that show the session are xterm.js.

/// A change of size under way, as the state sees it.
protocol CoreResizing: AnyObject {
  var byteCount: Int { get }
  /// Goes on until it has cost so much. True once it is done.
  func go(on core: inout Core, work: Int) -> Bool
}

struct Core {
  /// What the bytes of this `write` cost beyond their number: about a unit per cell that was touched.
  var spent = 0
  var columns: Int
  var rows: Int
  let widths: WidthTable

  // MARK: Buffers. What has two of a kind is held as the active one and the other.

  var grid: Grid
  /// The primary buffer's grid while the alternate buffer is shown.
  var hiddenPrimary: Grid?
  /// The cursor's row when the primary buffer was left; a resize does not reflow the line it is on.
  var hiddenRow = 0
  var isAlternate: Bool { hiddenPrimary != nil }
  var history: History
  /// The change of size under way. Until it is done nothing else changes here.
  var resizing: (any CoreResizing)?
  var saved = SavedCursor()
  var otherSaved = SavedCursor()
  var tabs: TabStops
  var otherTabs: TabStops

  // MARK: Cursor and pen.

  /// Column 0 … columns; `columns` means that the next character wraps first.
  var x = 0
  var y = 0
  var pen = Attributes()
  /// The pen's index in the upper half, ready for a cell.
  var penBits: Cell = 0
  /// What erased cells become: a blank with the pen's background colour.
  var eraseCell: Cell = Cell.blank
  /// Width of the character just printed, 0 if anything else came since: a mark joins it, REP repeats it.
  var preceding = 0
  var charsets = Charsets()
  var modes = Modes()
  /// Of the active buffer, and of the primary one while the alternate is shown.
  var keyboard = Keyboard()
  var hiddenKeyboard = Keyboard()
  var modifiedKeys = ModifiedKeys()

  // MARK: Tables that cells point into.

  var attributes = AttributeTable()
  var collectAttributesAt: Int
  var clusters = ClusterStore()
  var links = HyperlinkTable()

  // MARK: Around the grid.

  var titles = Titles()
  var palette = Palette()
  var workingDirectory: [UInt8]?
  var shellMark = ShellMark()
  var answers: [UInt8] = []
  var titleChanged = false
  var bellRang = false

  // MARK: Parser.

  let transitions: TransitionTable
  var state = ParserState.ground
  /// Prefix and intermediates of the sequence under way, eight bits each.
  var collected: UInt32 = 0
  var parameters = Parameters()
  var utf8 = UTF8Decoder()
  var string = ControlString()

  init(columns: Int, rows: Int, scrollback: Int) {
    self.columns = columns
    self.rows = rows
    widths = WidthTable.shared
    transitions = TransitionTable.shared
    grid = Grid(columns: columns, rows: rows)
    history = History(limit: scrollback, columns: columns, widths: widths)
    tabs = TabStops(columns: columns)
    otherTabs = TabStops(columns: columns)
    collectAttributesAt = max(Limit.attributes, columns * rows / Limit.cellsPerAttribute)
    clusters.collectLater(columns: columns, rows: rows)
  }

  mutating func deallocate() {
    resizing = nil
    grid.deallocate()
    hiddenPrimary?.deallocate()
    history.deallocate()
    attributes.deallocate()
    clusters.deallocate()
    parameters.deallocate()
  }

  /// Bytes of memory held, without small change.
  var byteCount: Int {
    MemoryLayout<Core>.size + grid.byteCount + (hiddenPrimary?.byteCount ?? 0) + history.byteCount
      + attributes.byteCount + clusters.byteCount + links.byteCount + string.bytes.capacity
      + answers.capacity + Parameters.byteCount + (resizing?.byteCount ?? 0)
  }

  /// The looks of the grids' cells and of the pen.
  var looks: Looks { Looks(table: -1, entries: attributes.all, links: links.all) }

  /// The same state but for the table of looks, in memory of its own; for as long as somebody reads it while this
  /// one goes on.
  func frozen() -> Core {
    var copy = self
    copy.grid = grid.copy()
    copy.hiddenPrimary = hiddenPrimary?.copy()
    copy.history = history.frozen()
    copy.attributes = AttributeTable()
    copy.clusters = clusters.copy()
    copy.parameters = parameters.copy()
    return copy
  }

  /// What is wrong with it; nil: nothing.
  func fault() -> String? {
    guard x >= 0, x <= columns, y >= 0, y < rows else { return "the cursor is at \(x), \(y)" }
    guard grid.columns == columns, grid.rows == rows else { return "the grid has another size" }
    if let fault = history.fault() { return fault }
    for grid in [grid, hiddenPrimary].compactMap({ $0 }) {
      if let fault = grid.fault() { return fault }
      for index in 0..<rows {
        let row = grid[index]
        let hidden = grid.hidden(index)
        for column in 0...row.used + hidden.count {
          let cell = column <= row.used ? row[column] : hidden[column - row.used - 1]
          guard Int(cell.attributes) < attributes.count else { return "a cell of unknown look" }
          if cell.isCluster && resizing == nil && !clusters.holds(cell.code) {
            return "a cell of an unknown cluster"
          }
        }
      }
    }
    return nil
  }

  // MARK: Reset.

  /// RIS. Keeps what xterm.js keeps: titles, colours, newline mode, cursor visibility and blinking.
  mutating func reset() {
    if let primary = hiddenPrimary {
      grid.deallocate()
      grid = primary
      hiddenPrimary = nil
    }
    grid.clear()
    grid.top = 0
    grid.bottom = rows - 1
    // New rows are made, and the old ones freed.
    spent &+= rows * Cost.newRow + Cost.reset
    history.removeAll()
    saved = SavedCursor()
    otherSaved = SavedCursor()
    tabs = TabStops(columns: columns)
    otherTabs = tabs
    x = 0
    y = 0
    pen = Attributes()
    penChanged()
    preceding = 0
    charsets = Charsets()
    modes.reset()
    keyboard = Keyboard()
    hiddenKeyboard = Keyboard()
    modifiedKeys = ModifiedKeys()
    collectAttributes()
    collectClusters()
  }

  /// DECSTR.
  mutating func softReset() {
    modes.isCursorHidden = false
    grid.top = 0
    grid.bottom = rows - 1
    pen = Attributes()
    penChanged()
    modes.softReset()
    charsets = Charsets()
    saved = SavedCursor(isFirstLine: isAlternate || history.isEmpty)
  }

  // MARK: Buffers.

  /// DECSET 47, 1047, 1049. The alternate buffer is blank whenever it is entered.
  mutating func enterAlternate() {
    guard hiddenPrimary == nil else { return }
    hiddenPrimary = grid
    hiddenRow = y
    grid = Grid(columns: columns, rows: rows)
    if eraseCell != Cell.blank {
      for row in 0..<rows { grid[row].clear(eraseCell, wrapped: false) }
    }
    spent &+= rows * Cost.newRow + Cost.alternateBuffer
    swap(&saved, &otherSaved)
    swap(&tabs, &otherTabs)
    swap(&keyboard, &hiddenKeyboard)
    restrictCursor(columns)
  }

  mutating func leaveAlternate() {
    guard let primary = hiddenPrimary else { return }
    grid.deallocate()
    grid = primary
    hiddenPrimary = nil
    swap(&saved, &otherSaved)
    swap(&tabs, &otherTabs)
    otherTabs = TabStops(columns: columns)
    keyboard = hiddenKeyboard
    hiddenKeyboard = Keyboard()
    restrictCursor(columns)
  }

  // MARK: Pen.

  /// Called after every change of `pen`.
  @inline(__always)
  mutating func penChanged() {
    if attributes.count >= collectAttributesAt { collectAttributes() }
    let indexed = attributes.intern(pen.forCell)
    penBits = Cell(indexed) << 32
    let color = pen.background & Attributes.colorMask
    if color == 0 {
      eraseCell = Cell.blank
    } else {
      eraseCell = Cell(attributes.intern(Attributes(background: color))) << 32 | Cell.narrow
    }
  }
}

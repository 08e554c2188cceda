// Reads the scrollback, oldest line first, as it flows into the screen's present width. Logical lines that were
// packed at this width come as they are; others are joined and cut again as xterm.js does: a wide character is
// not cut, and what follows the last character of a line does not flow.

/// Looks by number, of the grid or of a page, with the links they point to.
struct Looks {
  /// Tells tables apart whose numbers mean different things.
  var table: Int
  var entries: [Attributes]
  var links: [Hyperlink]

  @inline(__always) subscript(number: UInt32) -> Attributes {
    Int(number) < entries.count ? entries[Int(number)] : Attributes()
  }

  func link(_ number: UInt32) -> Hyperlink? {
    number > 0 && Int(number) <= links.count ? links[Int(number) - 1] : nil
  }
}

struct HistoryReader {
  private let history: History
  private var position: History.Position?
  /// Lines that are gone of the logical line that comes next.
  private var gone: Int
  /// Lines of a logical line that are still to come: their cells in `cells`.
  private var pending: [Range<Int>] = []
  private var nextPending = 0
  private var isFirstWrapped = false
  private(set) var cells = Block<Cell>(count: Limit.columns.upperBound)
  /// What the cells' looks and clusters are; of the line that came last.
  private(set) var looks = Looks(table: 0, entries: [Attributes()], links: [])
  private(set) var clusters = ClusterStore()
  /// The page whose looks came last into `looks`; where they are its own alone, they stay for its next line.
  private var page = -1
  private var lookBase = 0
  private let widths: WidthTable
  /// Lines flow into the present width. Otherwise they come as they were packed.
  var isFlowing = true

  /// From a position on, which begins a logical line; from the oldest line if none is given.
  init(_ history: History, from start: History.Position? = nil) {
    self.history = history
    widths = history.widths
    position = start ?? history.start
    gone = position == history.start ? history.frontGone : 0
  }

  func deallocate() {
    cells.deallocate()
    clusters.deallocate()
  }

  struct Entry {
    var cells: Range<Int>
    var isWrapped: Bool
    /// The next line continues this one; nil: there is none.
    var isContinued: Bool?
  }

  /// The next line; nil after the newest. Its cells are in `cells` until the one after it.
  mutating func next() -> Entry? {
    if nextPending >= pending.count { guard readLogicalLine() else { return nil } }
    let range = pending[nextPending]
    let isWrapped = nextPending > 0 || isFirstWrapped
    nextPending += 1
    let isContinued: Bool?
    if nextPending < pending.count {
      isContinued = true
    } else {
      isContinued = position.flatMap { history.line(at: $0)?.isWrapped }
    }
    var end = range.upperBound
    while end > range.lowerBound && cells[end - 1] == Cell.blank { end -= 1 }
    return Entry(cells: range.lowerBound..<end, isWrapped: isWrapped, isContinued: isContinued)
  }

  /// Whether the next line begins the logical line at that position.
  func isBefore(_ position: History.Position?) -> Bool {
    nextPending >= pending.count && position != nil && self.position == position
  }

  /// How many lines the next logical line takes.
  mutating func linesOfNext() -> Int { readLogicalLine() ? pending.count : 0 }

  private mutating func readLogicalLine() -> Bool {
    guard let start = position, let line = history.line(at: start) else { return false }
    clusters.removeAll()
    pending.removeAll(keepingCapacity: true)
    nextPending = 0
    isFirstWrapped = line.isWrapped
    if lookBase != 0 { page = -1 }
    if line.columns == history.columns || !isFlowing {
      // One line at a time, as it is.
      let end = unpack(line, start.page, at: 0)
      pending.append(0..<end)
      position = history.next(start)
      return true
    }
    flow(from: start)
    if gone > 0 {
      nextPending = min(gone, pending.count)
      gone = 0
      if nextPending >= pending.count { return readLogicalLine() }
    }
    return true
  }

  private mutating func unpack(_ line: PackedLine, _ index: Int, at column: Int) -> Int {
    var base = 0
    if let memory = history.pages[index].memory {
      if page < 0 || (page != index && column == 0) {
        looks = Looks(table: looks.table + 1, entries: memory.looks, links: memory.links)
        lookBase = 0
      } else if page != index {
        // A logical line that goes on in another page: its looks come behind those of the first.
        lookBase = looks.entries.count
        looks.entries += memory.looks.map { look in
          var look = look
          if look.link != 0 { look.link += UInt32(looks.links.count) }
          return look
        }
        looks.links += memory.links
      }
      page = index
      base = lookBase
    }
    reserve(column + line.used)
    return line.unpack(
      into: cells, at: column, lookBase: base, clusters: &clusters, widths: widths)
  }

  private mutating func reserve(_ count: Int) {
    guard count > cells.count else { return }
    let larger = cells.copied(cells.count, capacity: max(count, cells.count * 4))
    cells.deallocate()
    cells = larger
  }

  /// Joins the lines of a logical line, and cuts them again.
  private mutating func flow(from start: History.Position) {
    let columns = history.columns
    var here: History.Position? = start
    var total = 0
    var content = 0
    var width = 0
    var used = 0
    var count = 0
    while let at = here, let line = history.line(at: at),
      at == start || !line.flags.contains(.start)
    {
      width = line.columns
      if count > 0 {
        // The line before is full, but for a blank that stands where a wide character found no room.
        reserve(total + width)
        let full = begin + width
        cells.fill(total, max(0, full - total), Cell.blank)
        total = full
      }
      begin = total
      used = unpack(line, at.page, at: total) - total
      if count > 0, used > 0, cells[begin].width == 2, begin > 0,
        !cells[begin - 1].hasContent, cells[begin - 1].width == 1
      {
        cells.move(from: begin, to: begin - 1, count: used)
        begin -= 1
      }
      if line.trimmed > 0 { content = begin + min(line.trimmed, used) }
      total = begin + used
      if line.trimmed < used { last = begin + line.trimmed } else { last = total }
      count += 1
      here = history.next(at)
    }
    position = here
    if count == 1 && (columns > width || last <= columns) {
      let end = min(total, columns)
      if end == columns, total > columns, cells[end - 1].width == 2 {
        cells[end - 1] = cells[end - 1].attributeBits | Cell.narrow
      }
      pending.append(0..<end)
      return
    }
    cut(last, content: columns > width ? content : last, columns)
  }

  private var begin = 0
  private var last = 0

  /// Cuts joined cells into lines. Lines behind the last content are not there, but for the first.
  private mutating func cut(_ total: Int, content: Int, _ columns: Int) {
    var from = 0
    repeat {
      var end = min(from + columns, total)
      if end - from == columns, cells[end - 1].width == 2 { end -= 1 }
      pending.append(from..<end)
      from = end
    } while from < min(total, content)
  }
}

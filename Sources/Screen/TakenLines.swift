// Lines that a resize takes back out of the scrollback: the newest, since they may come to stand on the screen
// again. It costs what they hold, however long the scrollback is, and it goes in slices.

struct TakenLines {
  private var search: History.Search
  private var isFound = false
  /// The width of the screen into which the last logical line goes on; nil: it does not.
  private let goingOnIn: Int?
  private var last: History.Position?
  private var reader: HistoryReader?
  /// The looks of the page under way in the screen's own table.
  private var numbers: [UInt32?] = []
  private var table = -1
  private var lines: [SourceLine] = []
  /// Lines in front that have the history's width. Those of the last logical line come as they are if it goes on in
  /// the screen and has its width.
  private var flowed: Int?
  /// Where their cells are. The last one is being filled.
  private var chunks: [Block<Cell>] = []
  private var filled = 0

  /// So many lines at least, if there are, and whole logical lines.
  init(_ wanted: Int, of history: History, goingOnIn: Int?) {
    search = history.search(forLast: wanted)
    self.goingOnIn = goingOnIn
  }

  /// Frees the lines until it has cost so much. True once all are free.
  mutating func release(_ spent: inout Int, work: Int) -> Bool {
    while let chunk = chunks.last {
      guard spent < work else { return false }
      spent &+= chunk.costOfFreeing
      chunk.deallocate()
      chunks.removeLast()
    }
    return true
  }

  func deallocate() {
    reader?.deallocate()
    for chunk in chunks { chunk.deallocate() }
  }

  var byteCount: Int {
    chunks.reduce(lines.capacity * MemoryLayout<SourceLine>.stride) {
      $0 + $1.count * MemoryLayout<Cell>.stride
    }
  }

  /// What was taken, for as long as this is not deallocated.
  mutating func result() -> (lines: [SourceLine], flowed: Int) {
    defer { lines = [] }
    return (lines, flowed ?? lines.count)
  }

  /// Takes lines until it has cost so much. True once all are taken.
  mutating func take(from core: inout Core, work: Int) -> Bool {
    if !isFound {
      isFound = core.history.go(on: &search, work: work, &core.spent)
      guard isFound else { return false }
      guard let start = search.start else { return true }
      begin(at: start, core)
    }
    guard let start = search.start, var reader = reader.take() else { return true }
    while core.spent < work {
      if reader.isBefore(last) {
        flowed = lines.count
        reader.isFlowing = false
      }
      guard let entry = reader.next() else {
        // No longer shares the pages.
        reader.deallocate()
        core.history.truncate(at: start)
        core.history.tookBack(lines.count)
        return true
      }
      core.spent &+= Cost.takenLine(entry.cells.count)
      keep(entry, of: reader, &core)
    }
    self.reader = reader
    return false
  }

  private mutating func begin(at start: History.Position, _ core: Core) {
    if let goingOnIn {
      var search = core.history.search(forLast: 1)
      var spent = 0
      _ = core.history.go(on: &search, work: .max, &spent)
      last = search.start.flatMap {
        core.history.line(at: $0)?.columns == goingOnIn ? $0 : nil
      }
    }
    lines.reserveCapacity(search.found + core.rows)
    reader = HistoryReader(core.history, from: start)
  }

  private mutating func keep(
    _ entry: HistoryReader.Entry, of reader: borrowing HistoryReader, _ core: inout Core
  ) {
    if reader.looks.table != table {
      table = reader.looks.table
      numbers = []
    }
    if numbers.count < reader.looks.entries.count {
      numbers += Array(repeating: nil, count: reader.looks.entries.count - numbers.count)
    }
    let cells = place(entry.cells.count)
    cells.copy(reader.cells, from: entry.cells.lowerBound, to: 0, count: cells.count)
    for index in 0..<cells.count where cells[index] & (Cell.attributesMask | Cell.clusterBit) != 0 {
      cells[index] = core.own(cells[index], reader, &numbers)
    }
    lines.append(SourceLine(cells, isWrapped: entry.isWrapped))
  }

  private mutating func place(_ count: Int) -> Block<Cell> {
    let room = chunks.last?.count ?? 0
    if room - filled < count || room == 0 {
      chunks.append(Block(count: max(count, min(max(room * 2, 2_048), Limit.takenCells))))
      filled = 0
    }
    defer { filled += count }
    return chunks[chunks.count - 1].slice(filled, count)
  }
}

extension Core {
  /// A cell of the scrollback, with a look and a cluster of the screen's own.
  fileprivate mutating func own(
    _ cell: Cell, _ reader: borrowing HistoryReader, _ numbers: inout [UInt32?]
  ) -> Cell {
    var content = cell & ~Cell.attributesMask
    if cell.isCluster {
      let index = clusters.make(copying: cell.code, of: reader.clusters)
      content =
        content & ~Cell.contentMask
        | (index.map { Cell.clusterBit | Cell($0) } ?? Cell(reader.clusters.codePoint(cell.code, 0)))
    }
    let look = Int(cell.attributes)
    guard look != 0, look < numbers.count else { return content }
    let number = numbers[look] ?? own(reader.looks[UInt32(look)], reader.looks)
    numbers[look] = number
    return content | Cell(number) << 32
  }

  private mutating func own(_ look: Attributes, _ looks: Looks) -> UInt32 {
    var look = look
    look.link = looks.link(look.link).flatMap { links.intern($0) } ?? 0
    return attributes.intern(look.forCell)
  }
}

// The scrollback: lines that left the screen, packed (PackedLine.swift). A line costs about as many bytes as its
// text, not eight per cell, because most sessions sit idle with a full scrollback. Lines stand one after another in
// pages; the oldest leave at the front.
//
// A line stays as it was packed when the screen's width changes. It flows into the present width when it is read
// (HistoryReader.swift): for a snapshot, for text, or because it comes back to the screen. What must be known at
// once is how many lines there are now, since that decides when the oldest goes; they are counted again in slices
// after a resize, before any more output is read, and mostly from what is known of whole pages.
//
// Pages are shared with snapshots under way: a page is only added to, or let go of.

/// A point in the life of a scrollback.
public struct ScrollbackMark: Equatable, Sendable {
  var generation = 0
  var lines = 0

  /// Since then only new lines came, and the oldest went.
  public func isOfSameLife(as later: ScrollbackMark) -> Bool { generation == later.generation }
}

struct History {
  /// Small, so that a page that is not full wastes little; a longer line gets a page of its own.
  static let pageSize = 4_096

  /// Where a line is.
  struct Position: Equatable {
    var page: Int
    var offset: Int
  }

  /// Most lines kept.
  let limit: Int
  let widths: WidthTable
  /// The screen's width, into which all lines flow.
  private(set) var columns: Int
  /// Lines at this width; not yet true while `isUncounted`.
  private(set) var lines = 0
  private(set) var pages: [HistoryPage] = []
  /// Pages before this one are gone.
  private(set) var first = 0
  /// Lines that have come since its birth, and how often other lines went than the oldest, or all flowed anew.
  private(set) var mark = ScrollbackMark()
  /// The oldest logical line when it has another width: how many lines it is now, 0 if nobody asked, and how many
  /// of them are gone.
  private var frontLines = 0
  private(set) var frontGone = 0
  /// The page whose lines are to be counted next, from the newest to the oldest.
  private var nextToCount: Int?
  /// Cells since text began to flow anew, 0: it does with the next line.
  private var flowing = 0
  private var spare: PageMemory?
  private var packer = LinePacker()
  private(set) var looks = PageLooks()

  init(limit: Int, columns: Int, widths: WidthTable) {
    self.limit = limit
    self.columns = columns
    self.widths = widths
  }

  func deallocate() { packer.deallocate() }

  /// The same lines for a reader, whatever becomes of this one.
  func frozen() -> History {
    var copy = self
    copy.packer = LinePacker()
    copy.spare = nil
    copy.looks = PageLooks()
    return copy
  }

  /// Whether each of its lines has come since then.
  func isYounger(than mark: ScrollbackMark) -> Bool {
    !isUncounted && self.mark.generation == mark.generation
      && lines <= self.mark.lines &- mark.lines
  }

  var isEmpty: Bool { first >= pages.count }
  var isUncounted: Bool { nextToCount != nil || lines > limit }

  var byteCount: Int {
    var sum = packer.byteCount + pages.capacity * MemoryLayout<HistoryPage>.stride
    sum += looks.byteCount + (spare == nil ? 0 : Self.pageSize)
    for page in pages[first...] {
      guard let memory = page.memory else { continue }
      sum += memory.bytes.count + memory.looks.capacity * MemoryLayout<Attributes>.stride
    }
    return sum
  }

  mutating func removeAll() {
    mark.generation &+= 1
    pages = []
    first = 0
    lines = 0
    frontLines = 0
    frontGone = 0
    nextToCount = nil
    flowing = 0
    looks = PageLooks()
    spare = nil
  }

  /// The screen's table of looks was numbered anew.
  mutating func lookNumbersChanged() { looks.numbersChanged() }

  // MARK: A line comes.

  /// Adds a line; the oldest goes when there are too many. True when one went.
  @discardableResult
  mutating func append(
    _ row: Row, clusters: borrowing ClusterStore, attributes: AttributeTable, links: HyperlinkTable
  ) -> Bool {
    guard limit > 0 else { return true }
    var flags: PackedLine.Flags = row.isWrapped ? .wrapped : []
    if !row.isWrapped || flowing == 0 || flowing &+ columns > Limit.flow {
      flags.insert(.start)
      flowing = 0
    }
    flowing &+= columns
    if !putFilled(row, flags, attributes, links), !putPlain(row.cells, row.store(), flags) {
      let used = row.store()
      let (length, packed, trimmed) = packer.pack(row.cells, used, flags, clusters)
      let page = place(length)
      if let memory = pages[page].memory {
        let at = pages[page].end
        packer.copy(length, to: memory.bytes, at: at) {
          looks.number(of: $0, in: memory, attributes, links)
        }
        PackedLine.writeHead(
          memory.bytes, at, length: length, used: used, trimmed: trimmed, columns: columns,
          flags: packed)
      }
      pages[page].took(length, used: used, columns: columns, wrapped: row.isWrapped)
    }
    mark.lines &+= 1
    guard nextToCount == nil else { return false }
    lines &+= 1
    guard lines > limit else { return false }
    removeFirst()
    return true
  }

  /// The common case: ASCII, default attributes. Written directly into the last page, if there is room.
  @inline(__always)
  private mutating func putPlain(_ cells: Block<Cell>, _ used: Int, _ flags: PackedLine.Flags)
    -> Bool
  {
    let length = PackedLine.headSize &+ used
    let last = pages.count &- 1
    guard last >= first, !pages[last].isSealed else { return false }
    let bytes = pages[last].bytes
    guard bytes.count &- pages[last].end >= length,
      bytes.putPlain(cells, used, pages[last].end &+ PackedLine.headSize)
    else { return false }
    PackedLine.writeHead(
      bytes, pages[last].end, length: length, used: used, trimmed: used, columns: columns,
      flags: flags.union(.plain))
    pages[last].took(length, used: used, columns: columns, wrapped: flags.contains(.wrapped))
    return true
  }

  /// A row of cells that are all alike and were never stored: as REP and DECALN leave them by the screenful.
  @inline(__always)
  private mutating func putFilled(
    _ row: Row, _ flags: PackedLine.Flags, _ attributes: AttributeTable, _ links: HyperlinkTable
  ) -> Bool {
    let cell = row.fill
    guard cell != Cell.blank, row.used == 0, cell.width == 1, !cell.isCluster else { return false }
    putFill(cell, flags, attributes, links)
    return true
  }

  private mutating func putFill(
    _ cell: Cell, _ flags: PackedLine.Flags, _ attributes: AttributeTable, _ links: HyperlinkTable
  ) {
    let size = encodeUTF8(cell.code) { _, _ in }
    let length = PackedLine.headSize + 4 + columns * size
    let page = place(length)
    if let memory = pages[page].memory {
      let at = pages[page].end
      PackedLine.writeHead(
        memory.bytes, at, length: length, used: columns, trimmed: cell.hasContent ? columns : 0,
        columns: columns, flags: flags)
      let number = looks.number(of: cell.attributes, in: memory, attributes, links)
      let text = at + PackedLine.headSize
      memory.bytes.store32(text, UInt32(columns * size) << 16 | number)
      if size == 1 {
        memory.bytes.fill(text + 4, columns, UInt8(truncatingIfNeeded: cell.code))
      } else {
        for column in 0..<columns {
          _ = encodeUTF8(cell.code) { memory.bytes[text + 4 + column * size + $0] = $1 }
        }
      }
    }
    pages[page].took(length, used: columns, columns: columns, wrapped: flags.contains(.wrapped))
  }

  /// A page with room for so many bytes; they will be there, so no page is ever without a line.
  private mutating func place(_ length: Int) -> Int {
    let last = pages.count - 1
    if last >= first, !pages[last].isSealed, let memory = pages[last].memory,
      memory.bytes.count - pages[last].end >= length
    {
      return last
    }
    if first > 16 && first * 2 > pages.count {
      pages.removeFirst(first)
      first = 0
    }
    looks.numbersChanged()
    if length <= Self.pageSize, let reused = spare {
      spare = nil
      pages.append(HistoryPage(reused))
    } else {
      pages.append(HistoryPage(PageMemory(capacity: max(Self.pageSize, length))))
    }
    return pages.count - 1
  }

  // MARK: Lines go.

  /// The oldest line goes.
  private mutating func removeFirst() {
    guard let start, let line = line(at: start) else { return removeAll() }
    lines &-= 1
    if frontLines == 0 {
      if line.columns == columns { return drop(line) }
      let (count, next, _) = measure(from: start)
      if count == 1 { return drop(until: next) }
      frontLines = count
    }
    frontGone += 1
    guard frontGone >= frontLines else { return }
    drop(until: measure(from: start).next)
  }

  @inline(__always) private mutating func drop(_ line: PackedLine) {
    pages[first].drop(line)
    if pages[first].lines <= 0 { releaseFirst() }
  }

  private mutating func drop(until end: Position?) {
    frontLines = 0
    frontGone = 0
    while let start, start != end, start.page <= end?.page ?? .max, let line = line(at: start) {
      drop(line)
    }
  }

  private mutating func releaseFirst() {
    looks.forget(pages[first].memory)
    let memory = pages[first].release()
    if spare == nil, let memory, memory.bytes.count == Self.pageSize {
      memory.forgetLooks()
      spare = memory
    }
    first += 1
  }

  /// The newest lines go, from a position on, which begins a logical line.
  mutating func truncate(at position: Position) {
    guard position.page < pages.count else { return }
    mark.generation &+= 1
    for index in position.page..<pages.count where index > position.page {
      looks.forget(pages[index].memory)
    }
    pages.removeLast(pages.count - position.page - 1)
    var kept = 0
    var offset = pages[position.page].start
    while offset < position.offset,
      let line = line(at: Position(page: position.page, offset: offset))
    {
      offset += line.length
      kept += 1
    }
    flowing = 0
    // What the last page gave numbers to is not what the page before it gives them to.
    looks.numbersChanged()
    if kept == 0 {
      looks.forget(pages[position.page].memory)
      pages.removeLast()
      if isEmpty { removeAll() }
    } else {
      pages[position.page].truncate(at: position.offset, lines: kept)
    }
  }

  // MARK: Another width.

  /// From now on lines flow into another width. They are to be counted, once all are there.
  mutating func setColumns(_ columns: Int) {
    mark.generation &+= 1
    // As much of the oldest logical line goes as is gone at this width.
    if frontGone > 0, let start, let line = line(at: start) {
      var rest = frontGone * self.columns / max(1, line.columns)
      let end = measure(from: start).next
      frontLines = 0
      frontGone = 0
      while rest > 0, let start = self.start, start != end, let line = self.line(at: start) {
        drop(line)
        rest -= 1
      }
    }
    frontLines = 0
    frontGone = 0
    flowing = 0
    self.columns = columns
    // None is counted before all are there.
    nextToCount = first
  }

  /// Lines that the whole takes fewer or more of, without a count.
  mutating func tookBack(_ count: Int) { if nextToCount == nil { lines = max(0, lines - count) } }

  mutating func startCounting() {
    lines = 0
    nextToCount = isEmpty ? nil : pages.count - 1
  }

  /// Counts on until it has cost so much. The oldest beyond the limit go.
  mutating func countLines(work: Int, _ spent: inout Int) {
    while let index = nextToCount, spent < work {
      guard index >= first else {
        nextToCount = nil
        break
      }
      let (count, begin, cost) = linesBeginning(in: index)
      lines += count
      spent &+= cost
      if lines >= limit && index > first {
        // What is older is gone.
        drop(until: begin)
        nextToCount = nil
      } else {
        nextToCount = index - 1
      }
    }
    guard nextToCount == nil else { return }
    while lines > limit && spent < work {
      removeFirst()
      spent &+= Cost.measuredLine
    }
  }

  // MARK: Finding lines.

  /// The oldest line.
  var start: Position? {
    isEmpty ? nil : Position(page: first, offset: pages[first].start)
  }

  @inline(__always) func line(at position: Position) -> PackedLine? {
    guard position.page >= first, position.page < pages.count,
      position.offset < pages[position.page].end
    else { return nil }
    return PackedLine(bytes: pages[position.page].bytes, at: position.offset)
  }

  @inline(__always) func next(_ position: Position) -> Position? {
    guard let line = line(at: position) else { return nil }
    let offset = position.offset + line.length
    if offset < pages[position.page].end { return Position(page: position.page, offset: offset) }
    guard position.page + 1 < pages.count else { return nil }
    return Position(page: position.page + 1, offset: pages[position.page + 1].start)
  }

  /// Text flows anew from this line on.
  @inline(__always) func isStart(_ position: Position?) -> Bool {
    guard let position, let line = line(at: position) else { return false }
    return line.flags.contains(.start)
  }
}

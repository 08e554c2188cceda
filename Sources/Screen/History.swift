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

/// The memory of a page, with the looks and links of its lines.
final class PageMemory {
  let bytes: Block<UInt8>
  /// Number 0 is the default look. A look's link is a number of `links`, from 1.
  @exclusivity(unchecked) fileprivate(set) var looks = [Attributes()]
  @exclusivity(unchecked) fileprivate(set) var links: [Link] = []
  fileprivate var linkBytes = 0

  init(capacity: Int) { bytes = Block(count: capacity) }

  deinit { bytes.deallocate() }
}

struct History {
  /// Small, so that a page that is not full wastes little; a longer line gets a page of its own.
  static let pageSize = 4_096
  /// What it costs to measure a line, and a cell where some are wide, in the units of ``Screen/workPerCall``.
  private static let costOfLine = 24
  private static let costOfCell = 4
  /// Looks of a page: a run's number of them has 16 bits.
  private static let mostLooks = 65_536

  struct Page {
    /// Nil once all of its lines are gone.
    fileprivate(set) var memory: PageMemory?
    /// Those of the memory, without a reference to count; none once it is gone.
    fileprivate(set) var bytes: Block<UInt8>
    fileprivate(set) var start = 0
    fileprivate(set) var end = 0
    fileprivate(set) var lines = 0
    /// Used cells of the longest line, at least.
    fileprivate var longest = 0
    /// The width of all lines; 0 if they are of different ones.
    fileprivate var columns = 0
    fileprivate var hasWrapped = false
    /// Somebody reads on behind its end: nothing may be added.
    fileprivate var isSealed = false

    fileprivate init(_ memory: PageMemory) {
      self.memory = memory
      bytes = memory.bytes
    }

    /// Lets go of its memory.
    fileprivate mutating func release() {
      memory = nil
      bytes = bytes.slice(0, 0)
    }

    @inline(__always)
    fileprivate mutating func took(_ length: Int, used: Int, columns: Int, wrapped: Bool) {
      end &+= length
      if used > longest { longest = used }
      if lines == 0 { self.columns = columns } else if self.columns != columns { self.columns = 0 }
      if wrapped { hasWrapped = true }
      lines &+= 1
    }
  }

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
  private(set) var pages: [Page] = []
  /// Pages before this one are gone.
  private(set) var first = 0
  /// The oldest logical line when it has another width: how many lines it is now, 0 if nobody asked, and how many
  /// of them are gone.
  private var frontLines = 0
  private(set) var frontGone = 0
  /// The page whose lines are to be counted next, from the newest to the oldest.
  private var nextToCount: Int?
  /// Cells since text began to flow anew, 0: it does with the next line.
  private var flowing = 0
  private var spare: PageMemory?
  /// Where a line is packed before its length is known, and its runs: where they are, and of which look.
  private var scratch = Block<UInt8>(count: 1)
  private var runs: [(at: Int, look: UInt32)] = []
  /// Numbers that the last page has given to looks of the screen's table, with `stamp`; others are old.
  private var numbers: [(stamp: UInt32, look: UInt32)] = []
  private var stamp: UInt32 = 1
  private var linkBytes = 0

  init(limit: Int, columns: Int, widths: WidthTable) {
    self.limit = limit
    self.columns = columns
    self.widths = widths
  }

  func deallocate() { scratch.deallocate() }

  /// The same lines for a reader, whatever becomes of this one.
  func frozen() -> History {
    var copy = self
    copy.scratch = Block(count: 1)
    copy.spare = nil
    copy.numbers = []
    copy.runs = []
    return copy
  }

  var isEmpty: Bool { first >= pages.count }
  var isUncounted: Bool { nextToCount != nil || lines > limit }

  var byteCount: Int {
    var sum = scratch.count + pages.capacity * MemoryLayout<Page>.stride + linkBytes
    sum += numbers.capacity * 8 + (spare == nil ? 0 : Self.pageSize)
    for page in pages[first...] {
      guard let memory = page.memory else { continue }
      sum += memory.bytes.count + memory.looks.capacity * MemoryLayout<Attributes>.stride
    }
    return sum
  }

  mutating func removeAll() {
    pages = []
    first = 0
    lines = 0
    frontLines = 0
    frontGone = 0
    nextToCount = nil
    flowing = 0
    linkBytes = 0
    spare = nil
    lookNumbersChanged()
  }

  /// The screen's table of looks was numbered anew.
  mutating func lookNumbersChanged() { stamp &+= 1 }

  // MARK: A line comes.

  /// Adds a line; the oldest goes when there are too many. True when one went.
  @discardableResult
  mutating func append(
    _ row: Row, clusters: borrowing ClusterStore, attributes: AttributeTable, links: LinkTable
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
      let (length, packed, trimmed) = pack(row.cells, used, flags, clusters)
      let page = place(length)
      if let memory = pages[page].memory {
        let at = pages[page].end
        memory.bytes.copy(scratch, from: 0, to: at, count: length)
        PackedLine.writeHead(
          memory.bytes, at, length: length, used: used, trimmed: trimmed, columns: columns,
          flags: packed)
        for run in runs {
          let number = number(of: run.look, in: memory, attributes, links)
          let place = at + run.at
          memory.bytes.store32(place, memory.bytes.load32(place) & 0xFFFF_0000 | number)
        }
      }
      pages[page].took(length, used: used, columns: columns, wrapped: row.isWrapped)
    }
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
    _ row: Row, _ flags: PackedLine.Flags, _ attributes: AttributeTable, _ links: LinkTable
  ) -> Bool {
    let cell = row.fill
    guard cell != Cell.blank, row.used == 0, cell.width == 1, !cell.isCluster else { return false }
    putFill(cell, flags, attributes, links)
    return true
  }

  private mutating func putFill(
    _ cell: Cell, _ flags: PackedLine.Flags, _ attributes: AttributeTable, _ links: LinkTable
  ) {
    let size = encodeUTF8(cell.code) { _, _ in }
    let length = PackedLine.headSize + 4 + columns * size
    let page = place(length)
    if let memory = pages[page].memory {
      let at = pages[page].end
      PackedLine.writeHead(
        memory.bytes, at, length: length, used: columns, trimmed: cell.hasContent ? columns : 0,
        columns: columns, flags: flags)
      let number = number(of: cell.attributes, in: memory, attributes, links)
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
    stamp &+= 1
    if length <= Self.pageSize, let reused = spare {
      spare = nil
      pages.append(Page(reused))
    } else {
      pages.append(Page(PageMemory(capacity: max(Self.pageSize, length))))
    }
    return pages.count - 1
  }

  /// Packs a line of any kind into `scratch`, as runs, without its head.
  private mutating func pack(
    _ cells: Block<Cell>, _ used: Int, _ flags: PackedLine.Flags, _ clusters: borrowing ClusterStore
  ) -> (length: Int, flags: PackedLine.Flags, trimmed: Int) {
    var flags = flags
    runs.removeAll(keepingCapacity: true)
    // A run's head of four bytes and four of UTF-8 for each cell; clusters ask for more.
    reserve(PackedLine.headSize + used * 8 + 8)
    var length = PackedLine.headSize
    var column = 0
    while column < used {
      let start = length
      let look = cells[column].attributeBits
      runs.append((start, cells[column].attributes))
      length &+= 4
      while column < used, cells[column].attributeBits == look,
        length &- start < PackedLine.longestRun
      {
        if cells[column].isCluster {
          putCluster(cells[column], &length, clusters, left: used - column)
          if cells[column].width != 1 { flags.insert(.uneven) }
          column &+= 1
        } else {
          let end = min(used, column &+ PackedLine.longestRun / 8)
          let put = scratch.putCells(cells, column, end, length)
          length = put.at
          column = put.column
          if put.isUneven { flags.insert(.uneven) }
        }
      }
      scratch.store32(start, UInt32(truncatingIfNeeded: length &- start &- 4) << 16)
    }
    var trimmed = used
    while trimmed > 0 && !cells[trimmed - 1].hasContent && !cells[trimmed - 1].isRightHalf {
      trimmed -= 1
    }
    return (length, flags, trimmed)
  }

  private mutating func reserve(_ count: Int) {
    guard count > scratch.count else { return }
    let larger = scratch.copied(scratch.count, capacity: count)
    scratch.deallocate()
    scratch = larger
  }

  private mutating func putCluster(
    _ cell: Cell, _ length: inout Int, _ clusters: borrowing ClusterStore, left: Int
  ) {
    let count = clusters.length(cell.code)
    reserve(length + count * 4 + 8 + left * 8)
    scratch[length] = PackedLine.clusterStart
    length &+= 1
    for position in 0..<count {
      length &+= scratch.putUTF8(clusters.codePoint(cell.code, position), length)
    }
    scratch[length] = PackedLine.clusterEnd
    length &+= 1
  }

  /// The page's number of one of the screen's looks.
  private mutating func number(
    of look: UInt32, in memory: PageMemory, _ attributes: AttributeTable, _ links: LinkTable
  ) -> UInt32 {
    guard look != 0 else { return 0 }
    let index = Int(look)
    if index < numbers.count, numbers[index].stamp == stamp { return numbers[index].look }
    guard memory.looks.count < Self.mostLooks else { return 0 }
    var copy = attributes[look]
    copy.link = number(of: links[copy.link], in: memory)
    memory.looks.append(copy.forCell)
    let number = UInt32(memory.looks.count - 1)
    if index >= numbers.count {
      numbers += Array(repeating: (stamp: 0, look: 0), count: max(64, index + 1 - numbers.count))
    }
    numbers[index] = (stamp, number)
    return number
  }

  /// Links are kept with the text, and as many bytes of them as the screen may have.
  private mutating func number(of link: Link?, in memory: PageMemory) -> UInt32 {
    guard let link else { return 0 }
    if let index = memory.links.indices.reversed().prefix(8).first(where: {
      memory.links[$0] == link
    }) {
      return UInt32(index + 1)
    }
    let size = link.address.count + link.id.count + MemoryLayout<Link>.stride
    guard linkBytes + size <= Limit.linkBytes else { return 0 }
    linkBytes += size
    memory.linkBytes += size
    memory.links.append(link)
    return UInt32(memory.links.count)
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
    pages[first].start &+= line.length
    pages[first].lines &-= 1
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
    linkBytes -= pages[first].memory?.linkBytes ?? 0
    if spare == nil, pages[first].memory?.bytes.count == Self.pageSize,
      isKnownUniquelyReferenced(&pages[first].memory)
    {
      spare = pages[first].memory
      spare?.looks = [Attributes()]
      spare?.links = []
      spare?.linkBytes = 0
    }
    pages[first].release()
    first += 1
  }

  /// The newest lines go, from a position on, which begins a logical line.
  mutating func truncate(at position: Position) {
    guard position.page < pages.count else { return }
    for index in position.page..<pages.count where index > position.page {
      linkBytes -= pages[index].memory?.linkBytes ?? 0
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
    stamp &+= 1
    if kept == 0 {
      linkBytes -= pages[position.page].memory?.linkBytes ?? 0
      pages.removeLast()
      if isEmpty { removeAll() }
    } else {
      pages[position.page].end = position.offset
      pages[position.page].lines = kept
      // A snapshot under way may read what lies behind the end; and looks that the page has for lines that are gone
      // would be there once more after each resize.
      pages[position.page].isSealed = true
    }
  }

  // MARK: Another width.

  /// From now on lines flow into another width. They are to be counted, once all are there.
  mutating func setColumns(_ columns: Int) {
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
      spent &+= Self.costOfLine
    }
  }

  /// Lines of the logical lines that begin in a page, and where the first of them does.
  private func linesBeginning(in index: Int) -> (count: Int, begin: Position?, cost: Int) {
    let page = pages[index]
    var position: Position? = Position(page: index, offset: page.start)
    let isWhole = index == first || isStart(position)
    let next = Position(
      page: index + 1, offset: index + 1 < pages.count ? pages[index + 1].start : 0)
    if isWhole, index + 1 >= pages.count || isStart(next),
      page.columns == columns || (!page.hasWrapped && page.longest <= columns)
    {
      return (page.lines, position, 8)
    }
    if !isWhole {
      while let here = position, here.page == index, !isStart(here) { position = self.next(here) }
    }
    let begin = position
    var count = 0
    var cost = 8
    while let here = position, here.page == index {
      let measured = measure(from: here)
      count += measured.lines
      cost &+= measured.cost
      position = measured.next
    }
    return (count, begin, cost)
  }

  /// Lines that the logical line from a position on takes now, and where the next one begins.
  func measure(from start: Position) -> (lines: Int, next: Position?, cost: Int) {
    guard let line = line(at: start) else { return (0, nil, 1) }
    let width = line.columns
    var count = 0
    var isUneven = false
    var content = 0
    var last = 0
    var position: Position? = start
    while let here = position, here == start || !isStart(here), let line = self.line(at: here) {
      if line.flags.contains(.uneven) { isUneven = true }
      last = line.trimmed
      if last > 0 { content = count * width + last }
      count += 1
      position = next(here)
    }
    let cost = count * Self.costOfLine
    if width == columns { return (count, position, cost) }
    if count == 1 && (columns > width || last <= columns) { return (1, position, cost) }
    if isUneven {
      var reader = HistoryReader(self, from: start)
      defer { reader.deallocate() }
      return (reader.linesOfNext(), position, cost + count * width * Self.costOfCell + 200)
    }
    let cells = columns > width ? content : (count - 1) * width + last
    return (max(1, (cells + columns - 1) / columns), position, cost)
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
  @inline(__always) private func isStart(_ position: Position?) -> Bool {
    guard let position, let line = line(at: position) else { return false }
    return line.flags.contains(.start)
  }

  /// A search, page by page, for where the logical lines begin that make up the newest lines, so many at least.
  struct Search {
    let wanted: Int
    fileprivate var page: Int
    /// The oldest one found, and how many lines there are from it on.
    fileprivate(set) var start: Position?
    fileprivate(set) var found = 0
  }

  func search(forLast wanted: Int) -> Search { Search(wanted: wanted, page: pages.count - 1) }

  /// Looks on until it has cost so much. True once it is done.
  func go(on search: inout Search, work: Int, _ spent: inout Int) -> Bool {
    var begins: [(position: Position, lines: Int)] = []
    while search.page >= first, search.found < search.wanted, spent < work {
      begins.removeAll(keepingCapacity: true)
      var position: Position? = Position(page: search.page, offset: pages[search.page].start)
      spent &+= 8
      if search.page > first {
        while let here = position, here.page == search.page, !isStart(here) {
          position = next(here)
          spent &+= Self.costOfLine
        }
      }
      while let here = position, here.page == search.page {
        let measured = measure(from: here)
        spent &+= measured.cost
        let gone = here == self.start ? frontGone : 0
        begins.append((here, max(0, measured.lines - gone)))
        position = measured.next
      }
      for begin in begins.reversed() where search.found < search.wanted {
        search.found += begin.lines
        search.start = begin.position
      }
      search.page -= 1
    }
    return search.page < first || search.found >= search.wanted
  }

  // MARK: For tests and fuzzers.

  /// What is wrong with the pages and the lines in them; nil: nothing.
  func fault() -> String? {
    var sum = 0
    var links = 0
    for index in first..<max(first, pages.count) {
      let page = pages[index]
      guard let memory = page.memory else { return "page \(index - first) has no memory" }
      guard page.lines > 0 else { return "page \(index - first) is empty" }
      guard page.end <= memory.bytes.count else { return "page \(index - first) is overfull" }
      links += memory.linkBytes
      var offset = page.start
      for _ in 0..<page.lines {
        let line = PackedLine(bytes: memory.bytes, at: offset)
        guard page.end - offset >= PackedLine.headSize, line.length <= page.end - offset else {
          return "a line is \(line.length) bytes long where \(page.end - offset) are left"
        }
        guard line.used <= line.columns, line.trimmed <= line.used, line.columns > 0 else {
          return "a line has \(line.used) cells of \(line.columns)"
        }
        offset += line.length
      }
      guard offset == page.end else { return "a page ends in \(page.end - offset) stray bytes" }
      if !isUncounted { sum += linesBeginning(in: index).count }
    }
    guard links == linkBytes else {
      return "\(linkBytes) bytes of links were counted, not \(links)"
    }
    guard pages[..<first].allSatisfy({ $0.memory == nil }) else { return "a page is gone and held" }
    guard isUncounted || sum - frontGone == lines else {
      return "there are \(sum) lines, \(frontGone) of them gone, and \(lines) were counted"
    }
    return nil
  }
}

// What is to be known of the scrollback's lines where they lie: how many a logical line takes at the present width, and
// where the newest ones begin. Nothing here changes them.

extension History {
  /// Lines of the logical lines that begin in a page, and where the first of them does.
  func linesBeginning(in index: Int) -> (count: Int, begin: Position?, cost: Int) {
    let page = pages[index]
    var position: Position? = Position(page: index, offset: page.start)
    let isWhole = index == first || isStart(position)
    let next = Position(
      page: index + 1, offset: index + 1 < pages.count ? pages[index + 1].start : 0)
    if isWhole, index + 1 >= pages.count || isStart(next),
      page.columns == columns || (!page.hasWrapped && page.longest <= columns)
    {
      return (page.lines, position, Cost.page)
    }
    if !isWhole {
      while let here = position, here.page == index, !isStart(here) { position = self.next(here) }
    }
    let begin = position
    var count = 0
    var cost = Cost.page
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
    let cost = count * Cost.measuredLine
    if width == columns { return (count, position, cost) }
    if count == 1 && (columns > width || last <= columns) { return (1, position, cost) }
    if isUneven {
      var reader = HistoryReader(self, from: start)
      defer { reader.deallocate() }
      let reading = count * width * Cost.measuredCell + Cost.measuredText
      return (reader.linesOfNext(), position, cost + reading)
    }
    let cells = columns > width ? content : (count - 1) * width + last
    return (max(1, (cells + columns - 1) / columns), position, cost)
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
      spent &+= Cost.page
      if search.page > first {
        while let here = position, here.page == search.page, !isStart(here) {
          position = next(here)
          spent &+= Cost.measuredLine
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
    guard links == looks.linkBytes else {
      return "\(looks.linkBytes) bytes of links were counted, not \(links)"
    }
    guard pages[..<first].allSatisfy({ $0.memory == nil }) else { return "a page is gone and held" }
    guard isUncounted || sum - frontGone == lines else {
      return "there are \(sum) lines, \(frontGone) of them gone, and \(lines) were counted"
    }
    return nil
  }
}

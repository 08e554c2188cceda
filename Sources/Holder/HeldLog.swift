// The output of a session, by offsets, with the terminal's changes of size at their places. Pages are taken as
// they are needed; once the limit is reached, the oldest goes, but nothing that the checkpoint does not show.

struct HeldLog {
  /// The oldest offset that can be read.
  private(set) var start: UInt64 = 0
  private(set) var end: UInt64 = 0
  /// What comes from here on is not given up: the last checkpoint does not show it.
  private(set) var needed: UInt64 = 0
  /// The changes of size, the oldest first; at the first one's offset or before `start`, the size at `start`.
  private(set) var sizes: [HeldSize]
  /// The number of `sizes[0]`.
  private var firstSize = 0
  private let limit: UInt64
  /// A ring; its first page begins at `base`, a multiple of the page's length.
  private var pages: [[UInt8]] = []
  private var first = 0
  private var count = 0
  private var base: UInt64 = 0

  private static let page = HolderLimits.logPage

  init(limit: Int, columns: UInt16, rows: UInt16) {
    let bounded = min(max(limit, Self.page), HolderLimits.logMost)
    self.limit = UInt64((bounded + Self.page - 1) / Self.page * Self.page)
    sizes = [HeldSize(offset: 0, columns: columns, rows: rows)]
  }

  var size: HeldSize { sizes[sizes.count - 1] }

  /// How many bytes may come before the process has to wait: nothing that is needed is overwritten.
  var room: Int { Int(truncatingIfNeeded: limit - min(limit, end - needed)) }

  /// - Parameter bytes: not more than there is ``room`` for; what is more is left out.
  mutating func append(_ bytes: ArraySlice<UInt8>) {
    var rest = bytes.prefix(room)
    while !rest.isEmpty {
      let inPage = Int(end % UInt64(Self.page))
      if inPage == 0 { addPage() }
      let piece = rest.prefix(Self.page - inPage)
      pages[(first + count - 1) % pages.count].replaceSubrange(
        inPage..<inPage + piece.count, with: piece)
      end += UInt64(piece.count)
      rest = rest[piece.endIndex...]
    }
  }

  private mutating func addPage() {
    while count > 0, end - base >= limit, base + UInt64(Self.page) <= needed { dropPage() }
    if count == pages.count { grow() }
    let next = (first + count) % pages.count
    if pages[next].isEmpty { pages[next] = [UInt8](repeating: 0, count: Self.page) }
    count += 1
  }

  /// The ring gets twice as many places; pages are not copied.
  private mutating func grow() {
    var larger: [[UInt8]] = []
    larger.reserveCapacity(max(1, pages.count * 2))
    for index in 0..<count {
      let at = (first + index) % pages.count
      larger.append(pages[at])
      pages[at] = []
    }
    while larger.count < max(1, count * 2) { larger.append([]) }
    pages = larger
    first = 0
  }

  private mutating func dropPage() {
    first = (first + 1) % pages.count
    count -= 1
    base += UInt64(Self.page)
    start = max(start, base)
    dropSizes()
  }

  private mutating func dropSizes() {
    var old = 0
    while old + 1 < sizes.count, sizes[old + 1].offset <= start { old += 1 }
    guard old > 0 else { return }
    sizes.removeFirst(old)
    firstSize += old
  }

  /// Appends up to `most` bytes from `offset` on, and returns how many.
  func read(at offset: UInt64, most: Int, into bytes: inout [UInt8]) -> Int {
    guard offset >= start, offset < end, most > 0 else { return 0 }
    var left = min(most, Int(truncatingIfNeeded: min(end - offset, UInt64(Int32.max))))
    let total = left
    var position = Int(truncatingIfNeeded: offset - base)
    while left > 0 {
      let inPage = position % Self.page
      let piece = min(left, Self.page - inPage)
      bytes.append(
        contentsOf: pages[(first + position / Self.page) % pages.count][inPage..<inPage + piece])
      position += piece
      left -= piece
    }
    return total
  }

  // MARK: Sizes

  /// From the end on the terminal has this size.
  mutating func resize(columns: UInt16, rows: UInt16) {
    sizes.append(HeldSize(offset: end, columns: columns, rows: rows))
    guard sizes.count > HolderLimits.sizes else { return }
    if sizes[1].offset <= needed {
      // What lies before a change that is forgotten cannot be shown at its size.
      start = max(start, sizes[1].offset)
      sizes.removeFirst()
    } else {
      // What is needed stays: what lies between the second change and the third is shown at the first one's size.
      sizes.remove(at: 1)
    }
    firstSize += 1
  }

  /// The number of the change that comes next; they are numbered from 0.
  var nextSize: Int { firstSize + sizes.count }

  /// The number of the oldest change that is kept.
  var firstSizeKept: Int { firstSize }

  func size(_ number: Int) -> HeldSize? {
    sizes.indices.contains(number - firstSize) ? sizes[number - firstSize] : nil
  }

  /// Number of the change that holds at an offset: the last one that is not after it.
  func sizeNumber(at offset: UInt64) -> Int {
    firstSize + max(0, (sizes.lastIndex { $0.offset <= offset } ?? 0))
  }

  /// A checkpoint shows all before this offset.
  mutating func need(from offset: UInt64) { needed = min(max(needed, offset), end) }
}

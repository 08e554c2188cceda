// The scrollback: lines that left the screen, packed. A line costs about as many bytes as its text,
// not eight per cell, because most sessions sit idle with a full scrollback. Lines stand one after
// another in pages; the oldest leave at the front. A line is
//
//     length: u32 · used cells: u16 · flags: u8 · payload
//
// and the payload is either text alone (every cell has default attributes) or runs of
// `attributes: u32 · bytes: u32 · text`. Text is UTF-8 with 0x00 for a blank cell, and 0x01 … 0x02
// around a cluster's code points. The right half of a wide character is implied by its left half.

struct History {
  static let headerSize = 7
  static let wrappedFlag: UInt8 = 1
  static let plainFlag: UInt8 = 2
  static let clusterStart: UInt8 = 1
  static let clusterEnd: UInt8 = 2
  /// Small, so that a page that is not full wastes little; a longer line gets a page of its own.
  private static let pageSize = 4_096

  private struct Page {
    var bytes: UnsafeMutablePointer<UInt8>
    var capacity: Int
    var start = 0
    var end = 0
    var lines = 0
  }

  /// Most lines kept.
  let limit: Int
  /// Lines now held.
  private(set) var count = 0
  private var pages: [Page] = []
  /// Pages before this one are gone.
  private var first = 0
  private var spare: UnsafeMutablePointer<UInt8>?
  /// Where a line is packed before its length is known.
  private var scratch: UnsafeMutablePointer<UInt8>
  private var scratchCapacity: Int

  init(limit: Int) {
    self.limit = limit
    scratchCapacity = 0
    scratch = .allocate(capacity: 1)
  }

  func deallocate() {
    for page in pages[first...] { page.bytes.deallocate() }
    spare?.deallocate()
    scratch.deallocate()
  }

  var byteCount: Int {
    pages[first...].reduce(0) { $0 + $1.capacity } + scratchCapacity
      + (spare == nil ? 0 : Self.pageSize) + pages.capacity * MemoryLayout<Page>.stride
  }

  mutating func removeAll() {
    for page in pages[first...] { page.bytes.deallocate() }
    pages = []
    first = 0
    count = 0
    spare?.deallocate()
    spare = nil
  }

  /// Adds a line; the oldest goes when there are too many. True when one went.
  @discardableResult
  mutating func append(
    _ cells: UnsafePointer<Cell>, used: Int, isWrapped: Bool, clusters: borrowing ClusterStore,
    widths: WidthTable
  ) -> Bool {
    guard limit > 0 else { return true }
    var used = used
    while used > 0 && cells[used &- 1] == Cell.blank { used &-= 1 }
    let flags: UInt8 = isWrapped ? Self.wrappedFlag : 0
    let length: Int
    let target: UnsafeMutablePointer<UInt8>
    if packPlainInPlace(cells, used, flags) {
      // Done: ordinary text with default attributes went straight into the page.
    } else {
      length = pack(cells, used, flags, clusters)
      target = place(length)
      target.update(from: scratch, count: length)
    }
    count &+= 1
    guard count > limit else { return false }
    removeFirst()
    return true
  }

  /// The common case: ASCII, default attributes. Written directly, undone if a cell differs.
  @inline(__always)
  private mutating func packPlainInPlace(
    _ cells: UnsafePointer<Cell>, _ used: Int, _ flags: UInt8
  ) -> Bool {
    let length = Self.headerSize &+ used
    let last = pages.count &- 1
    guard last >= first, pages[last].capacity &- pages[last].end >= length else {
      // Looked at first: a page that stays empty would be taken for one that begins with a line.
      guard length <= Self.pageSize, isASCII(cells, used) else { return false }
      addPage(Self.pageSize)
      return packPlainInPlace(cells, used, flags)
    }
    let target = pages[last].bytes + pages[last].end
    let text = target + Self.headerSize
    var column = 0
    var strange: Cell = 0
    while column &+ 8 <= used {
      let eight = UnsafeRawPointer(cells + column).loadUnaligned(as: SIMD8<UInt64>.self)
      let difference = (eight ^ SIMD8(repeating: Cell.narrow)) & ~SIMD8(repeating: 0x7F)
      guard difference == SIMD8(repeating: 0) else { return false }
      let narrow = SIMD8<UInt8>(truncatingIfNeeded: eight)
      UnsafeMutableRawPointer(text + column).storeBytes(of: narrow, as: SIMD8<UInt8>.self)
      column &+= 8
    }
    while column < used {
      strange |= (cells[column] ^ Cell.narrow) & ~0x7F
      text[column] = UInt8(truncatingIfNeeded: cells[column])
      column &+= 1
    }
    guard strange == 0 else { return false }
    Self.writeHeader(target, length: length, used: used, flags: flags | Self.plainFlag)
    pages[last].end &+= length
    pages[last].lines &+= 1
    return true
  }

  @inline(__always)
  private static func writeHeader(
    _ target: UnsafeMutablePointer<UInt8>, length: Int, used: Int, flags: UInt8
  ) {
    let raw = UnsafeMutableRawPointer(target)
    raw.storeBytes(of: UInt32(truncatingIfNeeded: length), as: UInt32.self)
    raw.storeBytes(of: UInt16(truncatingIfNeeded: used), toByteOffset: 4, as: UInt16.self)
    target[6] = flags
  }

  private mutating func addPage(_ capacity: Int) {
    if first > 16 && first * 2 > pages.count {
      pages.removeFirst(first)
      first = 0
    }
    if capacity == Self.pageSize, let reused = spare {
      spare = nil
      pages.append(Page(bytes: reused, capacity: capacity))
    } else {
      pages.append(Page(bytes: .allocate(capacity: capacity), capacity: capacity))
    }
  }

  private mutating func place(_ length: Int) -> UnsafeMutablePointer<UInt8> {
    let last = pages.count - 1
    if last < first || pages[last].capacity - pages[last].end < length {
      addPage(max(Self.pageSize, length))
    }
    let page = pages.count - 1
    let target = pages[page].bytes + pages[page].end
    pages[page].end += length
    pages[page].lines += 1
    return target
  }

  private mutating func removeFirst() {
    let bytes = pages[first].bytes + pages[first].start
    pages[first].start &+= Int(UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self))
    pages[first].lines &-= 1
    count &-= 1
    guard pages[first].lines == 0 else { return }
    if spare == nil && pages[first].capacity == Self.pageSize {
      spare = pages[first].bytes
    } else {
      pages[first].bytes.deallocate()
    }
    first += 1
  }

  /// Packs a line of any kind into `scratch`; returns its length.
  private mutating func pack(
    _ cells: UnsafePointer<Cell>, _ used: Int, _ flags: UInt8, _ clusters: borrowing ClusterStore
  ) -> Int {
    let perCell = 14  // A run header of eight bytes, four of UTF-8, and two around a cluster.
    var worst = Self.headerSize + used * perCell
    for column in 0..<used where cells[column].isCluster {
      worst += clusters.length(cells[column].code) * 4
    }
    if worst > scratchCapacity {
      scratch.deallocate()
      scratchCapacity = worst
      scratch = .allocate(capacity: worst)
    }
    let base = scratch
    var length = Self.headerSize
    var column = 0
    var runStart = 0
    let plain = isPlain(cells, used)
    while column < used {
      let attributes = cells[column].attributeBits
      if !plain {
        runStart = length
        UnsafeMutableRawPointer(base + length)
          .storeBytes(of: cells[column].attributes, as: UInt32.self)
        length &+= 8
      }
      while column < used && cells[column].attributeBits == attributes {
        let cell = cells[column]
        column &+= 1
        if cell.isRightHalf { continue }
        if cell.isCluster {
          base[length] = Self.clusterStart
          length &+= 1
          for position in 0..<clusters.length(cell.code) {
            length &+= encodeUTF8(clusters.codePoint(cell.code, position), base + length)
          }
          base[length] = Self.clusterEnd
          length &+= 1
        } else if cell.code < 0x80 {
          base[length] = UInt8(truncatingIfNeeded: cell.code)
          length &+= 1
        } else {
          length &+= encodeUTF8(cell.code, base + length)
        }
      }
      if !plain {
        UnsafeMutableRawPointer(base + runStart)
          .storeBytes(of: UInt32(length &- runStart &- 8), toByteOffset: 4, as: UInt32.self)
      }
    }
    Self.writeHeader(
      base, length: length, used: used, flags: flags | (plain ? Self.plainFlag : 0))
    return length
  }

  /// Every cell is of ASCII, or blank, with default attributes.
  private func isASCII(_ cells: UnsafePointer<Cell>, _ used: Int) -> Bool {
    for column in 0..<used where (cells[column] ^ Cell.narrow) & ~0x7F != 0 { return false }
    return true
  }

  private func isPlain(_ cells: UnsafePointer<Cell>, _ used: Int) -> Bool {
    for column in 0..<used where cells[column].attributeBits != 0 { return false }
    return true
  }

  /// What is wrong with the pages and the lines in them; nil: nothing. For tests and fuzzers.
  func fault() -> String? {
    var lines = 0
    for index in first..<max(first, pages.count) {
      let page = pages[index]
      guard page.lines > 0 else { return "page \(index - first) is empty" }
      guard page.end <= page.capacity else { return "page \(index - first) is overfull" }
      var offset = page.start
      for _ in 0..<page.lines {
        guard page.end - offset >= Self.headerSize else { return "a line's head is cut" }
        let length = PackedLine(bytes: page.bytes + offset).length
        guard length >= Self.headerSize, length <= page.end - offset else {
          return "a line is \(length) bytes long where \(page.end - offset) are left"
        }
        offset += length
      }
      guard offset == page.end else { return "a page ends in \(page.end - offset) stray bytes" }
      lines += page.lines
    }
    return lines == count ? nil : "\(lines) lines are in the pages, \(count) were counted"
  }

  /// Calls `body` with each line and the one after it, oldest first.
  func visitLines(_ body: (PackedLine, PackedLine?) -> Void) {
    for index in first..<max(first, pages.count) {
      let page = pages[index]
      var offset = page.start
      for position in 0..<page.lines {
        let line = PackedLine(bytes: page.bytes + offset)
        offset += line.length
        var next: PackedLine?
        if position + 1 < page.lines {
          next = PackedLine(bytes: page.bytes + offset)
        } else if index + 1 < pages.count {
          next = PackedLine(bytes: pages[index + 1].bytes + pages[index + 1].start)
        }
        body(line, next)
      }
    }
  }
}

/// A view of one packed line; valid until the history changes.
struct PackedLine {
  let bytes: UnsafeMutablePointer<UInt8>

  var length: Int { Int(UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self)) }
  /// Cells up to the last that is not blank.
  var used: Int { Int(UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: 4, as: UInt16.self)) }
  var isWrapped: Bool { bytes[6] & History.wrappedFlag != 0 }
  var isPlain: Bool { bytes[6] & History.plainFlag != 0 }

  /// Calls `body` with each run: the place of its attribute index (nil: default) and its text.
  func forEachRun(_ body: (UnsafeMutableRawPointer?, UnsafeBufferPointer<UInt8>) -> Void) {
    if isPlain {
      let text = UnsafeBufferPointer(
        start: bytes + History.headerSize, count: length - History.headerSize)
      body(nil, text)
      return
    }
    var offset = History.headerSize
    let end = length
    while offset < end {
      let header = UnsafeMutableRawPointer(bytes + offset)
      let size = Int(header.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
      body(header, UnsafeBufferPointer(start: bytes + offset + 8, count: size))
      offset += 8 + size
    }
  }

  /// Unpacks into cells; returns how many. Clusters get an index in `clusters`.
  func unpack(
    into cells: UnsafeMutablePointer<Cell>, capacity: Int, clusters: inout ClusterStore,
    widths: WidthTable
  ) -> Int {
    var column = 0
    forEachRun { header, text in
      let attributes = header.map { Cell($0.loadUnaligned(as: UInt32.self)) << 32 } ?? 0
      var position = 0
      while position < text.count && column < capacity {
        let byte = text[position]
        if byte == 0 || (byte >= 0x20 && byte < 0x80) {
          cells[column] = attributes | Cell.narrow | Cell(byte)
          column += 1
          position += 1
          continue
        }
        var content: Cell
        let width: Int
        if byte == History.clusterStart {
          position += 1
          var codePoints: [UInt32] = []
          while position < text.count && text[position] != History.clusterEnd {
            codePoints.append(decodeUTF8(text, &position))
          }
          position += 1
          width = codePoints.isEmpty ? 1 : widths[codePoints[0]]
          if let index = clusters.make(codePoints) {
            content = Cell.clusterBit | Cell(index)
          } else {
            content = Cell(codePoints.first ?? 0)
          }
        } else {
          let code = decodeUTF8(text, &position)
          width = widths[code]
          content = Cell(code)
        }
        content |= Cell(width) << Cell.widthShift
        cells[column] = attributes | content
        column += 1
        if width == 2 && column < capacity {
          cells[column] = attributes
          column += 1
        }
      }
    }
    return column
  }
}

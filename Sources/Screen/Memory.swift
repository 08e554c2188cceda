// All memory that this module manages itself, and the only file of it that touches a pointer. What a program
// prints steers every index here, so each access is checked, in release builds too. An index out of bounds reads
// a blank and writes nothing: at worst one screen shows a wrong cell, where a trap would end every session of the
// node. In debug builds and under a fuzzer it traps, so that such a fault is found there.

import Glibc

/// What memory may hold: values whose bytes may all be zero.
protocol Blank: BitwiseCopyable {
  init()
}

extension UInt8: Blank {}
extension UInt32: Blank {}
extension Int32: Blank {}
extension UInt64: Blank {}

@inline(never)
private func outOfBounds() {
  #if DEBUG || FUZZING
    fatalError("an index is out of the bounds of its memory")
  #endif
}

/// Memory of a fixed size, all zero at first. Freed by its owner, by `deallocate`.
struct Block<Element: Blank> {
  private let base: UnsafeMutablePointer<Element>
  let count: Int

  /// Large blocks cost nothing before they are touched.
  init(count: Int) {
    self.count = max(1, count)
    let size = self.count * MemoryLayout<Element>.stride
    var memory: UnsafeMutableRawPointer?
    if size >= Self.large {
      memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      if memory == MAP_FAILED { memory = nil }
    } else {
      memory = calloc(self.count, MemoryLayout<Element>.stride)
    }
    guard let memory else { fatalError("out of memory") }
    base = memory.bindMemory(to: Element.self, capacity: self.count)
  }

  /// From so many bytes on memory comes from the kernel, and only what is touched takes any: the allocator would fill
  /// all of it with zeros. A terminal's grid has 15 KiB, of which a prompt needs one page, and a program can ask for
  /// another grid of 8 MB with eight bytes. Pages of history, which come and go in a flood, are smaller. A
  /// process may have 65,530 mappings; the sessions of a node, at most 10,000, have two each.
  private static var large: Int { 12 << 10 }

  private init(base: UnsafeMutablePointer<Element>, count: Int) {
    self.base = base
    self.count = count
  }

  func deallocate() {
    let size = count * MemoryLayout<Element>.stride
    if size >= Self.large { munmap(base, size) } else { free(base) }
  }

  /// In the units of ``Screen/workPerCall``: the kernel takes pages back one by one.
  var costOfFreeing: Int { count * MemoryLayout<Element>.stride / 32 }

  @inline(__always) subscript(index: Int) -> Element {
    get {
      guard UInt(bitPattern: index) < UInt(bitPattern: count) else {
        outOfBounds()
        return Element()
      }
      return base[index]
    }
    nonmutating set {
      guard UInt(bitPattern: index) < UInt(bitPattern: count) else { return outOfBounds() }
      base[index] = newValue
    }
  }

  /// One element, to be read and changed in place.
  @inline(__always) func place(_ index: Int) -> Place<Element> {
    guard UInt(bitPattern: index) < UInt(bitPattern: count) else {
      outOfBounds()
      return Place(base)
    }
    return Place(base + index)
  }

  /// Whether so many elements lie here from an index on.
  @inline(__always) private func holds(_ from: Int, _ length: Int) -> Bool {
    // What is negative is larger than all.
    let start = UInt(bitPattern: from)
    let end = UInt(bitPattern: count)
    if start <= end && UInt(bitPattern: length) <= end &- start { return true }
    outOfBounds()
    return false
  }

  /// A part of it, which lives no longer.
  @inline(__always) func slice(_ from: Int, _ length: Int) -> Block {
    guard holds(from, length) else { return Block(base: base, count: 0) }
    return Block(base: base + from, count: length)
  }

  @inline(__always) func fill(_ from: Int, _ length: Int, _ element: Element) {
    guard holds(from, length) else { return }
    var index = from
    let end = from &+ length
    while index < end {
      base[index] = element
      index &+= 1
    }
  }

  /// The two places may overlap.
  @inline(__always) func move(from: Int, to: Int, count length: Int) {
    guard holds(from, length), holds(to, length) else { return }
    (base + to).update(from: base + from, count: length)
  }

  @inline(__always) func copy(_ source: Block, from: Int, to: Int, count length: Int) {
    guard source.holds(from, length), holds(to, length) else { return }
    (base + to).update(from: source.base + from, count: length)
  }

  /// A copy of the first elements, in memory of another size.
  func copied(_ length: Int, capacity: Int) -> Block {
    let copy = Block(count: capacity)
    copy.copy(self, from: 0, to: 0, count: min(length, copy.count))
    return copy
  }

  /// The first elements as an array.
  func array(_ length: Int) -> [Element] {
    guard holds(0, length) else { return [] }
    return [Element](UnsafeBufferPointer(start: base, count: length))
  }
}

/// An element of a block, found to be inside it.
struct Place<Element: Blank> {
  private let pointer: UnsafeMutablePointer<Element>

  fileprivate init(_ pointer: UnsafeMutablePointer<Element>) { self.pointer = pointer }

  @inline(__always) var value: Element {
    get { pointer.pointee }
    nonmutating _modify { yield &pointer.pointee }
  }
}

extension Block where Element == UInt8 {
  @inline(__always) func load32(_ at: Int) -> UInt32 {
    guard holds(at, 4) else { return 0 }
    return UnsafeRawPointer(base + at).loadUnaligned(as: UInt32.self)
  }

  @inline(__always) func store32(_ at: Int, _ value: UInt32) {
    guard holds(at, 4) else { return }
    UnsafeMutableRawPointer(base + at).storeBytes(of: value, as: UInt32.self)
  }

  /// Writes a code point (up to U+10FFFF) as UTF-8; returns the number of bytes, 1 to 4.
  @inline(__always) func putUTF8(_ code: UInt32, _ at: Int) -> Int {
    if code < 0x80 {
      self[at] = UInt8(truncatingIfNeeded: code)
      return 1
    }
    guard holds(at, 4) else { return 4 }
    return encodeUTF8(code) { base[at &+ $0] = $1 }
  }

  func append(_ from: Int, _ length: Int, to bytes: inout [UInt8]) {
    guard holds(from, length) else { return }
    bytes.append(contentsOf: UnsafeBufferPointer(start: base + from, count: length))
  }

  /// Writes cells of printable ASCII without attributes, or blank ones, as a byte each. False where one is
  /// something else; what was written until then is of no use.
  @inline(__always) func putPlain(_ cells: Block<Cell>, _ length: Int, _ at: Int) -> Bool {
    guard holds(at, length), cells.holds(0, length) else { return false }
    // Most lines of another kind are known by one of three cells.
    if length > 0 {
      let some = cells.base[0] | cells.base[length &>> 1] | cells.base[length &- 1]
      if (some ^ Cell.narrow) & ~0x7F != 0 { return false }
    }
    let text = base + at
    var column = 0
    // One look at the end: lines of anything else are rare enough, and a look at each eight is dearer.
    var eights = SIMD8<UInt64>(repeating: 0)
    while column &+ 8 <= length {
      let eight = UnsafeRawPointer(cells.base + column).loadUnaligned(as: SIMD8<UInt64>.self)
      eights |= eight ^ SIMD8(repeating: Cell.narrow)
      let narrow = SIMD8<UInt8>(truncatingIfNeeded: eight)
      UnsafeMutableRawPointer(text + column).storeBytes(of: narrow, as: SIMD8<UInt8>.self)
      column &+= 8
    }
    let fours = eights.lowHalf | eights.highHalf
    let twos = fours.lowHalf | fours.highHalf
    var strange = twos[0] | twos[1]
    while column < length {
      strange |= cells.base[column] ^ Cell.narrow
      text[column] = UInt8(truncatingIfNeeded: cells.base[column])
      column &+= 1
    }
    return strange & ~0x7F == 0
  }
}

extension Block where Element == UInt8 {
  /// Writes cells of one look as UTF-8, as far as they are no clusters: a blank one as 0, the right half of a wide
  /// character not at all. Returns where it stopped, and whether some cell is not one column wide.
  @inline(__always) func putCells(_ cells: Block<Cell>, _ from: Int, _ end: Int, _ at: Int)
    -> (column: Int, at: Int, isUneven: Bool)
  {
    guard from < end, cells.holds(from, end &- from), holds(at, (end &- from) &* 4) else {
      return (end, at, false)
    }
    let look = cells.base[from] & Cell.attributesMask
    let start = base + at
    var place = start
    var column = from
    var odd: Cell = 0
    while column < end {
      let cell = cells.base[column]
      guard cell & Cell.attributesMask == look, cell & Cell.clusterBit == 0 else { break }
      column &+= 1
      let content = cell & 0xFF_FFFF
      if content & ~0x7F == Cell.narrow {
        place[0] = UInt8(truncatingIfNeeded: content)
        place += 1
        continue
      }
      odd |= cell ^ Cell.narrow
      if content == 0 { continue }
      let target = place
      place += encodeUTF8(UInt32(truncatingIfNeeded: content & Cell.codeMask)) { target[$0] = $1 }
    }
    return (column, at &+ (place - start), odd & (3 << Cell.widthShift) != 0)
  }
}

extension Block where Element == Cell {
  /// Appends the ASCII characters of one look that stand from a column on; returns the column after them.
  func appendASCII(_ from: Int, _ end: Int, to bytes: inout [UInt8]) -> Int {
    guard from < end, holds(from, end &- from) else { return from }
    let pattern = base[from] & Cell.attributesMask | Cell.narrow
    var column = from
    while column < end, case let code = base[column] ^ pattern, code & ~0x7F == 0, code != 0 {
      column &+= 1
    }
    let count = column &- from
    guard count > 0 else { return from }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { text in
      for index in 0..<count {
        text.initializeElement(at: index, to: UInt8(truncatingIfNeeded: base[from &+ index]))
      }
      bytes.append(contentsOf: text)
    }
    return column
  }

  /// The first elements are those of an array.
  func copy(_ source: [Cell], count length: Int) {
    guard holds(0, length), length <= source.count else { return }
    source.withUnsafeBufferPointer { source in
      if let first = source.baseAddress { base.update(from: first, count: length) }
    }
  }

  /// Writes bytes as cells, eight at a time.
  @inline(__always) func put(_ bytes: Input, _ from: Int, _ length: Int, _ at: Int, _ bits: Cell) {
    guard holds(at, length), bytes.holds(from, length) else { return }
    let source = bytes.base + from
    let cells = base + at
    var index = 0
    let pattern = SIMD8<UInt64>(repeating: bits)
    while index &+ 8 <= length {
      let eight = UnsafeRawPointer(source + index).loadUnaligned(as: SIMD8<UInt8>.self)
      let wide = SIMD8<UInt64>(truncatingIfNeeded: eight) | pattern
      UnsafeMutableRawPointer(cells + index).storeBytes(of: wide, as: SIMD8<UInt64>.self)
      index &+= 8
    }
    while index < length {
      cells[index] = bits | Cell(source[index])
      index &+= 1
    }
  }
}

/// The bytes of one `write`, for as long as it lasts.
struct Input {
  fileprivate let base: UnsafePointer<UInt8>
  let count: Int

  /// Calls `body` with the bytes.
  static func over<Result>(_ bytes: UnsafeRawBufferPointer, _ body: (Input) -> Result) -> Result {
    bytes.withMemoryRebound(to: UInt8.self) { bytes in
      guard let base = bytes.baseAddress else {
        return withUnsafePointer(to: 0) { body(Input(base: $0, count: 0)) }
      }
      return body(Input(base: base, count: bytes.count))
    }
  }

  @inline(__always) fileprivate func holds(_ from: Int, _ length: Int) -> Bool {
    let start = UInt(bitPattern: from)
    let end = UInt(bitPattern: count)
    if start <= end && UInt(bitPattern: length) <= end &- start { return true }
    outOfBounds()
    return false
  }

  func prefix(_ length: Int) -> Input {
    Input(base: base, count: Swift.min(count, Swift.max(0, length)))
  }

  @inline(__always) subscript(index: Int) -> UInt8 {
    guard UInt(bitPattern: index) < UInt(bitPattern: count) else {
      outOfBounds()
      return 0
    }
    return base[index]
  }

  /// A byte; 0 where there is none, which ends whatever is looked for.
  @inline(__always) func peek(_ index: Int) -> UInt8 {
    UInt(bitPattern: index) < UInt(bitPattern: count) ? base[index] : 0
  }

  /// Length of the run of printable ASCII from an index on.
  @inline(__always) func printableRun(_ from: Int) -> Int {
    var index = from
    while index &+ 8 <= count, index >= 0 {
      let word = UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
      let high: UInt64 = 0x8080_8080_8080_8080
      let ones: UInt64 = 0x0101_0101_0101_0101
      // A byte's high bit is set if the byte is below 0x20, is 0x7F, or has its high bit set. The
      // lowest such bit is exact, borrows and carries only touch bytes above it.
      let control = (word &- ones &* 0x20) & ~word
      let delete = word &+ ones
      let stop = (control | delete | word) & high
      if stop != 0 { return index &- from &+ (stop.trailingZeroBitCount >> 3) }
      index &+= 8
    }
    while index < count && self[index] >= 0x20 && self[index] < 0x7F { index &+= 1 }
    return index &- from
  }

  func append(_ from: Int, _ length: Int, to bytes: inout [UInt8]) {
    guard holds(from, length) else { return }
    bytes.append(contentsOf: UnsafeBufferPointer(start: base + from, count: length))
  }
}

extension [UInt8] {
  /// Appends an ASCII literal without going through `String`'s iteration.
  @inline(__always)
  mutating func append(_ literal: StaticString) {
    append(
      contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }
}

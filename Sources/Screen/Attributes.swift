// How a cell looks: colours, flags, underline and hyperlink. Cells hold an index into a table of
// distinct attributes. The table only grows while programs invent new ones; `Core` collects it when
// it has doubled, so its size is bounded by what is visible.

/// Attributes of the pen and of cells. Colours are packed as mode (2 bits, at bit 24) and value.
struct Attributes: Equatable {
  /// Foreground colour (bits 0–25) and flags (26–31).
  var foreground: UInt32 = 0
  /// Background colour (bits 0–25) and flags (26–31).
  var background: UInt32 = 0
  /// Underline colour (bits 0–25) and style (26–28): 0 none, 1 single … 5 dashed.
  var underline: UInt32 = 0
  /// Number of the hyperlink in the link table, 0 for none.
  var link: UInt32 = 0

  // Flags in `foreground`.
  static let inverse: UInt32 = 1 << 26
  static let bold: UInt32 = 1 << 27
  static let underlined: UInt32 = 1 << 28
  static let blink: UInt32 = 1 << 29
  static let invisible: UInt32 = 1 << 30
  static let strikethrough: UInt32 = 1 << 31
  // Flags in `background`.
  static let italic: UInt32 = 1 << 26
  static let dim: UInt32 = 1 << 27
  static let protected: UInt32 = 1 << 29
  static let overline: UInt32 = 1 << 30

  static let colorMask: UInt32 = 0x3FF_FFFF
  static let modeMask: UInt32 = 0x300_0000
  /// One of the 16 named colours.
  static let palette16: UInt32 = 0x100_0000
  static let palette256: UInt32 = 0x200_0000
  static let rgb: UInt32 = 0x300_0000

  @inline(__always) var underlineStyle: UInt32 {
    get { (underline >> 26) & 7 }
    set { underline = (underline & ~(7 << 26)) | (newValue << 26) }
  }
  @inline(__always) var underlineColor: UInt32 {
    get { underline & Self.colorMask }
    set { underline = (underline & ~Self.colorMask) | (newValue & Self.colorMask) }
  }
  @inline(__always) var isProtected: Bool { background & Self.protected != 0 }

  /// As stored in a cell: an underline colour without an underline shows nothing.
  @inline(__always) var forCell: Attributes {
    var copy = self
    if underlineStyle == 0 && link == 0 { copy.underline = 0 }
    return copy
  }

  @inline(__always) static func == (a: Attributes, b: Attributes) -> Bool {
    a.foreground == b.foreground && a.background == b.background && a.underline == b.underline
      && a.link == b.link
  }

  @inline(__always) var hash: UInt64 {
    var h = (UInt64(foreground) << 32 | UInt64(background)) &* 0x9E37_79B9_7F4A_7C15
    h ^= (UInt64(underline) << 32 | UInt64(link)) &* 0xC2B2_AE3D_27D4_EB4F
    return h ^ (h >> 29)
  }
}

/// Distinct attributes by index; index 0 is the default. Open addressing over manual storage.
struct AttributeTable {
  private(set) var entries: UnsafeMutablePointer<Attributes>
  private(set) var count: Int
  private var capacity: Int
  private var slots: UnsafeMutablePointer<UInt32>
  private var slotMask: Int

  init() {
    capacity = 16
    entries = .allocate(capacity: capacity)
    slotMask = 31
    slots = .allocate(capacity: 32)
    slots.initialize(repeating: 0, count: 32)
    count = 0
    _ = intern(Attributes())
  }

  func deallocate() {
    entries.deallocate()
    slots.deallocate()
  }

  @inline(__always) subscript(index: UInt32) -> Attributes { entries[Int(index)] }

  var byteCount: Int { capacity * MemoryLayout<Attributes>.stride + (slotMask + 1) * 4 }

  /// The index of these attributes, adding them if they are new.
  mutating func intern(_ attributes: Attributes) -> UInt32 {
    var slot = Int(truncatingIfNeeded: attributes.hash) & slotMask
    while slots[slot] != 0 {
      let index = slots[slot] &- 1
      if entries[Int(index)] == attributes { return index }
      slot = (slot &+ 1) & slotMask
    }
    if count == capacity {
      grow()
      return intern(attributes)
    }
    entries[count] = attributes
    count += 1
    slots[slot] = UInt32(count)
    return UInt32(count - 1)
  }

  private mutating func grow() {
    let larger = UnsafeMutablePointer<Attributes>.allocate(capacity: capacity * 2)
    larger.update(from: entries, count: count)
    entries.deallocate()
    entries = larger
    capacity *= 2
    rehash()
  }

  private mutating func rehash() {
    slots.deallocate()
    slotMask = capacity * 2 - 1
    slots = .allocate(capacity: slotMask + 1)
    slots.initialize(repeating: 0, count: slotMask + 1)
    for index in 0..<count {
      var slot = Int(truncatingIfNeeded: entries[index].hash) & slotMask
      while slots[slot] != 0 { slot = (slot &+ 1) & slotMask }
      slots[slot] = UInt32(index + 1)
    }
  }

  /// Keeps only the marked entries. Returns old index → new index.
  mutating func compact(keeping marks: [Bool]) -> [UInt32] {
    var renamed = [UInt32](repeating: 0, count: count)
    var kept = 0
    for index in 0..<count where index == 0 || marks[index] {
      renamed[index] = UInt32(kept)
      entries[kept] = entries[index]
      kept += 1
    }
    count = kept
    var fitting = 16
    while fitting < kept { fitting *= 2 }
    let smaller = UnsafeMutablePointer<Attributes>.allocate(capacity: fitting)
    smaller.update(from: entries, count: kept)
    entries.deallocate()
    entries = smaller
    capacity = fitting
    rehash()
    return renamed
  }

  /// Renumbers the links in every entry, after the link table was compacted.
  mutating func renameLinks(_ renamed: [UInt32]) {
    for index in 0..<count { entries[index].link = renamed[Int(entries[index].link)] }
    rehash()
  }
}

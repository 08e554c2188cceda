// How a cell looks: colours, flags, underline and hyperlink. Cells hold an index into a table of
// distinct attributes. The table only grows while programs invent new ones; `Core` collects it when
// it has doubled, so its size is bounded by what is visible.

/// Attributes of the pen and of cells. Colours are packed as mode (2 bits, at bit 24) and value.
struct Attributes: Equatable, Blank {
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

  /// With numbers of this process, so that no program can choose looks that all fall into the same slot.
  @inline(__always) func hash(_ secret: (UInt64, UInt64)) -> UInt64 {
    let product = ((UInt64(foreground) << 32 | UInt64(background)) ^ secret.0)
      .multipliedFullWidth(by: (UInt64(underline) << 32 | UInt64(link)) ^ secret.1)
    return product.high ^ product.low
  }
}

/// Distinct attributes by index; index 0 is the default. Open addressing.
struct AttributeTable {
  private static let secret = (
    UInt64.random(in: .min ... .max) | 1, UInt64.random(in: .min ... .max) | 1
  )

  private var entries: Block<Attributes>
  private(set) var count = 0
  private var slots: Block<UInt32>
  private let secret = Self.secret

  init() {
    entries = Block(count: 16)
    slots = Block(count: 32)
    _ = intern(Attributes())
  }

  func deallocate() {
    entries.deallocate()
    slots.deallocate()
  }

  @inline(__always) subscript(index: UInt32) -> Attributes { entries[Int(index)] }

  /// All of them.
  var all: [Attributes] { entries.array(count) }

  var byteCount: Int { entries.count * MemoryLayout<Attributes>.stride + slots.count * 4 }

  /// The number of slots is a power of two.
  @inline(__always) private func slot(_ attributes: Attributes) -> Int {
    Int(truncatingIfNeeded: attributes.hash(secret)) & (slots.count &- 1)
  }

  /// The index of these attributes, adding them if they are new.
  mutating func intern(_ attributes: Attributes) -> UInt32 {
    var slot = slot(attributes)
    while slots[slot] != 0 {
      let index = slots[slot] &- 1
      if entries[Int(index)] == attributes { return index }
      slot = (slot &+ 1) & (slots.count &- 1)
    }
    if count == entries.count {
      resize(to: count * 2)
      return intern(attributes)
    }
    entries[count] = attributes
    count += 1
    slots[slot] = UInt32(count)
    return UInt32(count - 1)
  }

  private mutating func resize(to capacity: Int) {
    let moved = entries.copied(count, capacity: capacity)
    entries.deallocate()
    entries = moved
    rehash()
  }

  private mutating func rehash() {
    slots.deallocate()
    slots = Block(count: entries.count * 2)
    for index in 0..<count {
      var slot = slot(entries[index])
      while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
      slots[slot] = UInt32(index + 1)
    }
  }

  /// Keeps only the marked entries. Returns old index → new index.
  mutating func compact(keeping marks: Block<UInt8>) -> Block<UInt32> {
    let renamed = Block<UInt32>(count: count)
    var kept = 0
    for index in 0..<count where index == 0 || marks[index] != 0 {
      renamed[index] = UInt32(kept)
      entries[kept] = entries[index]
      kept += 1
    }
    count = kept
    var fitting = 16
    while fitting < kept { fitting *= 2 }
    resize(to: fitting)
    return renamed
  }

  /// Renumbers the links in every entry, after the link table was compacted.
  mutating func renameLinks(_ renamed: Block<UInt32>) {
    for index in 0..<count {
      var look = entries[index]
      look.link = renamed[Int(look.link)]
      entries[index] = look
    }
    rehash()
  }
}

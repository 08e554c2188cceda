// A page of the scrollback: memory with packed lines one after another, the looks and links of those, and what is
// known of them as a whole.

/// The memory of a page, with the looks and links of its lines.
final class PageMemory {
  /// Looks of a page: a run's number of them has 16 bits.
  private static let mostLooks = 65_536

  let bytes: Block<UInt8>
  /// Number 0 is the default look. A look's link is a number of `links`, from 1.
  @exclusivity(unchecked) private(set) var looks = [Attributes()]
  @exclusivity(unchecked) private(set) var links: [Hyperlink] = []
  private(set) var linkBytes = 0

  init(capacity: Int) { bytes = Block(count: capacity) }

  deinit { bytes.deallocate() }

  /// For other lines.
  func forgetLooks() {
    looks = [Attributes()]
    links = []
    linkBytes = 0
  }

  /// The number of one more look; nil: there are too many.
  fileprivate func add(_ look: Attributes, link: Hyperlink?, linkRoom: Int) -> UInt32? {
    guard looks.count < Self.mostLooks else { return nil }
    var copy = look
    copy.link = number(of: link, room: linkRoom)
    looks.append(copy.forCell)
    return UInt32(looks.count - 1)
  }

  private func number(of link: Hyperlink?, room: Int) -> UInt32 {
    guard let link else { return 0 }
    if let index = links.indices.reversed().prefix(8).first(where: { links[$0] == link }) {
      return UInt32(index + 1)
    }
    let size = link.address.count + link.id.count + MemoryLayout<Hyperlink>.stride
    guard size <= room else { return 0 }
    linkBytes += size
    links.append(link)
    return UInt32(links.count)
  }
}

/// Which numbers the last page has given to the looks of the screen's table, and how much all pages keep of links.
struct PageLooks {
  /// With `stamp`; others are old.
  private var numbers: [(stamp: UInt32, look: UInt32)] = []
  private var stamp: UInt32 = 1
  private(set) var linkBytes = 0

  var byteCount: Int { numbers.capacity * 8 + linkBytes }

  /// Another page is the last one, or the screen's table was numbered anew.
  mutating func numbersChanged() { stamp &+= 1 }

  mutating func forget(_ memory: PageMemory?) { linkBytes -= memory?.linkBytes ?? 0 }

  /// The page's number of one of the screen's looks. Links are kept with the text, and as many bytes of them as the
  /// screen may have.
  mutating func number(
    of look: UInt32, in memory: PageMemory, _ attributes: AttributeTable, _ links: HyperlinkTable
  ) -> UInt32 {
    guard look != 0 else { return 0 }
    let index = Int(look)
    if index < numbers.count, numbers[index].stamp == stamp { return numbers[index].look }
    let before = memory.linkBytes
    let original = attributes[look]
    guard
      let number = memory.add(
        original, link: links[original.link], linkRoom: Limit.linkBytes - linkBytes)
    else { return 0 }
    linkBytes += memory.linkBytes - before
    if index >= numbers.count {
      numbers += Array(repeating: (stamp: 0, look: 0), count: max(64, index + 1 - numbers.count))
    }
    numbers[index] = (stamp, number)
    return number
  }
}

struct HistoryPage {
  /// Nil once all of its lines are gone.
  private(set) var memory: PageMemory?
  /// Those of the memory, without a reference to count; none once it is gone.
  private(set) var bytes: Block<UInt8>
  private(set) var start = 0
  private(set) var end = 0
  private(set) var lines = 0
  /// Used cells of the longest line, at least.
  private(set) var longest = 0
  /// The width of all lines; 0 if they are of different ones.
  private(set) var columns = 0
  private(set) var hasWrapped = false
  /// Nothing may be added any more.
  private(set) var isSealed = false

  init(_ memory: PageMemory) {
    self.memory = memory
    bytes = memory.bytes
  }

  /// A line was written behind its end.
  @inline(__always)
  mutating func took(_ length: Int, used: Int, columns: Int, wrapped: Bool) {
    end &+= length
    if used > longest { longest = used }
    if lines == 0 { self.columns = columns } else if self.columns != columns { self.columns = 0 }
    if wrapped { hasWrapped = true }
    lines &+= 1
  }

  /// Its oldest line goes.
  @inline(__always)
  mutating func drop(_ line: PackedLine) {
    start &+= line.length
    lines &-= 1
  }

  /// Its newest lines go, from an offset on; so many are left. It is sealed: a snapshot under way may read what lies
  /// behind the end, and looks that it has for lines that are gone would be there once more after each resize.
  mutating func truncate(at offset: Int, lines left: Int) {
    end = offset
    lines = left
    isSealed = true
  }

  /// Lets go of its memory, and returns it if nobody else has it.
  mutating func release() -> PageMemory? {
    let isUnique = isKnownUniquelyReferenced(&memory)
    defer {
      memory = nil
      bytes = bytes.slice(0, 0)
    }
    return isUnique ? memory : nil
  }
}

// Hyperlinks (OSC 8): address and id by number. Attributes hold the number; 0 is no link.

struct Hyperlink: Equatable {
  var id: [UInt8]
  var address: [UInt8]

  /// `id=…;address`, what stands between `OSC 8 ;` and the terminator.
  func append(to target: inout [UInt8]) {
    if !id.isEmpty {
      target.append("id=")
      target.append(contentsOf: id)
    }
    target.append(UInt8(ascii: ";"))
    target.append(contentsOf: address)
  }
}

struct HyperlinkTable {
  private var links: [Hyperlink] = []
  private var bytes = 0
  /// Links that found the table full since it was last compacted.
  private(set) var refused = 0

  var count: Int { links.count }
  var byteCount: Int { bytes + links.capacity * MemoryLayout<Hyperlink>.stride }

  var all: [Hyperlink] { links }

  subscript(number: UInt32) -> Hyperlink? {
    number > 0 && Int(number) <= links.count ? links[Int(number) - 1] : nil
  }

  /// The link's number; nil when the table is full.
  mutating func intern(_ link: Hyperlink) -> UInt32? {
    // Programs write a link's text right after its address, so the last ones are the likely ones.
    for index in links.indices.reversed().prefix(Limit.recentLinks) where links[index] == link {
      return UInt32(index + 1)
    }
    let size = link.id.count + link.address.count
    guard links.count < Limit.links, bytes + size <= Limit.linkBytes else {
      refused += 1
      return nil
    }
    links.append(link)
    bytes += size
    return UInt32(links.count)
  }

  /// Keeps the marked links. Returns old number → new number.
  mutating func compact(keeping marks: Block<UInt8>) -> Block<UInt32> {
    let renamed = Block<UInt32>(count: links.count + 1)
    var kept: [Hyperlink] = []
    bytes = 0
    for (index, link) in links.enumerated() where marks[index + 1] != 0 {
      kept.append(link)
      bytes += link.id.count + link.address.count
      renamed[index + 1] = UInt32(kept.count)
    }
    links = kept
    // Where little came free, the next walk must not follow at once.
    let isRoomy = kept.count <= Limit.links * 3 / 4 && bytes <= Limit.linkBytes * 3 / 4
    refused = isRoomy ? 0 : 1
    return renamed
  }
}

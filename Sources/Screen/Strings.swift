// Control strings: OSC (titles, links, colours, directory, shell marks) and the one DCS that is
// answered, DECRQSS. Others are passed over. What is kept of an unfinished string is bounded.

struct ControlString: Equatable {
  /// The string so far, without introducer; for DCS without its header. Of an OSC that is passed over
  /// this is only what tells that it is.
  private(set) var bytes: [UInt8] = []
  /// Too long, or of no interest: passed over to its end.
  private(set) var isIgnored = false
  /// Header of the DCS under way: collected bytes and final; 0 for OSC.
  private(set) var header: UInt32 = 0
  /// The number of an OSC was read, and it is one of ours.
  private var isWanted = false

  static let statusRequest: UInt32 = 0x24_71
  private static let overlong = Array("99999;".utf8)

  mutating func start() { clear() }

  mutating func hook(_ header: UInt32) {
    clear()
    self.header = header
    isIgnored = header != Self.statusRequest
    isWanted = true
  }

  mutating func clear() {
    if !bytes.isEmpty { bytes.removeAll(keepingCapacity: bytes.capacity <= 256) }
    isIgnored = false
    isWanted = false
    header = 0
  }

  mutating func append(_ text: Input, _ from: Int, _ count: Int) {
    guard !isIgnored else { return }
    guard bytes.count + count <= Limit.string else { return overflow() }
    text.append(from, count, to: &bytes)
    if !isWanted { decide() }
  }

  mutating func append(_ code: UInt32) {
    guard !isIgnored else { return }
    guard bytes.count + 4 <= Limit.string else { return overflow() }
    bytes.appendUTF8(code)
    if !isWanted { decide() }
  }

  private mutating func overflow() {
    bytes = header == 0 ? Self.overlong : []
    isIgnored = true
  }

  /// Looks at the number that an OSC starts with; what we do not know is passed over.
  private mutating func decide() {
    var number = 0
    for (index, byte) in bytes.enumerated() {
      if byte >= 0x30 && byte <= 0x39 && index < 5 {
        number = number * 10 + Int(byte - 0x30)
        continue
      }
      isWanted = byte == UInt8(ascii: ";") && index > 0 && Self.isKnown(number)
      if !isWanted {
        bytes.removeLast(bytes.count - index - 1)
        isIgnored = true
      }
      return
    }
  }

  private static func isKnown(_ number: Int) -> Bool {
    switch number {
    case 0, 1, 2, 4, 7, 8, 10, 11, 12, 104, 110, 111, 112, 133: true
    default: false
    }
  }
}

/// Window and icon title and the stack that XTWINOPS 22 and 23 push to and pop from.
struct Titles: Equatable {
  var window: [UInt8] = []
  var icon: [UInt8] = []
  var windowStack: [[UInt8]] = []
  var iconStack: [[UInt8]] = []
}

/// Where the shell is between prompt and command (OSC 133): A prompt, B input, C output, D done.
struct ShellMark: Equatable {
  var kind: UInt8 = 0
  /// What followed the letter, for example the exit status after D.
  var detail: [UInt8] = []
}

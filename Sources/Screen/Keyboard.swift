// How the keyboard says what is typed: kitty's progressive enhancement (sw.kovidgoyal.net/kitty/keyboard-protocol) and
// xterm's key modifier options (XTMODKEYS). xterm.js 6 has neither, and passes over both in a snapshot; a terminal
// behind `fairlead attach` that has them is brought to what the program set before it came, and the page types them by
// itself. A viewer that has neither goes on with the codes of old, which programs that asked for more read as well.

struct Keyboard: Equatable {
  /// Flags in force and, before them, those that were pushed away. Terminals bound the stack, too, and drop
  /// its oldest entries.
  private(set) var stack: [UInt8] = [0]
  var flags: UInt8 { stack.last ?? 0 }
  static let deepest = 16
  /// The flags that there are: five bits.
  private static let known: UInt8 = 31

  mutating func push(_ flags: Int) {
    if stack.count > Self.deepest { stack.removeFirst() }
    stack.append(UInt8(truncatingIfNeeded: flags) & Self.known)
  }

  mutating func pop(_ count: Int) {
    stack.removeLast(min(max(1, count), stack.count))
    // An emptied stack has no flag set.
    if stack.isEmpty { stack = [0] }
  }

  /// - Parameter how: 1 sets exactly these, 2 sets these too, 3 takes these away.
  mutating func set(_ flags: Int, how: Int) {
    let flags = UInt8(truncatingIfNeeded: flags) & Self.known
    guard let present = stack.popLast() else { return }
    switch how {
    case 2: stack.append(present | flags)
    case 3: stack.append(present & ~flags)
    default: stack.append(flags)
    }
  }
}

/// Values of XTMODKEYS by option (0 … 7); those that are as they were at first are absent.
struct ModifiedKeys: Equatable {
  private(set) var values: [Int: Int] = [:]
  static let options = 0...7

  mutating func set(_ option: Int, _ value: Int?) {
    guard Self.options.contains(option) else { return }
    values[option] = value.map { min(max($0, 0), 9) }
  }
}

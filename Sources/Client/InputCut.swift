// Where what was typed may be cut, so that what follows is read as it was meant: not within a character or a key's
// sequence, and not within the frame of a bracketed paste. Pure.

enum InputCut {
  static let frameStart = Array("\u{1B}[200~".utf8)
  static let frameEnd = Array("\u{1B}[201~".utf8)

  /// How many bytes of `rest` still belong to the character or the key that `before` ends in the middle of.
  /// - Parameter before: the bytes before the cut; more than the last ``ClientLimits/key`` are not looked at.
  static func endOfKey(before: [UInt8], rest: ArraySlice<UInt8>) -> Int {
    let before = before.suffix(ClientLimits.key)
    let next = Array(rest.prefix(ClientLimits.key))
    if let escape = before.lastIndex(of: 0x1B) {
      let sequence = Array(before[escape...]) + next
      let length = keyLength(sequence)
      let cut = before.endIndex - escape
      if length > cut { return min(length - cut, next.count) }
    }
    guard let last = before.last, last >= 0x80 else { return 0 }
    // The bytes of a character after its first are 10xxxxxx.
    return next.prefix(3).prefix { $0 & 0xC0 == 0x80 }.count
  }

  /// Of the key that begins with this ESC; 1 if nothing follows that belongs to it.
  private static func keyLength(_ bytes: [UInt8]) -> Int {
    guard bytes.count > 1 else { return 1 }
    switch bytes[1] {
    case UInt8(ascii: "["):
      let end = bytes.dropFirst(2).firstIndex { !(0x20...0x3F).contains($0) }
      return end.map { (0x40...0x7E).contains(bytes[$0]) ? $0 + 1 : 2 } ?? bytes.count
    case UInt8(ascii: "O"): return min(3, bytes.count)
    case 0x1B: return 1
    default: return 2
    }
  }

  /// Whether `bytes` end a paste's frame that began before them.
  static func endsFrame(_ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    while let escape = rest.firstIndex(of: 0x1B) {
      rest = rest[escape...]
      if rest.starts(with: frameEnd) { return true }
      if rest.starts(with: frameStart) { return false }
      rest = rest.dropFirst()
    }
    return false
  }
}

// One key as a terminal sends it: a byte, or a control sequence of a keyboard protocol (kitty's `CSI code ; modifiers u`,
// xterm's modifyOtherKeys `CSI 27 ; modifiers ; code ~`), so that a key is the same one in whatever mode the session's
// program has put the keyboard. Pure.

struct KeyPress: Equatable {
  enum Meaning: Equatable {
    /// What the key types, without Ctrl, Alt and the like.
    case character(Unicode.Scalar)
    case enter
    case other
    /// Not pressed by anyone just now: a key that is let go, a modifier alone, a mouse or focus report.
    case nothing
    case pasteStart
  }

  var bytes: ArraySlice<UInt8>
  var meaning: Meaning

  /// The first key of `input`, which is not empty. A sequence whose end is missing is taken byte by byte.
  init(_ input: ArraySlice<UInt8>) {
    let first = input[input.startIndex]
    bytes = input.prefix(1)
    switch first {
    case 0x0a, 0x0d: meaning = .enter
    case 0x20..<0x7f: meaning = .character(Unicode.Scalar(first))
    case 0x1b:
      meaning = .other
      guard input.dropFirst().first == UInt8(ascii: "["),
        let end = input.dropFirst(2).firstIndex(where: { !(0x20...0x3f).contains($0) }),
        (0x40...0x7e).contains(input[end])
      else { return }
      let body = input[(input.startIndex + 2)..<end]
      bytes = input[...end]
      // The oldest mouse reports have three bytes behind the sequence.
      if input[end] == UInt8(ascii: "M"), body.isEmpty { bytes = input.prefix(bytes.count + 3) }
      meaning = Self.meaning(of: String(decoding: body, as: UTF8.self), input[end])
    default: meaning = .other
    }
  }

  private static func meaning(of body: String, _ final: UInt8) -> Meaning {
    switch final {
    case UInt8(ascii: "I"), UInt8(ascii: "O"): return body.isEmpty ? .nothing : .other
    case UInt8(ascii: "M"), UInt8(ascii: "m"):
      return body.isEmpty || body.hasPrefix("<") ? .nothing : .other
    case UInt8(ascii: "~") where body == "200": return .pasteStart
    case UInt8(ascii: "u"), UInt8(ascii: "~"): break
    default: return isRelease(fields(body)) ? .nothing : .other
    }
    var fields = fields(body)
    if isRelease(fields) { return .nothing }
    if final == UInt8(ascii: "~") {
      // CSI 27 ; modifiers ; code ~
      guard fields.count == 3, fields[0].first == 27 else { return .other }
      fields = [fields[2], fields[1]]
    }
    return meaning(of: fields)
  }

  /// `code : shifted : base ; modifiers : event ; text : …`
  private static func meaning(of fields: [[UInt32?]]) -> Meaning {
    guard let code = fields.first?.first ?? nil else { return .other }
    // Caps lock, scroll lock and num lock; and modifiers, which are keys of their own when all are reported.
    if (57_358...57_360).contains(code) || (57_441...57_454).contains(code) { return .nothing }
    let modifiers = (fields.dropFirst().first?.first ?? nil) ?? 1
    // Less one, they are bits: shift 1, caps lock 64, num lock 128; any other makes it another key.
    let pressed = (modifiers == 0 ? 0 : modifiers - 1) & ~(64 | 128)
    guard pressed <= 1 else { return .other }
    // Enter, and that of the keypad.
    if code == 13 || code == 57_414 { return pressed == 0 ? .enter : .other }
    if let text = fields.dropFirst(2).first {
      let scalars = text.compactMap { $0.flatMap(Unicode.Scalar.init) }
      return scalars.count == 1 ? .character(scalars[0]) : .other
    }
    let shifted = (fields[0].count > 1 ? fields[0][1] : nil) ?? Self.shifted[code] ?? code
    return Unicode.Scalar(pressed == 1 ? shifted : Self.keypad[code] ?? code).map { .character($0) }
      ?? .other
  }

  /// What Shift makes of a key where the terminal does not tell: as on most keyboards that have the keys.
  private static let shifted: [UInt32: UInt32] = [0x60: 0x7e, 0x2f: 0x3f]
  private static let keypad: [UInt32: UInt32] = [57_409: 0x2e]

  /// Nil where there is none; what is no number is one that nothing has.
  private static func fields(_ body: String) -> [[UInt32?]] {
    body.split(separator: ";", omittingEmptySubsequences: false)
      .prefix(CommandLimits.keyParameters).map { field in
        field.split(separator: ":", omittingEmptySubsequences: false)
          .prefix(CommandLimits.keyParameters).map {
            $0.isEmpty ? nil : UInt32($0) ?? .max
          }
      }
  }

  /// The event type is the modifiers' second part: 3 is a release.
  private static func isRelease(_ fields: [[UInt32?]]) -> Bool {
    guard let modifiers = fields.dropFirst().first, modifiers.count > 1 else { return false }
    return modifiers[1] == 3
  }
}

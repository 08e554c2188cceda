// The parser's tables, and where it stands: Paul Williams' state machine for DEC terminals
// (vt100.net/emu/dec_ansi_parser), in the variant of xterm.js, over code points.

enum ParserState {
  static let ground: UInt8 = 0
  static let escape: UInt8 = 1
  static let escapeIntermediate: UInt8 = 2
  static let csiEntry: UInt8 = 3
  static let csiParameter: UInt8 = 4
  static let csiIntermediate: UInt8 = 5
  static let csiIgnore: UInt8 = 6
  /// SOS, PM and APC strings, which nobody reads.
  static let ignoredString: UInt8 = 7
  static let osc: UInt8 = 8
  static let dcsEntry: UInt8 = 9
  static let dcsParameter: UInt8 = 10
  static let dcsIgnore: UInt8 = 11
  static let dcsIntermediate: UInt8 = 12
  static let dcsPassthrough: UInt8 = 13
}

enum ParserAction: UInt8 {
  case ignore, error, print, execute, oscStart, oscPut, oscEnd, csiDispatch, parameter, collect
  case escapeDispatch, clear, dcsHook, dcsPut, dcsUnhook
}

/// Action (high four bits) and next state for every state and code point; those from U+00A0 share one class.
struct TransitionTable: @unchecked Sendable {
  // Sendable: the memory is written by `init` alone and never freed.
  private let bytes: Block<UInt8>

  static let shared = TransitionTable()
  static let printableClass = 160

  private typealias S = ParserState
  private static let printables = 0x20..<0x7F
  private static let controls = Array(0..<24) + [25] + Array(28..<32)

  private init() {
    bytes = Block<UInt8>(count: 16 * 256)
    bytes.fill(0, bytes.count, ParserAction.error.rawValue << 4)
    addCommon()
    addStrings()
    addCSI()
    addEscapes()
    addDCS()
    addBeyondC1()
  }

  private func add(
    _ codes: some Sequence<Int>, _ state: UInt8, _ action: ParserAction, _ next: UInt8
  ) {
    for code in codes { bytes[Int(state) << 8 | code] = action.rawValue << 4 | next }
  }

  private func addCommon() {
    add(Self.printables, S.ground, .print, S.ground)
    for state in 0..<UInt8(14) {
      add([0x18, 0x1A, 0x99, 0x9A], state, .execute, S.ground)
      add(0x80..<0x90, state, .execute, S.ground)
      add(0x90..<0x98, state, .execute, S.ground)
      add([0x9C], state, .ignore, S.ground)
      add([0x1B], state, .clear, S.escape)
      add([0x9D], state, .oscStart, S.osc)
      add([0x98, 0x9E, 0x9F], state, .ignore, S.ignoredString)
      add([0x9B], state, .clear, S.csiEntry)
      add([0x90], state, .clear, S.dcsEntry)
    }
    for state in [
      S.ground, S.escape, S.csiEntry, S.csiParameter, S.csiIgnore, S.csiIntermediate,
      S.escapeIntermediate,
    ] {
      add(Self.controls, state, .execute, state)
      if state != S.ground { add([0x7F], state, .ignore, state) }
    }
  }

  private func addStrings() {
    add([0x5D], S.escape, .oscStart, S.osc)
    add(Self.controls, S.osc, .ignore, S.osc)
    add(Self.printables, S.osc, .oscPut, S.osc)
    add([0x7F], S.osc, .oscPut, S.osc)
    add([0x9C, 0x1B, 0x18, 0x1A, 0x07], S.osc, .oscEnd, S.ground)
    add(0x1C..<0x20, S.osc, .ignore, S.osc)
    add([0x58, 0x5E, 0x5F], S.escape, .ignore, S.ignoredString)
    add(Self.printables, S.ignoredString, .ignore, S.ignoredString)
    add(Self.controls, S.ignoredString, .ignore, S.ignoredString)
    add([0x9C], S.ignoredString, .ignore, S.ground)
    add([0x7F], S.ignoredString, .ignore, S.ignoredString)
  }

  private func addCSI() {
    add([0x5B], S.escape, .clear, S.csiEntry)
    add(0x40..<0x7F, S.csiEntry, .csiDispatch, S.ground)
    add(0x30..<0x3C, S.csiEntry, .parameter, S.csiParameter)
    add(0x3C..<0x40, S.csiEntry, .collect, S.csiParameter)
    add(0x30..<0x3C, S.csiParameter, .parameter, S.csiParameter)
    add(0x40..<0x7F, S.csiParameter, .csiDispatch, S.ground)
    add(0x3C..<0x40, S.csiParameter, .ignore, S.csiIgnore)
    add(0x20..<0x40, S.csiIgnore, .ignore, S.csiIgnore)
    add(0x40..<0x7F, S.csiIgnore, .ignore, S.ground)
    add(0x20..<0x30, S.csiEntry, .collect, S.csiIntermediate)
    add(0x20..<0x30, S.csiIntermediate, .collect, S.csiIntermediate)
    add(0x30..<0x40, S.csiIntermediate, .ignore, S.csiIgnore)
    add(0x40..<0x7F, S.csiIntermediate, .csiDispatch, S.ground)
    add(0x20..<0x30, S.csiParameter, .collect, S.csiIntermediate)
  }

  private func addEscapes() {
    add(0x20..<0x30, S.escape, .collect, S.escapeIntermediate)
    add(0x20..<0x30, S.escapeIntermediate, .collect, S.escapeIntermediate)
    add(0x30..<0x7F, S.escapeIntermediate, .escapeDispatch, S.ground)
    add(0x30..<0x50, S.escape, .escapeDispatch, S.ground)
    add(0x51..<0x58, S.escape, .escapeDispatch, S.ground)
    add([0x59, 0x5A, 0x5C], S.escape, .escapeDispatch, S.ground)
    add(0x60..<0x7F, S.escape, .escapeDispatch, S.ground)
  }

  private func addDCS() {
    add([0x50], S.escape, .clear, S.dcsEntry)
    for state in [S.dcsEntry, S.dcsIgnore, S.dcsParameter, S.dcsIntermediate] {
      add(Self.controls, state, .ignore, state)
      add([0x7F], state, .ignore, state)
    }
    add(0x20..<0x30, S.dcsEntry, .collect, S.dcsIntermediate)
    add(0x30..<0x3C, S.dcsEntry, .parameter, S.dcsParameter)
    add(0x3C..<0x40, S.dcsEntry, .collect, S.dcsParameter)
    add(0x20..<0x80, S.dcsIgnore, .ignore, S.dcsIgnore)
    add(0x30..<0x3C, S.dcsParameter, .parameter, S.dcsParameter)
    add(0x3C..<0x40, S.dcsParameter, .ignore, S.dcsIgnore)
    add(0x20..<0x30, S.dcsParameter, .collect, S.dcsIntermediate)
    add(0x20..<0x30, S.dcsIntermediate, .collect, S.dcsIntermediate)
    add(0x30..<0x40, S.dcsIntermediate, .ignore, S.dcsIgnore)
    for state in [S.dcsIntermediate, S.dcsParameter, S.dcsEntry] {
      add(0x40..<0x7F, state, .dcsHook, S.dcsPassthrough)
    }
    add(Self.controls, S.dcsPassthrough, .dcsPut, S.dcsPassthrough)
    add(Self.printables, S.dcsPassthrough, .dcsPut, S.dcsPassthrough)
    add([0x7F], S.dcsPassthrough, .ignore, S.dcsPassthrough)
    add([0x1B, 0x9C, 0x18, 0x1A], S.dcsPassthrough, .dcsUnhook, S.ground)
  }

  private func addBeyondC1() {
    let beyond = [Self.printableClass]
    add(beyond, S.ground, .print, S.ground)
    add(beyond, S.osc, .oscPut, S.osc)
    add(beyond, S.csiIgnore, .ignore, S.csiIgnore)
    add(beyond, S.dcsIgnore, .ignore, S.dcsIgnore)
    add(beyond, S.dcsPassthrough, .dcsPut, S.dcsPassthrough)
    add(beyond, S.ignoredString, .error, S.ground)
  }

  @inline(__always) func entry(_ state: UInt8, _ code: UInt32) -> UInt8 {
    bytes[Int(state) << 8 | (code < 160 ? Int(code) : Self.printableClass)]
  }
}

/// UTF-8, byte by byte. What is malformed is dropped without a trace, as xterm.js does.
struct UTF8Decoder: Equatable {
  /// Continuation bytes still missing; 0 between characters.
  var missing: UInt8 = 0
  var length: UInt8 = 0
  var code: UInt32 = 0

  /// A lead byte from 0x80 up. Bytes that cannot lead are dropped.
  @inline(__always)
  mutating func begin(_ byte: UInt8) {
    if byte & 0xE0 == 0xC0 {
      length = 2
      code = UInt32(byte & 0x1F)
    } else if byte & 0xF0 == 0xE0 {
      length = 3
      code = UInt32(byte & 0x0F)
    } else if byte & 0xF8 == 0xF0 {
      length = 4
      code = UInt32(byte & 0x07)
    } else {
      missing = 0
      return
    }
    missing = length &- 1
  }

  /// A continuation byte; the code point if it was the last one and the character is valid.
  @inline(__always)
  mutating func proceed(_ byte: UInt8) -> UInt32? {
    code = code << 6 | UInt32(byte & 0x3F)
    missing &-= 1
    guard missing == 0 else { return nil }
    return Self.isValid(code, length: length) ? code : nil
  }

  /// Not overlong, no surrogate, no byte order mark, not beyond Unicode.
  @inline(__always)
  static func isValid(_ code: UInt32, length: UInt8) -> Bool {
    switch length {
    case 2: code >= 0x80
    case 3: code >= 0x800 && (code < 0xD800 || code > 0xDFFF) && code != 0xFEFF
    default: code >= 0x1_0000 && code <= 0x10_FFFF
    }
  }

  /// The bytes of the character that is under way, for a snapshot.
  var unfinished: [UInt8] {
    guard missing > 0 else { return [] }
    let have = Int(length - missing)
    var bytes: [UInt8] = []
    for position in 0..<have {
      let shift = UInt32(6 * (have - 1 - position))
      let bits = UInt8(truncatingIfNeeded: code >> shift)
      if position > 0 {
        bytes.append(0x80 | bits & 0x3F)
      } else {
        switch length {
        case 2: bytes.append(0xC0 | bits & 0x1F)
        case 3: bytes.append(0xE0 | bits & 0x0F)
        default: bytes.append(0xF0 | bits & 0x07)
        }
      }
    }
    return bytes
  }
}

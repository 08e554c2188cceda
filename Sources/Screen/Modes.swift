// Modes: ANSI (SM, RM) and DEC private (DECSET, DECRST), as far as xterm.js has them, and three more that
// a terminal behind `fairlead attach` may have.

enum MouseTracking: UInt8 {
  case none, x10, vt200, drag, any

  /// Of the private mode; nil: none.
  var number: Int? {
    switch self {
    case .none: nil
    case .x10: 9
    case .vt200: 1_000
    case .drag: 1_002
    case .any: 1_003
    }
  }
}

enum MouseEncoding: UInt8 {
  case legacy, sgr, sgrPixels

  /// Of the private mode; nil: none.
  var number: Int? {
    switch self {
    case .legacy: nil
    case .sgr: 1_006
    case .sgrPixels: 1_016
    }
  }
}

struct Modes: Equatable {
  // Reset by RIS and DECSTR.
  var insert = false
  var applicationCursorKeys = false
  var applicationKeypad = false
  var bracketedPaste = false
  var origin = false
  var reverseWraparound = false
  var focusReports = false
  var synchronizedOutput = false
  var wraparound = true
  /// DECSCUSR 0 … 6; 0 is what the user chose.
  var cursorStyle: UInt8 = 0
  // Reset by RIS.
  var mouse = MouseTracking.none
  var mouseEncoding = MouseEncoding.legacy
  // Reset by RIS; xterm.js 6 has none of them. The encodings do not exclude those that it has.
  var mouseUTF8 = false
  var mouseURXVT = false
  var reverseVideo = false
  /// The program is told when the user's colours change.
  var reportsColors = false
  // xterm.js keeps these through RIS.
  var newline = false
  var isCursorHidden = false
  var cursorBlink = false

  /// RIS.
  mutating func reset() {
    var fresh = Modes()
    fresh.newline = newline
    fresh.isCursorHidden = isCursorHidden
    fresh.cursorBlink = cursorBlink
    self = fresh
  }

  /// DECSTR, as far as it is about these.
  mutating func softReset() {
    insert = false
    applicationCursorKeys = false
    applicationKeypad = false
    bracketedPaste = false
    origin = false
    reverseWraparound = false
    focusReports = false
    synchronizedOutput = false
    wraparound = true
    cursorStyle = 0
  }
}

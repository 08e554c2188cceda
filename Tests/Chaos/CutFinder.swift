// Finds where to cut a byte stream: after a number of bytes, and from there on at the first place of
// the wanted kind. Pure: it is fed the bytes as they pass and says how many of them may.

/// Where a connection is cut.
public enum CutPlace: String, Sendable, CaseIterable {
  /// At exactly that byte.
  case anywhere
  /// Inside a frame: of WebSocket, of a link, or an item of RESP, whatever the stream carries.
  case frame
  /// Between the bytes of one UTF-8 character.
  case character
  /// Between the bytes of one escape sequence.
  case escape
}

/// How the stream's frames are told apart.
public enum Framing: String, Sendable, CaseIterable {
  /// HTTP up to an empty line, then WebSocket (RFC 6455 §5.2).
  case webSocket = "websocket"
  /// Lengths as varints (RFC 9000 §16), as on a link.
  case link
  /// Lines ending in CR LF, as in RESP.
  case lines
}

struct CutFinder {
  /// A stream that has no such place for so long is cut where it stands.
  static let patience = 64 * 1024

  private let after: Int
  private let place: CutPlace
  private var frames: FrameScanner
  private var text = TextScanner()
  private var passed = 0

  init(after: Int, place: CutPlace, framing: Framing) {
    self.after = after
    self.place = place
    self.frames = FrameScanner(framing)
  }

  /// - Returns: how many of `bytes` pass before the cut; nil: all of them, and no cut yet.
  mutating func scan(_ bytes: some Sequence<UInt8>) -> Int? {
    var count = 0
    for byte in bytes {
      if passed >= after, isHere || passed >= after + Self.patience { return count }
      frames.take(byte)
      text.take(byte)
      passed += 1
      count += 1
    }
    return nil
  }

  /// Whether the place between the last byte and the next is one to cut at.
  private var isHere: Bool {
    switch place {
    case .anywhere: true
    case .frame: frames.isInside
    case .character: text.isInsideCharacter
    case .escape: text.isInsideEscape
    }
  }
}

/// Follows frame boundaries.
private struct FrameScanner {
  private enum State {
    /// Bytes of "\r\n\r\n" seen.
    case head(Int)
    case between
    /// The header so far; not yet long enough to know the frame's length.
    case header([UInt8])
    case body(left: Int)
    case line
  }
  private let framing: Framing
  private var state: State

  init(_ framing: Framing) {
    self.framing = framing
    state = framing == .webSocket ? .head(0) : .between
  }

  var isInside: Bool {
    switch state {
    case .header, .body, .line: true
    case .head, .between: false
    }
  }

  mutating func take(_ byte: UInt8) {
    switch state {
    case .head(let seen):
      let wanted: UInt8 = seen % 2 == 0 ? 0x0D : 0x0A
      let now = byte == wanted ? seen + 1 : byte == 0x0D ? 1 : 0
      state = now == 4 ? .between : .head(now)
    case .between: begin([byte])
    case .header(let header): begin(header + [byte])
    case .body(let left): state = left > 1 ? .body(left: left - 1) : .between
    case .line: if byte == 0x0A { state = .between }
    }
  }

  private mutating func begin(_ header: [UInt8]) {
    let body: Int?
    switch framing {
    case .webSocket: body = Self.webSocketBody(header)
    case .link: body = Self.linkBody(header)
    case .lines:
      state = header[0] == 0x0A ? .between : .line
      return
    }
    state = body.map { $0 > 0 ? .body(left: $0) : .between } ?? .header(header)
  }

  /// Payload length once the header is whole, mask included.
  private static func webSocketBody(_ header: [UInt8]) -> Int? {
    guard header.count >= 2 else { return nil }
    let short = Int(header[1] & 0x7F)
    let extended = short == 126 ? 2 : short == 127 ? 8 : 0
    let mask = header[1] & 0x80 != 0 ? 4 : 0
    guard header.count == 2 + extended + mask else { return nil }
    guard extended > 0 else { return short }
    return number(header[2..<(2 + extended)])
  }

  private static func linkBody(_ header: [UInt8]) -> Int? {
    guard header.count == 1 << (header[0] >> 6) else { return nil }
    return number([header[0] & 0x3F] + header.dropFirst())
  }

  private static func number(_ bytes: some Sequence<UInt8>) -> Int {
    // A length that does not fit is not ours: anything large will do.
    bytes.reduce(0) { ($0 & 0xFF_FFFF_FFFF) << 8 | Int($1) }
  }
}

/// Follows UTF-8 characters and escape sequences (ECMA-48: ESC, CSI; OSC up to BEL or ESC).
private struct TextScanner {
  private var continuation = 0
  private enum Escape { case none, escape, control, string }
  private var escape = Escape.none

  var isInsideCharacter: Bool { continuation > 0 }
  var isInsideEscape: Bool { escape != .none }

  mutating func take(_ byte: UInt8) {
    switch byte {
    case 0x80...0xBF: continuation = max(0, continuation - 1)
    case 0xC2...0xDF: continuation = 1
    case 0xE0...0xEF: continuation = 2
    case 0xF0...0xF4: continuation = 3
    default: continuation = 0
    }
    switch (escape, byte) {
    case (_, 0x1B): escape = .escape
    case (.escape, UInt8(ascii: "[")): escape = .control
    case (.escape, UInt8(ascii: "]")), (.escape, UInt8(ascii: "P")): escape = .string
    case (.escape, _): escape = .none
    case (.control, 0x40...0x7E): escape = .none
    case (.string, 0x07): escape = .none
    default: break
    }
  }
}

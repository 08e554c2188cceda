// The names in a file of Swift, without comments and text, and the types that it declares and extends. No compiler: as
// much as it takes to see which file mentions which.

struct SwiftFile {
  struct Name {
    var text: String
    /// How many braces are open around it.
    var depth: Int
    /// It stands behind a single dot: what it means depends on what is before that.
    var isMember: Bool
  }

  private(set) var names: [Name] = []
  /// Types at the top level that other files can mention.
  private(set) var types: [String] = []
  /// Those whose extensions stand at the top level.
  private(set) var extended: Set<String> = []

  init(_ text: String) {
    var scanner = SwiftScanner(Array(text.utf8))
    scanner.scan()
    names = scanner.names
    findDeclarations()
  }

  private static let declaring: Set = ["struct", "class", "enum", "actor", "protocol", "typealias"]
  private static let others: Set = ["let", "var", "func", "import", "extension"]

  private mutating func findDeclarations() {
    let top = names.filter { $0.depth == 0 }
    var isPrivate = false
    for (word, next) in zip(top, top.dropFirst()) {
      switch word.text {
      case "private", "fileprivate": isPrivate = true
      case let keyword where Self.declaring.contains(keyword):
        if !isPrivate { types.append(next.text) }
        isPrivate = false
      case let keyword where Self.others.contains(keyword):
        if keyword == "extension" { extended.insert(next.text) }
        isPrivate = false
      default: break
      }
    }
  }
}

private struct SwiftScanner {
  private let bytes: [UInt8]
  private var index = 0
  private var depth = 0
  private var isMember = false
  private(set) var names: [SwiftFile.Name] = []

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private var byte: UInt8? { index < bytes.count ? bytes[index] : nil }

  private func sees(_ text: StaticString) -> Bool {
    guard index + text.utf8CodeUnitCount <= bytes.count else { return false }
    for offset in 0..<text.utf8CodeUnitCount
    where bytes[index + offset] != text.utf8Start[offset] { return false }
    return true
  }

  /// - Parameter isInterpolation: ends at the parenthesis that closes it.
  mutating func scan(isInterpolation: Bool = false) {
    var parentheses = 0
    while let byte {
      if sees("//") {
        skip { $0 != UInt8(ascii: "\n") }
      } else if sees("/*") {
        while index < bytes.count, !sees("*/") { index += 1 }
        index += 2
      } else if Self.isOfName(byte) {
        takeName()
      } else if beginsText {
        skipText()
      } else {
        switch byte {
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "}"): depth -= 1
        case UInt8(ascii: "("): parentheses += 1
        case UInt8(ascii: ")"): parentheses -= 1
        default: break
        }
        // Behind `...` a name is none's member.
        let dot = UInt8(ascii: ".")
        isMember = byte == dot && (index == 0 || bytes[index - 1] != dot)
        index += 1
        if isInterpolation, parentheses == 0 { return }
      }
    }
  }

  private var beginsText: Bool {
    bytes[index...].first { $0 != UInt8(ascii: "#") } == UInt8(ascii: "\"")
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
      true
    default: false
    }
  }

  private mutating func skip(while isSkipped: (UInt8) -> Bool) {
    while let byte, isSkipped(byte) { index += 1 }
  }

  private mutating func takeName() {
    let start = index
    skip(while: Self.isOfName)
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    names.append(SwiftFile.Name(text: text, depth: depth, isMember: isMember))
    isMember = false
  }

  /// Skips a text, of one line or many, raw or not; what is interpolated is code.
  private mutating func skipText() {
    let hashes = bytes[index...].prefix { $0 == UInt8(ascii: "#") }.count
    index += hashes
    let quotes = sees("\"\"\"") ? 3 : 1
    index += quotes
    while let byte {
      let end = bytes[index...].prefix(quotes + hashes)
      if end.count == quotes + hashes, end.prefix(quotes).allSatisfy({ $0 == UInt8(ascii: "\"") }),
        end.dropFirst(quotes).allSatisfy({ $0 == UInt8(ascii: "#") })
      {
        index += quotes + hashes
        return
      }
      guard byte == UInt8(ascii: "\\") else {
        index += 1
        continue
      }
      let escape = bytes[index...].dropFirst().prefix { $0 == UInt8(ascii: "#") }.count
      index += 1 + escape
      guard escape == hashes else { continue }
      if self.byte == UInt8(ascii: "(") { scan(isInterpolation: true) } else { index += 1 }
    }
  }
}

// What a control string does, once its end has come.

extension Core {
  mutating func oscDispatch() {
    guard !string.isIgnored else { return }
    let bytes = string.bytes
    var number = 0
    var index = 0
    while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39, index < 6 {
      number = number * 10 + Int(bytes[index] - 0x30)
      index += 1
    }
    guard index > 0, index == bytes.count || bytes[index] == UInt8(ascii: ";") else { return }
    let text = bytes[min(index + 1, bytes.count)...]
    switch number {
    case 0:
      setTitle(text)
      titles.icon = Array(text.prefix(Limit.title))
    case 1: titles.icon = Array(text.prefix(Limit.title))
    case 2: setTitle(text)
    case 4: indexedColors(text)
    case 7: workingDirectory = Array(text.prefix(Limit.title))
    case 8: hyperlink(text)
    case 10, 11, 12: specialColors(text, from: number - 10)
    case 104: restoreColors(text)
    case 110, 111, 112: palette.special[number - 110] = nil
    case 133: shellMarked(text)
    default: break
    }
  }

  mutating func setTitle(_ text: ArraySlice<UInt8>) {
    titles.window = Array(text.prefix(Limit.title))
    titleChanged = true
  }

  private mutating func indexedColors(_ text: ArraySlice<UInt8>) {
    let parts = text.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
    for pair in 0..<parts.count / 2 {
      guard let index = Self.paletteIndex(parts[pair * 2]) else { continue }
      let value = parts[pair * 2 + 1]
      if value.elementsEqual("?".utf8) {
        answer { reply, core in
          reply.append("\u{1B}]4;")
          reply.append(decimal: Int(index))
          reply.append(UInt8(ascii: ";"))
          reply.append(color: core.palette[index])
          reply.append("\u{1B}\\")
        }
      } else if let color = Palette.parse(value) {
        palette.changed[index] = color
      }
    }
  }

  private static func paletteIndex(_ text: ArraySlice<UInt8>) -> UInt8? {
    guard !text.isEmpty, text.count <= 3, text.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
      return nil
    }
    return UInt8(exactly: text.reduce(0) { $0 * 10 + Int($1 - 0x30) })
  }

  private mutating func specialColors(_ text: ArraySlice<UInt8>, from first: Int) {
    let parts = text.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
    for (offset, value) in parts.enumerated() where first + offset < 3 {
      let index = first + offset
      if value.elementsEqual("?".utf8) {
        answer { reply, core in
          reply.append("\u{1B}]")
          reply.append(decimal: 10 + index)
          reply.append(UInt8(ascii: ";"))
          reply.append(color: core.palette.specialColor(index))
          reply.append("\u{1B}\\")
        }
      } else if let color = Palette.parse(value) {
        palette.special[index] = color
      }
    }
  }

  private mutating func restoreColors(_ text: ArraySlice<UInt8>) {
    guard !text.isEmpty else {
      palette.changed = [:]
      return
    }
    for part in text.split(separator: UInt8(ascii: ";")) {
      if let index = Self.paletteIndex(part) { palette.changed[index] = nil }
    }
  }

  private mutating func hyperlink(_ text: ArraySlice<UInt8>) {
    guard let separator = text.firstIndex(of: UInt8(ascii: ";")) else { return }
    let address = text[(separator + 1)...]
    if address.isEmpty {
      pen.link = 0
    } else {
      var id: ArraySlice<UInt8> = []
      for parameter in text[..<separator].split(separator: UInt8(ascii: ":"))
      where parameter.starts(with: "id=".utf8) {
        id = parameter.dropFirst(3)
        break
      }
      let link = Hyperlink(id: Array(id.prefix(Limit.linkID)), address: Array(address))
      pen.link = 0
      var number = links.intern(link)
      // A collection is a walk over everything: not for each of many links that find no room.
      if number == nil && (links.refused == 1 || links.refused >= Limit.links) {
        collectAttributes()
        number = links.intern(link)
      }
      pen.link = number ?? 0
    }
    penChanged()
  }

  private mutating func shellMarked(_ text: ArraySlice<UInt8>) {
    guard let kind = text.first, kind >= 0x41, kind <= 0x5A else { return }
    shellMark = ShellMark(kind: kind, detail: Array(text.dropFirst().prefix(Limit.shellMark)))
  }
}

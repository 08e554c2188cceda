// Answers to queries. They claim what xterm.js can show, since that is what the session's user has.
// The node sends them to the process; no client ever does.

extension Core {
  mutating func answer(_ text: StaticString) {
    answer { reply, _ in reply.append(text) }
  }

  /// Queues what `body` writes, unless the program asks without reading.
  mutating func answer(_ body: (inout [UInt8], Core) -> Void) {
    guard answers.count < Limit.answers else { return }
    var reply: [UInt8] = []
    body(&reply, self)
    answers.append(contentsOf: reply)
  }

  /// DSR and CPR.
  mutating func deviceStatus(isPrivate: Bool) {
    switch parameters[0] {
    case 5: if !isPrivate { answer("\u{1B}[0n") }
    case 6:
      answer { reply, core in
        reply.append(isPrivate ? "\u{1B}[?" : "\u{1B}[")
        reply.append(decimal: core.y - (core.modes.origin ? core.grid.top : 0) + 1)
        reply.append(UInt8(ascii: ";"))
        reply.append(decimal: min(core.x, core.columns - 1) + 1)
        reply.append(UInt8(ascii: "R"))
      }
    case 996: if isPrivate { reportScheme() }
    default: break
    }
  }

  /// Whether the user's theme is dark (1) or light (2).
  mutating func reportScheme() {
    answer { reply, core in
      reply.append("\u{1B}[?997;")
      reply.append(core.palette.isDark ? "1n" : "2n")
    }
  }

  /// DECRQM.
  mutating func reportMode(isPrivate: Bool) {
    let mode = Int(parameters[0])
    answer { reply, core in
      reply.append(isPrivate ? "\u{1B}[?" : "\u{1B}[")
      reply.append(decimal: mode)
      reply.append(UInt8(ascii: ";"))
      reply.append(decimal: core.modeReport(mode, isPrivate: isPrivate))
      reply.append("$y")
    }
  }

  /// XTWINOPS 18 and 19: the size in characters.
  mutating func reportSize(_ kind: Int) {
    answer { reply, core in
      reply.append("\u{1B}[")
      reply.append(decimal: kind)
      reply.append(UInt8(ascii: ";"))
      reply.append(decimal: core.rows)
      reply.append(UInt8(ascii: ";"))
      reply.append(decimal: core.columns)
      reply.append(UInt8(ascii: "t"))
    }
  }

  /// The end of a DCS. DECRQSS is the only one with an answer.
  mutating func dcsDispatch() {
    guard string.header == ControlString.statusRequest, !string.isIgnored else { return }
    let request = string.bytes
    answer { reply, core in
      func valid(_ body: (inout [UInt8]) -> Void) {
        reply.append("\u{1B}P1$r")
        body(&reply)
      }
      switch request {
      case Array("m".utf8):
        valid { reply in
          var writer = RenditionWriter()
          var look = core.pen
          look.background &= ~Attributes.protected
          look.link = 0
          var text: [UInt8] = []
          writer.appendRendition(look, to: &text)
          reply.append(UInt8(ascii: "0"))
          if text.count > 3 {
            reply.append(UInt8(ascii: ";"))
            reply.append(contentsOf: text[2...])
          } else {
            reply.append(UInt8(ascii: "m"))
          }
        }
      case Array("r".utf8):
        valid { reply in
          reply.append(decimal: core.grid.top + 1)
          reply.append(UInt8(ascii: ";"))
          reply.append(decimal: core.grid.bottom + 1)
          reply.append(UInt8(ascii: "r"))
        }
      case Array(" q".utf8):
        valid { reply in
          reply.append(decimal: max(1, Int(core.modes.cursorStyle)))
          reply.append(" q")
        }
      case Array("\"q".utf8): valid { $0.append(core.pen.isProtected ? "1\"q" : "0\"q") }
      case Array("\"p".utf8): valid { $0.append("61;1\"p") }
      default: reply.append("\u{1B}P0$r")
      }
      reply.append("\u{1B}\\")
    }
  }

  /// DECRQCRA: a checksum of a rectangle, `id;page;top;left;bottom;right`.
  mutating func reportChecksum() {
    let id = Int(parameters[0])
    let top = parameters.countAt(2) - 1
    let left = parameters.countAt(3) - 1
    let bottom = parameters[4] == 0 ? rows : min(rows, Int(parameters[4]))
    let right = parameters[5] == 0 ? columns : min(columns, Int(parameters[5]))
    var sum: UInt32 = 0
    let cells = max(0, bottom - top) * max(0, right - left)
    guard cells <= Limit.checksum else { return }
    spent &+= cells * Cost.checksumCell
    let first = modes.origin ? grid.top : 0
    for row in top..<max(top, bottom) where row + first < rows {
      for column in left..<max(left, right) {
        sum &+= checksum(of: grid[row + first][column])
      }
    }
    let negated = UInt16(truncatingIfNeeded: 0 &- sum)
    answer { reply, _ in
      reply.append("\u{1B}P")
      reply.append(decimal: id)
      reply.append("!~")
      for byte in [UInt8(negated >> 8), UInt8(negated & 255)] {
        reply.append(hex: byte)
      }
      // The VT420 wrote capitals.
      for index in reply.indices.suffix(4) where reply[index] >= 0x61 { reply[index] -= 0x20 }
      reply.append("\u{1B}\\")
    }
  }

  /// A cell's part: its character, and what a VT420 could show of its look.
  private func checksum(of cell: Cell) -> UInt32 {
    let code = cell.isCluster ? clusters.codePoint(cell.code, 0) : cell.code
    let look = attributes[cell.attributes]
    var sum = code == 0 ? 0x20 : code
    if look.isProtected { sum += 0x04 }
    if look.foreground & Attributes.invisible != 0 { sum += 0x08 }
    if look.foreground & Attributes.underlined != 0 { sum += 0x10 }
    if look.foreground & Attributes.inverse != 0 { sum += 0x20 }
    if look.foreground & Attributes.blink != 0 { sum += 0x40 }
    if look.foreground & Attributes.bold != 0 { sum += 0x80 }
    return sum
  }
}

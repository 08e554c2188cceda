// The whole state of a screen as text, so that two can be compared and a difference read.

@testable import Screen

enum StateDump {
  /// Everything that a snapshot must bring back.
  static func dump(_ screen: Screen) -> String {
    _ = screen.scrollbackCount
    return screen.withCore { core in
      var lines = ["size \(core.columns)x\(core.rows) cursor \(core.x),\(core.y)"]
      lines.append("modes \(core.modes)")
      let modified = core.modifiedKeys.values.sorted { $0.key < $1.key }
      lines.append("keyboard \(core.keyboard) hidden \(core.hiddenKeyboard) \(modified)")
      lines.append("pen \(describe(core.pen, core.looks)) preceding \(core.preceding)")
      lines.append("charsets \(core.charsets.designated) \(core.charsets.level)")
      lines.append("saved \(core.saved) other \(core.otherSaved)")
      lines.append("tabs \(stops(core.tabs)) other \(stops(core.otherTabs))")
      lines.append("region \(core.grid.top)-\(core.grid.bottom)")
      lines.append("titles \(core.titles) \(core.workingDirectory ?? []) \(core.shellMark)")
      let changed = core.palette.changed.sorted { $0.key < $1.key }
      lines.append("colors \(changed) \(core.palette.special)")
      lines.append(parser(core))
      if let primary = core.hiddenPrimary {
        lines.append("primary region \(primary.top)-\(primary.bottom)")
        lines += cells(primary, core, scrollback: true)
        lines.append("alternate")
        lines += cells(core.grid, core, scrollback: false)
      } else {
        lines.append("primary")
        lines += cells(core.grid, core, scrollback: true)
      }
      return lines.joined(separator: "\n") + "\n"
    }
  }

  private static func stops(_ tabs: TabStops) -> String {
    (0..<tabs.columns).filter { tabs[$0] }.map(String.init).joined(separator: ",")
  }

  private static func parser(_ core: Core) -> String {
    var text = "parser \(core.state) utf8 \(core.utf8.unfinished)"
    switch core.state {
    case ParserState.csiParameter, ParserState.csiIntermediate, ParserState.dcsParameter,
      ParserState.dcsIntermediate:
      var parameters: [UInt8] = []
      core.parameters.append(to: &parameters)
      text += " collected \(core.collected) parameters "
      text += String(decoding: parameters, as: UTF8.self)
    case ParserState.escapeIntermediate: text += " collected \(core.collected)"
    case ParserState.osc, ParserState.dcsPassthrough:
      text += " header \(core.string.header) string \(core.string.bytes)"
      text += " ignored \(core.string.isIgnored)"
    default: break
    }
    return text
  }

  static func describe(_ look: Attributes, _ looks: Looks) -> String {
    func hex(_ value: UInt32) -> String { String(value, radix: 16) }
    var text = "\(hex(look.foreground)):\(hex(look.background)):\(hex(look.underline))"
    if let link = looks.link(look.link) {
      text += ":" + String(decoding: link.id + [59] + link.address, as: UTF8.self)
    }
    return text
  }

  /// One text per line: `w` if it continues the line before, then its cells.
  static func cells(_ grid: Grid, _ core: Core, scrollback: Bool) -> [String] {
    var lines: [String] = []
    var source = LineSource(core, core.looks, grid: grid, scrollback: scrollback ? .max : 0)
    defer { source.deallocate() }
    while let row = source.next() {
      var line = row.isWrapped ? "w" : "-"
      for column in 0..<row.used {
        let cell = row.cells[column]
        var text = ""
        if cell.isCluster {
          for position in 0..<source.clusters.length(cell.code) {
            text += String(source.clusters.codePoint(cell.code, position), radix: 16) + "+"
          }
        } else {
          text = String(cell.code, radix: 16)
        }
        line += " \(text)/\(cell.width)"
        if cell.attributes != 0 {
          line += "/" + describe(source.looks[cell.attributes], source.looks)
        }
      }
      lines.append(line)
    }
    return lines
  }
}

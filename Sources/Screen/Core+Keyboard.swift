// The sequences by which a program sets how the keyboard says what is typed.

extension Core {
  /// CSI > flags u, CSI < count u, CSI = flags ; how u.
  mutating func keyboardFlags(_ prefix: UInt8) {
    let first = Int(parameters[0])
    switch prefix {
    case UInt8(ascii: ">"): keyboard.push(first)
    case UInt8(ascii: "<"): keyboard.pop(first)
    default: keyboard.set(first, how: parameters.count > 1 ? Int(parameters[1]) : 1)
    }
  }

  /// CSI ? u.
  mutating func reportKeyboardFlags() {
    answer { reply, core in
      reply.append("\u{1B}[?")
      reply.append(decimal: Int(core.keyboard.flags))
      reply.append(UInt8(ascii: "u"))
    }
  }

  /// CSI ? option m (XTQMODKEYS).
  mutating func reportModifiedKeys() {
    let option = Int(parameters[0])
    guard ModifiedKeys.options.contains(option) else { return }
    answer { reply, core in
      reply.append("\u{1B}[>")
      reply.append(decimal: option)
      reply.append(UInt8(ascii: ";"))
      reply.append(decimal: core.modifiedKeys.values[option] ?? 0)
      reply.append(UInt8(ascii: "m"))
    }
  }

  /// CSI > option ; value m; without a value, or without anything: as at first.
  mutating func modifyKeys() {
    guard parameters.count > 1 else {
      if parameters[0] == 0 {
        modifiedKeys = ModifiedKeys()
      } else {
        modifiedKeys.set(Int(parameters[0]), nil)
      }
      return
    }
    modifiedKeys.set(Int(parameters[0]), Int(parameters[1]))
  }
}

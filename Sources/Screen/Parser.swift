// Finds control sequences in the byte stream: Paul Williams' state machine for DEC terminals
// (vt100.net/emu/dec_ansi_parser), in the variant of xterm.js, over code points. Runs of printable
// ASCII, lone controls and complete CSI sequences have short cuts in front of it; everything else,
// and every sequence that is cut in the middle, goes through the table.

extension Core {
  /// Bytes of text that are printed between two looks at what it costs: on a narrow screen each second one scrolls.
  static let piece = 1_024

  /// Reads on until the end, or until it has cost so much; returns the bytes read.
  mutating func write(_ bytes: Input, work: Int) -> Int {
    spent = 0
    guard goOnResizing(work: work) else { return 0 }
    if history.isUncounted { history.countLines(work: work, &spent) }
    guard !history.isUncounted else { return 0 }
    // A byte costs one at least; what costs more adds it to `spent`.
    let bytes = bytes.prefix(work)
    var index = 0
    while index < bytes.count && spent &+ index < work {
      let byte = bytes[index]
      if state == ParserState.ground && utf8.missing == 0 {
        if byte >= 0x20 && byte < 0x7F {
          let length = min(bytes.printableRun(index), Self.piece)
          printASCII(bytes, index, length)
          index &+= length
          continue
        }
        if byte == 0x1B {
          let length = completeCSI(bytes, index)
          if length > 0 {
            index &+= length
            continue
          }
        } else if byte < 0x20 {
          execute(UInt32(byte))
          index &+= 1
          continue
        } else if byte >= 0xC2 {
          let length = printUnicode(bytes, index)
          if length > 0 {
            index &+= length
            continue
          }
        }
      } else if state == ParserState.osc && byte >= 0x20 && byte < 0x7F && utf8.missing == 0 {
        let length = bytes.printableRun(index)
        string.append(bytes, index, length)
        index &+= length
        continue
      }
      index &+= 1
      if byte < 0x80 {
        utf8.missing = 0
        step(UInt32(byte))
      } else if utf8.missing > 0 && byte & 0xC0 == 0x80 {
        if let code = utf8.proceed(byte) { step(code) }
      } else {
        utf8.begin(byte)
      }
    }
    return index
  }

  /// Carries out a CSI sequence that stands whole and ordinary at an index; returns its length, or 0 to leave
  /// it to the table.
  @inline(__always)
  private mutating func completeCSI(_ bytes: Input, _ from: Int) -> Int {
    guard bytes.peek(from &+ 1) == 0x5B else { return 0 }
    var index = from &+ 2
    var byte = bytes.peek(index)
    var prefix: UInt32 = 0
    if byte >= 0x3C && byte <= 0x3F {
      prefix = UInt32(byte)
      index &+= 1
    }
    parameters.reset()
    while true {
      byte = bytes.peek(index)
      if byte >= 0x30 && byte <= 0x39 {
        // One number at a stretch; a huge one is left to the table.
        var number = Int32(byte &- 0x30)
        let start = index
        index &+= 1
        while case let digit = bytes.peek(index) &- 0x30, digit < 10 {
          number = number &* 10 &+ Int32(digit)
          index &+= 1
        }
        if index &- start > 9 { return 0 }
        parameters.setLast(number)
      } else if byte == 0x3B {
        parameters.addParameter()
        index &+= 1
      } else if byte == 0x3A {
        parameters.addSubparameter()
        index &+= 1
      } else if byte >= 0x40 && byte < 0x7F {
        collected = prefix
        csiDispatch(UInt32(byte))
        preceding = 0
        return index &+ 1 &- from
      } else {
        return 0
      }
    }
  }

  /// One code point through the state machine.
  private mutating func step(_ code: UInt32) {
    let entry = transitions.entry(state, code)
    var next = entry & 15
    switch entry >> 4 {
    case ParserAction.print.rawValue: printCodePoint(code)
    case ParserAction.execute.rawValue: execute(code)
    case ParserAction.csiDispatch.rawValue:
      csiDispatch(code)
      preceding = 0
    case ParserAction.parameter.rawValue:
      if code == 0x3B {
        parameters.addParameter()
      } else if code == 0x3A {
        parameters.addSubparameter()
      } else {
        parameters.addDigit(Int32(code) - 0x30)
      }
    case ParserAction.collect.rawValue:
      // Four collected bytes are more than any sequence has: it will match nothing.
      collected = collected > 0xFFFF ? 0xFFFF_FFFF : collected << 8 | code
    case ParserAction.escapeDispatch.rawValue:
      escapeDispatch(code)
      preceding = 0
    case ParserAction.clear.rawValue: clearSequence()
    case ParserAction.dcsHook.rawValue: string.hook(collected << 8 | code)
    case ParserAction.dcsPut.rawValue: string.append(code)
    case ParserAction.dcsUnhook.rawValue:
      if code != 0x18 && code != 0x1A { dcsDispatch() }
      endString(code, &next)
    case ParserAction.oscStart.rawValue: string.start()
    case ParserAction.oscPut.rawValue: string.append(code)
    case ParserAction.oscEnd.rawValue:
      if code != 0x18 && code != 0x1A { oscDispatch() }
      endString(code, &next)
    default: break
    }
    state = next
  }

  private mutating func clearSequence() {
    parameters.reset()
    collected = 0
  }

  private mutating func endString(_ code: UInt32, _ next: inout UInt8) {
    if code == 0x1B { next = ParserState.escape }
    string.clear()
    clearSequence()
    preceding = 0
  }
}

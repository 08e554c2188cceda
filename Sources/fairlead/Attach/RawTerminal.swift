// The user's terminal in raw mode, given back on every way out: at the end, at `exit`, and when a
// signal ends the process.

import ArgumentParser
import Glibc
import Wire

enum RawTerminal {
  /// What a signal's handler needs; written once, before any handler is in place.
  nonisolated(unsafe) private static var saved = termios()
  nonisolated(unsafe) private static var isRaw = false

  /// What a signal's handler writes: two places by turns, so that it never finds one half written.
  private static let placeSize = CommandLimits.emergencyBytes
  nonisolated(unsafe) private static let places = UnsafeMutablePointer<UInt8>.allocate(
    capacity: 2 * placeSize)
  /// The place in use, and how much is in it: one word, written at once.
  nonisolated(unsafe) private static var emergency = 0
  private static let farewell =
    "\r\n[fairlead: ended by a signal; the session lives on]\r\n\u{1b}[J"

  /// Keeps what brings the terminal back, for a death by signal. From one thread at a time.
  static func prepare(restoration: [UInt8]) {
    let text = (restoration + Array(farewell.utf8)).prefix(placeSize)
    let place = emergency / 65_536 == 0 ? 1 : 0
    for (index, byte) in text.enumerated() { places[place * placeSize + index] = byte }
    emergency = place * 65_536 + text.count
  }

  static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }
  static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// The terminal's size, if there is a terminal that knows; of a larger one than a session can have,
  /// the largest that fits.
  static var size: TerminalSize? { window.flatMap(fitting) }

  /// What to say to who has a larger terminal than a session can have; nil: it has not.
  static var excess: String? {
    guard let window, let size = fitting(window), size != window else { return nil }
    return
      "this terminal is \(window); a session has at most \(most)x\(most), so this one gets \(size)"
  }

  private static let most = WireLimits.side.upperBound

  static func fitting(_ window: TerminalSize) -> TerminalSize? {
    guard window.columns > 0, window.rows > 0 else { return nil }
    return TerminalSize(columns: min(window.columns, most), rows: min(window.rows, most))
  }

  private static var window: TerminalSize? {
    for descriptor in [STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO] {
      var window = winsize()
      guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0 else { continue }
      let size = TerminalSize(columns: Int(window.ws_col), rows: Int(window.ws_row))
      if fitting(size) != nil { return size }
    }
    return nil
  }

  /// Raw mode: every key comes as it is. Does nothing when standard input is no terminal.
  static func enter() {
    guard isInputTerminal, !isRaw, tcgetattr(STDIN_FILENO, &saved) == 0 else { return }
    isRaw = true
    prepare(restoration: [])
    installHandlers()
    atexit { RawTerminal.leave() }
    var raw = saved
    cfmakeraw(&raw)
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
  }

  /// Gives the terminal back.
  static func leave() {
    guard isRaw else { return }
    isRaw = false
    // Not after a drain: the terminal may be stopped by Ctrl-S.
    tcsetattr(STDIN_FILENO, TCSANOW, &saved)
  }

  private static func installHandlers() {
    // Only what is safe in a signal's handler: tcsetattr, write, _exit.
    let handler: @convention(c) (CInt) -> Void = { signal in
      if RawTerminal.isRaw {
        RawTerminal.isRaw = false
        tcsetattr(STDIN_FILENO, TCSANOW, &RawTerminal.saved)
        let place = RawTerminal.places + RawTerminal.emergency / 65_536 * RawTerminal.placeSize
        _ = write(STDOUT_FILENO, place, RawTerminal.emergency % 65_536)
      }
      _exit(255)
    }
    for signal in [
      SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
    ] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = handler
      action.sa_flags = CInt(bitPattern: UInt32(SA_RESETHAND))
      sigaction(signal, &action, nil)
    }
  }
}

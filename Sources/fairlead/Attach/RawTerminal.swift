// The user's terminal in raw mode, given back on every way out: at the end, at `exit`, and when a
// signal ends the process.

import ArgumentParser
import Glibc
import Wire

enum RawTerminal {
  /// What a signal's handler needs; written once, before any handler is in place.
  nonisolated(unsafe) private static var saved = termios()
  nonisolated(unsafe) private static var isRaw = false

  /// For a death by signal, when nobody can say what the program had switched on: the alternate
  /// screen, mouse, focus and paste off, the cursor back.
  private static let emergency: StaticString =
    "\u{1b}\\\u{18}\u{1b}[?1000l\u{1b}[?1002l\u{1b}[?1003l\u{1b}[?1004l\u{1b}[?1006l\u{1b}[?2004l\u{1b}[?1l\u{1b}>\u{1b}[?25h\u{1b}[0m\r\n[fairlead: ended by a signal; the session lives on]\r\n"

  static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }
  static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// The terminal's size, if there is a terminal that knows.
  static var size: TerminalSize? {
    for descriptor in [STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO] {
      var window = winsize()
      guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0 else { continue }
      let size = TerminalSize(columns: Int(window.ws_col), rows: Int(window.ws_row))
      if size.isValid { return size }
    }
    return nil
  }

  /// Raw mode: every key comes as it is. Does nothing when standard input is no terminal.
  static func enter() {
    guard isInputTerminal, !isRaw, tcgetattr(STDIN_FILENO, &saved) == 0 else { return }
    isRaw = true
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
        _ = write(
          STDOUT_FILENO, RawTerminal.emergency.utf8Start, RawTerminal.emergency.utf8CodeUnitCount)
      }
      _exit(1)
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

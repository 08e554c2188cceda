// What a terminal is asked and told through its master, by whoever has that: the holder, or a node that holds the
// terminal itself.

import CHolder

/// A pseudo-terminal. It does not own the descriptor of its master.
public struct TerminalControl {
  private let master: Int32

  public init(master: Int32) { self.master = master }

  /// Returns whether it has the size now.
  public func resize(columns: UInt16, rows: UInt16) -> Bool {
    holder_resize(master, columns, rows) == 0
  }

  /// The process group in its foreground; nil: there is none, or none that this process may name (0: it is of another
  /// namespace; 1, as a group to signal, would mean everybody).
  public var foreground: Int32? {
    let group = holder_foreground(master)
    return group > 1 ? group : nil
  }

  /// If the terminal makes a signal of the key and discards its input for that (termios: ISIG, without NOFLSH):
  /// discards what was not read yet, and returns true. Needs Linux 4.13.
  public func discardInput(for key: UInt8) -> Bool { holder_discard_input(master, key) != 0 }
}

// Whose size the terminal has, and when it may change. One client has it; of many changes only the last
// counts, since each is work for the screen and a signal to the process: a window that is dragged, or a flood of
// RESIZE, changes the size once in an interval.

import NIOCore
import Wire

struct SizeRule {
  /// The client whose size the terminal has; it keeps it while it is away, until another one takes it.
  private(set) var sizeOwner: ClientIdentity?
  private(set) var size: TerminalSize
  /// What that client wants; `size` follows at its pace.
  private var wanted: TerminalSize
  private var lastChange: NIODeadline?
  /// The next change waits for its time.
  private var isWaiting = false

  /// - Parameter sizeOwner: nil: nobody has taken it.
  init(_ size: TerminalSize, of sizeOwner: ClientIdentity? = nil) {
    self.size = size
    self.sizeOwner = sizeOwner
    wanted = size
  }

  enum Step: Equatable {
    case none, change
    case wait(until: NIODeadline)
  }

  /// - Returns: whether that client is another one than before.
  mutating func give(to client: ClientIdentity, wanting size: TerminalSize) -> Bool {
    wanted = size
    guard sizeOwner != client else { return false }
    sizeOwner = client
    return true
  }

  /// Whether the size has to change, and may.
  var isDue: Bool { wanted != size && !isWaiting }

  /// What is to be done about the size at this time.
  mutating func next(now: NIODeadline) -> Step {
    guard isDue else { return .none }
    if let lastChange, now - lastChange < SessionLimits.resizeInterval {
      isWaiting = true
      return .wait(until: lastChange + SessionLimits.resizeInterval)
    }
    return .change
  }

  /// Takes over a size that another node gave the terminal.
  mutating func follow(_ size: TerminalSize) {
    self.size = size
    wanted = size
  }

  mutating func intervalIsOver() { isWaiting = false }

  mutating func change(now: NIODeadline) {
    lastChange = now
    size = wanted
  }
}

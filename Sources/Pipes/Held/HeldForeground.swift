// Whether something is at work in a held terminal: the holder is asked from time to time.

import NIOCore

struct HeldForeground {
  private var asked: NIODeadline?
  private var isShell: Bool?
  private var leaderHasForeground = false

  /// Whether it is time to ask again.
  mutating func begin(_ now: NIODeadline) -> Bool {
    if let asked, now - asked < PipeLimits.look { return false }
    asked = now
    return true
  }

  mutating func didLook(_ leaderHasForeground: Bool, _ commandLine: [UInt8]) {
    self.leaderHasForeground = leaderHasForeground
    let words = commandLine.split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    isShell = ShellCommand.isInteractive(words.last == "" ? words.dropLast() : words)
  }

  /// Whether something may be at work: it may, as long as that is not known.
  var hasJob: Bool { !(leaderHasForeground && isShell == true) }
}

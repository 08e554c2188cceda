// Whether a command is a shell that a person types into, rather than one that runs a script: only the
// former does nothing while it has the terminal to itself.

import Glibc
import NIOCore
import NIOPosix

enum ShellCommand {
  private static let shells: Set<String> = [
    "ash", "bash", "csh", "dash", "elvish", "fish", "ksh", "mksh", "nu", "pwsh", "rbash", "sh",
    "tcsh",
    "xonsh", "yash", "zsh",
  ]
  /// Options that take the next word.
  private static let withValue: Set<String> = ["--init-file", "--rcfile", "-O", "-o", "+O", "+o"]

  /// - Parameter words: as a program gets them, from argument 0 on.
  static func isInteractive(_ words: [String]) -> Bool {
    guard let first = words.first else { return false }
    let name = first.split(separator: "/").last.map { $0.hasPrefix("-") ? $0.dropFirst() : $0 }
    guard let name, shells.contains(String(name)) else { return false }
    var rest = words.dropFirst()[...]
    while let word = rest.popFirst() {
      if withValue.contains(word) {
        _ = rest.popFirst()
      } else if word.hasPrefix("--"), word.count > 2 {
        if word == "--command" || word.hasPrefix("--command=") { return false }
      } else if word.hasPrefix("-"), word.count > 1, word != "--" {
        if word.contains("c") { return false }
      } else if !word.hasPrefix("+") {
        return rest.isEmpty && (word == "-" || word == "--")  // a script
      }
    }
    return true
  }
}

/// Looks from time to time whether a session's process is still, or has become, such a shell: it may have
/// executed something else. Confined to its event loop.
final class ShellLook {
  private let eventLoop: any EventLoop
  private var isShell: Bool
  private var lookedAt: NIODeadline?
  private var isLooking = false

  init(isShell: Bool, eventLoop: any EventLoop) {
    self.isShell = isShell
    self.eventLoop = eventLoop
  }

  /// False, too, while it is not known: on another thread, since the process's memory, which is where its words
  /// are read from, may be of a file that does not answer.
  func isShell(_ pid: pid_t, now: NIODeadline = .now()) -> Bool {
    if let lookedAt, now - lookedAt < PipeLimits.look { return isShell }
    guard !isLooking else { return false }
    isLooking = true
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    PipeThreads.looks.runIfActive(eventLoop: eventLoop) { ProcessTable.command(of: pid) }
      .whenComplete { result in
        let look = bound.value
        look.isLooking = false
        look.lookedAt = .now()
        if case .success(let words?) = result {
          look.isShell = ShellCommand.isInteractive(words)
        }
      }
    return false
  }
}

// `fairlead attach ID`: a session on this terminal.

import ArgumentParser
import Wire

struct AttachCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach",
    abstract: "Show a session on this terminal and type into it.",
    discussion: """
      At the beginning of a line: ~. detaches (the session lives on), ~~ types a ~, ~? helps. When \
      the connection drops it is made again by itself, at the byte where it broke; meanwhile the \
      terminal's title says so. What this terminal answers to programs' queries is not typed: the \
      session's node answers them. Ctrl-C, Ctrl-\\ and Ctrl-Z take the place of what was typed or \
      pasted before them and has not been sent yet; how much that was is said. Whatever the \
      session's program has set on this terminal is undone in the end.

      When the process ends, attach ends with its exit code, or with 128 and the number of the signal \
      that ended it; 255 is for Fairlead's own failures, 0 for detaching.

      Standard input may be a pipe. All of it is typed, escape keys have no meaning, and after its \
      end attach leaves as soon as the output has been quiet for a second; if there was nothing in it, \
      as in /dev/null, attach stays until the process ends.

        fairlead attach build-42
        fairlead attach build-42 --watch      (only look; Ctrl-C leaves as well)
        echo 'uptime' | fairlead attach build-42
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @Flag(help: "Only look: what is typed stays here.")
  var watch = false

  @OptionGroup var wait: WaitOptions
  @OptionGroup var api: APIOptions

  func run() async throws {
    let open = Open(
      session: id, size: RawTerminal.size ?? .standard, mode: watch ? .watcher : .driver)
    if let excess = RawTerminal.excess { complain("[fairlead: \(excess)]") }
    try await passingOnExitCodes {
      try await AttachedClient(
        api: api, open: open, fixedSize: false, wait: wait.wait.duration
      ).run()
    }
  }
}

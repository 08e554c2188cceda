// `fairlead hold`: holds a node's terminals as a service of its own.

import ArgumentParser
import Logging
import Logs
import Pipes

struct HoldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold",
    abstract: "Holds a node's terminals, as a service of its own.",
    discussion: """
      A node starts such a process by itself. Where what stops the node stops all that it has started, too (a \
      container, a unit of systemd), this is to be a service beside it: with the same state directory, the same user, and \
      started first. The node finds it there, waits for it, and may be replaced; this one is not to be, since its \
      end (SIGTERM) is the end of its terminals.

        fairlead hold --state-directory /var/lib/fairlead/node
        fairlead node --state-directory /var/lib/fairlead/node --redis redis://10.0.0.2:6379/0
      """)

  @Option(
    help: ArgumentHelp(
      "The node's state directory, which is made if it is not there.", valueName: "directory"))
  var stateDirectory: String = fromEnvironment("STATE_DIRECTORY", default: "")

  @Flag(help: "Go on in the background; the command ends once terminals can be held.")
  var detach = false

  func validate() throws {
    guard stateDirectory.hasPrefix("/") else {
      throw ValidationError("--state-directory has to name a directory, by its absolute path")
    }
  }

  func run() throws {
    let logger = Logger(label: "hold") { TextLogHandler(label: $0) }
    try HolderService(stateDirectory, logger: logger).run(detaches: detach)
  }
}

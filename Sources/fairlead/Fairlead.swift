// The one executable: roles and admin commands, one file each.

import APIClient
import ArgumentParser
import Glibc
import Holder
import Logs

@main
struct Fairlead: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fairlead",
    abstract: "Keeps web terminals alive.",
    discussion: """
      Try it on one machine, with nothing else installed:
        fairlead serve
        fairlead new                 (in another terminal; detach with ~.)
        fairlead attach ID           (the same shell, where you left it)

      Every option can also be set by the environment: --log-level by FAIRLEAD_LOG_LEVEL, and so on.
      """,
    version: fairleadVersion,
    groupedSubcommands: [
      CommandGroup(
        name: "Roles:",
        subcommands: [ServeCommand.self, NodeCommand.self, RouterCommand.self, HoldCommand.self]),
      CommandGroup(
        name: "Sessions:",
        subcommands: [
          NewCommand.self, AttachCommand.self, SessionsCommand.self, SessionCommand.self,
          ScreenCommand.self, KillCommand.self,
        ]),
      CommandGroup(
        name: "Cluster:",
        subcommands: [
          NodesCommand.self, WhereCommand.self, DrainCommand.self, VersionCommand.self,
          TicketCommand.self, TokenCommand.self, CertsCommand.self,
        ]),
    ])

  static func main() async {
    let words = Array(CommandLine.arguments.dropFirst())
    var runs: (any ParsableCommand.Type)?
    do {
      // The holder of this node's terminals, where no static one was built. Before anything of a role is set up.
      if words.first == "holder" {
        Glibc.exit(HolderCommand.run(words.dropFirst().map { Array($0.utf8) }))
      }
      if let unknown = Misuse.unknownCommand(in: words, of: self) {
        runs = unknown.parent
        throw ValidationError(unknown.message)
      }
      var command = try parseAsRoot(words)
      runs = type(of: command)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let error as APIOptions.Ambiguous {
      leave(ValidationError(error.description), words, runs)
    } catch let error as APIError {
      flushLogs()
      complain("Error: \(printable(NextStep.advised(error)))")
      Glibc.exit(ExitCode.failure.rawValue)
    } catch {
      leave(error, words, runs)
    }
    flushLogs()
  }

  /// Says what went wrong after what the log has to say of it.
  /// - Parameter command: what ran; nil: the words are none that it could run with.
  private static func leave(
    _ error: any Error, _ words: [String], _ command: (any ParsableCommand.Type)?
  ) -> Never {
    flushLogs()
    let code = exitCode(for: error)
    // Help and completions, which were asked for.
    if code == .success { exit(withError: error) }
    let message =
      if let command {
        (error as? ValidationError).map { Misuse.told($0, by: command, of: self) }
          ?? fullMessage(for: error)
      } else {
        Misuse.explained(fullMessage(for: error), in: words, of: self, starter: NewCommand.self)
      }
    if !message.isEmpty { complain(message) }
    Glibc.exit(code.rawValue)
  }

  private static func flushLogs() {
    LogWriter.standardOutput.flush()
    LogWriter.standardError.flush()
  }
}

/// The version of this build.
let fairleadVersion = "0.1.0"

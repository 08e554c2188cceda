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
        name: "Roles:", subcommands: [ServeCommand.self, NodeCommand.self, RouterCommand.self]),
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
    do {
      let words = Array(CommandLine.arguments.dropFirst())
      // The holder of this node's terminals, where no static one was built. Before anything of a role is set up.
      if words.first == "holder" {
        Glibc.exit(HolderCommand.run(words.dropFirst().map { Array($0.utf8) }))
      }
      if let problem = Misuse.unknownCommand(in: words, of: self) { throw ValidationError(problem) }
      var command = try parseAsRoot(words)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let error as APIOptions.Ambiguous {
      leave(ValidationError(error.description))
    } catch let error as APIError {
      flushLogs()
      complain("Error: \(printable(NextStep.advised(error)))")
      Glibc.exit(ExitCode.failure.rawValue)
    } catch {
      leave(error)
    }
    flushLogs()
  }

  /// Says what went wrong after what the log has to say of it.
  private static func leave(_ error: any Error) -> Never {
    flushLogs()
    let code = exitCode(for: error)
    // Help and completions, which were asked for.
    if code == .success { exit(withError: error) }
    let message = Misuse.explained(fullMessage(for: error))
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

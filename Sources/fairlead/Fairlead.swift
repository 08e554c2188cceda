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
          ScreenCommand.self, KillCommand.self, WhereCommand.self, ExplainCommand.self,
        ]),
      CommandGroup(
        name: "Cluster:",
        subcommands: [
          NodesCommand.self, ShowNodeCommand.self, RoutersCommand.self, ShowRouterCommand.self,
          ClientsCommand.self, KickCommand.self, DrainCommand.self, CordonCommand.self,
          UncordonCommand.self, CanStopCommand.self, DoctorCommand.self, EventsCommand.self,
          TopCommand.self,
          RingCommand.self, CheckCommand.self,
        ]),
      CommandGroup(
        name: "This command line, keys and versions:",
        subcommands: [
          ContextCommand.self, ConfigCommand.self, CompletionCommand.self, ManualCommand.self,
          TicketCommand.self, TokenCommand.self, CertsCommand.self, VersionCommand.self,
        ]),
    ])

  static func main() async {
    var words = Array(CommandLine.arguments.dropFirst())
    var runs: (any ParsableCommand.Type)?
    do {
      // The holder of this node's terminals, where no static one was built. Before anything of a role is set up.
      if words.first == "holder" {
        Glibc.exit(HolderCommand.run(words.dropFirst().map { Array($0.utf8) }))
      }
      RootCommand.type = self
      let context = try ContextFile.taken(from: &words)
      words = shown(words)
      try ContextFile.use(context, for: words, isRole: isRole(words))
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
      Glibc.exit((error.isOfNothing ? ExitCode(2) : .failure).rawValue)
    } catch {
      leave(error, words, runs)
    }
    flushLogs()
  }

  /// `node` and `router` are roles; with a name behind them, they show one.
  private static func shown(_ words: [String]) -> [String] {
    guard words.count > 1, ["node", "router"].contains(words[0]), !words[1].hasPrefix("-") else {
      return words
    }
    return ["show-" + words[0]] + words.dropFirst()
  }

  private static func isRole(_ words: [String]) -> Bool {
    let roles: [any ParsableCommand.Type] = [
      ServeCommand.self, NodeCommand.self, RouterCommand.self, HoldCommand.self,
    ]
    return roles.contains { $0.configuration.commandName == words.first }
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

extension APIError {
  /// Whether nobody could be asked: where commands say by their exit code 1 that what they found is a part, this is
  /// none of it.
  fileprivate var isOfNothing: Bool {
    switch code {
    case .unreachable, .notUnderstood, .failed(status: 503, _): true
    case .failed: false
    }
  }
}

/// The version of this build.
let fairleadVersion = "0.1.0"

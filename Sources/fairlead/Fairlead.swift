// The one executable: roles and admin commands, one file each.

import ArgumentParser

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
}

/// The version of this build.
let fairleadVersion = "0.1.0"

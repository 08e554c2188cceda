// `fairlead certs`: certificates for a cluster of one's own, and a look at those in use.

import ArgumentParser

struct CertsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "certs",
    abstract: "Make certificates, or look at them.",
    subcommands: [CertsInitCommand.self, CertsShowCommand.self])
}

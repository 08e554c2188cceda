import ArgumentParser

struct RouterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "router")
}

// `fairlead config show`: what the commands go by, and where each of it is from.

import ArgumentParser
import Redis

struct ConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Say what the commands go by.",
    subcommands: [ConfigShowCommand.self], defaultSubcommand: ConfigShowCommand.self)
}

struct ConfigShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "List what the environment and the context say, and where the API is.",
    discussion: """
      Passwords and tokens are not shown.

        fairlead config show
        fairlead config show --context prod
      """)

  struct View: Codable {
    var name: String
    var value: String
    var from: String
  }

  @OptionGroup var list: ListOptions
  @OptionGroup var api: APIOptions

  private static var columns: [Column<View>] {
    [.text("NAME") { $0.name }, .text("FROM") { $0.from }, .text("VALUE") { $0.value }]
  }

  func validate() throws { try list.check(Self.columns) }

  func run() async throws {
    var views: [View] = []
    if let context = ContextValues.context {
      let from =
        context.isNamed
        ? "--context"
        : processEnvironment("CONTEXT")
          .map { _ in "environment" } ?? "file"
      views.append(View(name: "context", value: context.name, from: from))
    }
    for name in (ContextValues.names + ["TOKEN"]).sorted() {
      guard let value = environment(name) else { continue }
      let isOverridden = ContextValues.overriding(name) != nil
      let from = isOverridden || processEnvironment(name) == nil ? "context" : "environment"
      views.append(View(name: name.lowercased(), value: Self.shown(name, value), from: from))
    }
    if !views.contains(where: { $0.name == "api" }) {
      views.append(
        View(name: "api", value: api.api, from: ServeFile.all().isEmpty ? "usual" : "serve"))
    }
    views.append(View(name: "contexts", value: ContextFile.path ?? "-", from: "file"))
    say(try list.text(of: views, Self.columns, name: \.name))
  }

  private static func shown(_ name: String, _ value: String) -> String {
    switch name {
    case "TOKEN": "(not shown)"
    case "REDIS": (try? RedisEndpoint(value))?.description ?? "(not a Redis URL)"
    default: value
    }
  }
}

// `fairlead context`: which cluster the commands ask, by a name instead of options.

import ArgumentParser
import Client

struct ContextCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "context",
    abstract: "Name clusters, and choose which one the commands ask.",
    discussion: """
      A context says what --api, --token-file, --ca, --redis and such options would say. What an option or a variable \
      says goes before it. It is used by every command but the roles, unless --api or FAIRLEAD_API says where to ask; \
      --context NAME or FAIRLEAD_CONTEXT takes another for one command, and --context NAME goes before all variables. \
      Contexts are kept in \
      ~/.config/fairlead/contexts.json.

        fairlead context set prod --api https://console.example.com --token-file ~/.fairlead/prod.token
        fairlead context use prod
        fairlead nodes
        fairlead --context lab nodes
        fairlead context
      """,
    subcommands: [
      ContextListCommand.self, ContextSetCommand.self, ContextUseCommand.self,
      ContextRemoveCommand.self,
    ], defaultSubcommand: ContextListCommand.self)
}

struct ContextListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the contexts.",
    discussion: """
        fairlead context list -o wide
      """)

  struct View: Codable {
    var name: String
    var isUsed: Bool
    var values: [String: String]
  }

  @OptionGroup var list: ListOptions

  private static var columns: [Column<View>] {
    [
      .text("NAME") { $0.name },
      .text("USED") { $0.isUsed ? "yes" : "no" }.toned { $0.isUsed ? .good : nil },
      .text("API") { $0.values["API"] },
      .text("SAYS") { $0.values.keys.sorted().joined(separator: " ").lowercased() },
    ]
  }

  func validate() throws { try list.check(Self.columns) }

  func run() async throws {
    let file = try ContextFile.read()
    let views = file.contexts.sorted { $0.key < $1.key }.map {
      View(name: $0, isUsed: $0 == file.current, values: $1)
    }
    let text = try list.text(of: views, Self.columns, name: \.name)
    if !text.isEmpty { say(text) }
  }
}

struct ContextSetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Make a context, or change one.",
    discussion: """
      Only what is given is changed; an empty value takes it out.

        fairlead context set prod --api https://console.example.com --token-file ~/.fairlead/prod.token
        fairlead context set prod --value redis=rediss://10.0.0.5:6379/0 --value redis_ca=/etc/fairlead/ca.pem
      """)

  @Argument(help: "Its name.")
  var name: ContextName

  @Option(help: "Where the API is.")
  var api: String?

  @Option(help: ArgumentHelp("A file with the token to show.", valueName: "file"))
  var tokenFile: String?

  @Option(help: ArgumentHelp("PEM file of the CAs to trust.", valueName: "file"))
  var ca: String?

  @Option(
    help: ArgumentHelp(
      "Anything else: \(ContextValues.names.joined(separator: ", ").lowercased()); may be given again.",
      valueName: "name=value"))
  var value: [LabelOption] = []

  private var changes: [(String, String)] {
    var changes: [(String, String)] = []
    if let api { changes.append(("API", api)) }
    if let tokenFile { changes.append(("TOKEN_FILE", tokenFile)) }
    if let ca { changes.append(("CA", ca)) }
    for more in value { changes.append((more.key.uppercased(), more.value)) }
    return changes
  }

  func validate() throws {
    for (name, _) in changes where !ContextValues.names.contains(name) {
      throw ValidationError("a context has no \"\(printable(name.lowercased()))\"")
    }
    if let api, !api.isEmpty {
      do { _ = try Endpoint(api) } catch { throw ValidationError("--api: \(error)") }
    }
    guard !changes.isEmpty else { throw ValidationError("say what it says, such as --api URL") }
  }

  func run() async throws {
    var file = try ContextFile.read()
    var values = file.contexts[name.text] ?? [:]
    for (name, value) in changes { values[name] = value.isEmpty ? nil : value }
    file.contexts[name.text] = values
    if file.current == nil { file.current = name.text }
    try file.write()
    say(
      "context \(name.text)\(file.current == name.text ? " is used" : "; fairlead context use \(name.text)")"
    )
  }
}

struct ContextUseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "use", abstract: "Choose the context that is used, or none.",
    discussion: """
        fairlead context use prod
        fairlead context use --none
      """)

  @Argument(help: "Its name.")
  var name: ContextName?

  @Flag(help: "Use none.")
  var none = false

  func validate() throws {
    guard (name != nil) != none else { throw ValidationError("say which one, or --none") }
  }

  func run() async throws {
    var file = try ContextFile.read()
    if let name, file.contexts[name.text] == nil {
      throw ValidationError(
        "there is no context \(name.text); `fairlead context` lists those that are")
    }
    file.current = name?.text
    try file.write()
    say(name.map { "context \($0.text) is used" } ?? "no context is used")
  }
}

struct ContextRemoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Forget a context.",
    discussion: """
        fairlead context remove lab
      """)

  @Argument(help: "Its name.")
  var name: ContextName

  func run() async throws {
    var file = try ContextFile.read()
    guard file.contexts.removeValue(forKey: name.text) != nil else {
      throw ValidationError("there is no context \(name.text)")
    }
    if file.current == name.text { file.current = nil }
    try file.write()
    say("context \(name.text) is forgotten")
  }
}

/// The name of a context, of the form of all names.
struct ContextName: Formed {
  static let form = "a name is 1 to 64 characters of A-Z, a-z, 0-9, _ and -"
  var text: String

  init?(formed text: String) {
    guard text.utf8.count <= 64, !text.isEmpty,
      text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }),
      text.first != "-"
    else { return nil }
    self.text = text
  }
}

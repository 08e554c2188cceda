// `fairlead completion`: scripts by which a shell completes commands and options; and the manual, which is made of the
// commands themselves.

import ArgumentParser
import FoundationEssentials

/// The command of which all others are parts, for those that tell of all.
enum RootCommand {
  /// Set once, by the process's first task, before any command runs: nobody writes it while another reads.
  nonisolated(unsafe) static var type: (any ParsableCommand.Type)?
}

struct CompletionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completion",
    abstract: "Print a script by which a shell completes commands and options.",
    discussion: """
        source <(fairlead completion bash)
        fairlead completion zsh > ~/.zfunc/_fairlead
        fairlead completion fish > ~/.config/fish/completions/fairlead.fish
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

  @Argument(help: "bash, zsh or fish.")
  var shell: Shell

  func run() async throws {
    guard let root = RootCommand.type, let shell = CompletionShell(rawValue: shell.rawValue) else {
      throw ValidationError("it is bash, zsh or fish")
    }
    say(root.completionScript(for: shell))
  }
}

struct ManualCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manual",
    abstract: "Print the manual of all commands, or write it as man pages.",
    discussion: """
        fairlead manual > docs/cli.md
        fairlead manual --man /usr/local/share/man/man1
      """)

  @Option(
    help: ArgumentHelp(
      "Write a man page for each command into this directory.", valueName: "directory"))
  var man: String?

  func run() async throws {
    guard let root = RootCommand.type else { return }
    let manual = Manual(of: root)
    guard let man else { return say(String(manual.markdown.dropLast())) }
    for page in manual.pages { try write(page.text, to: "\(man)/\(page.name).1") }
    say("\(manual.pages.count) pages were written to \(man)")
  }

  private func write(_ text: String, to path: String) throws {
    do {
      try Data(text.utf8).write(to: URL(filePath: path))
    } catch {
      throw ValidationError("\(path) cannot be written; does the directory exist?")
    }
  }
}

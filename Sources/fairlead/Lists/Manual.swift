// The manual: what each command says of itself with --help, as one page of Markdown, and as man pages (man(7)). Pure.

import ArgumentParser
import Wire

struct Manual {
  struct Page {
    /// `fairlead-nodes`.
    var name: String
    var text: String
  }

  private struct Entry {
    /// As it is typed.
    var path: [String]
    var abstract: String
    var help: String
  }

  private let entries: [Entry]

  /// The columns that help is written in.
  private static let width = 100

  init(of root: any ParsableCommand.Type) {
    entries = Self.entries(of: root, root: root, path: [Self.name(of: root)])
  }

  private static func entries(
    of command: any ParsableCommand.Type, root: any ParsableCommand.Type, path: [String]
  ) -> [Entry] {
    // What depends on the machine where the manual is made is said in words.
    let machine = "\(defaultNodeID())"
    let help = root.helpMessage(for: command, columns: width)
      .replacing(/\(default:\s+([A-Za-z0-9_-]+)\)/) { match in
        match.1 == machine ? "(default: this machine's name)" : String(match.0)
      }
    let own = Entry(path: path, abstract: command.configuration.abstract, help: help)
    return [own]
      + command.configuration.subcommands.sorted { name(of: $0) < name(of: $1) }.flatMap {
        entries(of: $0, root: root, path: path + [name(of: $0)])
      }
  }

  private static func name(of command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? ""
  }

  var markdown: String {
    let head = """
      # The command line

      What every command says of itself with `--help`. Written by `fairlead manual`, and checked by a test.

      Exit codes of commands that ask the cluster: 0, all was found or done; 1, a part of it, and standard error says
      what is missing; 2, nobody could be asked; 64, the words were not understood. `new` and `attach` end with the exit code of
      their session's process, and 255 is Fairlead's own.

      """
    return head
      + entries.map { entry in
        "\n## \(entry.path.joined(separator: " "))\n\n```text\n\(Self.trimmed(entry.help))\n```\n"
      }.joined()
  }

  /// Without blanks at the ends of lines, nor empty lines at the end.
  private static func trimmed(_ text: String) -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      var line = line
      while line.last == " " { line.removeLast() }
      return String(line)
    }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines.joined(separator: "\n")
  }

  var pages: [Page] {
    entries.map { entry in
      let name = entry.path.joined(separator: "-")
      let text = """
        .TH "\(name.uppercased())" "1" "" "fairlead \(fairleadVersion)" "Fairlead"
        .SH NAME
        \(name) \\- \(Self.escaped(entry.abstract))
        .SH DESCRIPTION
        .nf
        \(Self.escaped(Self.trimmed(entry.help)))
        .fi
        .SH SEE ALSO
        fairlead(1)

        """
      return Page(name: name, text: text)
    }
  }

  /// Backslashes mean something to man, and so does a dot or an apostrophe at a line's beginning.
  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
      .split(separator: "\n", omittingEmptySubsequences: false).map { line in
        line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : String(line)
      }.joined(separator: "\n")
  }
}

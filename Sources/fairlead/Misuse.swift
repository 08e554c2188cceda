// What was typed and is no command and no option: what may have been meant, if that is plain. Pure.

import ArgumentParser
import Synchronization

enum Misuse {
  /// The form that the last value which was not taken should have had: the parser says only that it
  /// was not taken.
  private static let form = Mutex<String?>(nil)

  static func missed(_ form: String) { self.form.withLock { $0 = form } }

  /// What the parser says of the words, mended.
  /// - Parameters:
  ///   - root: whose subcommands they name.
  ///   - starter: the one that takes a program's words behind its own options.
  static func explained(
    _ message: String, in words: [String], of root: any ParsableCommand.Type,
    starter: any ParsableCommand.Type
  ) -> String {
    let end = message.firstIndex(of: "\n") ?? message.endIndex
    let first = message[..<end]
    let rest = message[end...]
    // Of the words as they are: to look for others that are taken tries more.
    let form = form.withLock { $0 }
    if let unknown = unknownOption(in: words, of: root, starter: starter),
      !first.contains(" option '")
    {
      return "Error: Unknown option '\(printable(unknown))'" + rest
    }
    // What is no time is left over, and is then taken for an argument.
    if let stray = first.split(separator: "'").last.map(String.init), let form,
      first.contains("Unexpected argument '"),
      let place = words.firstIndex(of: stray), place > 0, words[place - 1] == "--watch"
    {
      return "Error: The value '\(printable(stray))' is invalid for '--watch': " + form + rest
    }
    if let divided = divided(words, for: starter, of: root) {
      let said = withoutSuggestion(String(first))
      let stop = said.hasSuffix(".") || said.hasSuffix("?") ? String(said.dropLast()) : said
      return stop + "; what is the command's goes behind --: \(divided)" + rest
    }
    guard first.contains("' is invalid for '"), first.hasSuffix("'"), let form
    else { return withoutFarSuggestion(message) }
    return first + ": " + form + rest
  }

  /// How `starter` takes words that it did not take: some of them are options of the program that it is to
  /// start. Nil: they are not, or are taken.
  private static func divided(
    _ words: [String], for starter: any ParsableCommand.Type, of root: any ParsableCommand.Type
  ) -> String? {
    guard words.first == name(of: starter), !words.contains("--"),
      words.count <= CommandLimits.dividedWords, (try? root.parseAsRoot(words)) == nil
    else { return nil }
    for index in words.indices.dropFirst() where !words[index].hasPrefix("-") {
      let divided = words[..<index] + ["--"] + words[index...]
      guard let command = try? root.parseAsRoot(Array(divided)), type(of: command) == starter else {
        continue
      }
      let line = printable("\(name(of: root)) \(shellQuoted(Array(divided)))")
      return line.utf8.count <= CommandLimits.dividedLine
        ? line : "\(name(of: root)) \(name(of: starter)) -- COMMAND"
    }
    return nil
  }

  /// An option that the command does not have: the parser may take what is behind it for an argument, and complain
  /// of that. Nil: it has all of them, or takes a program's.
  private static func unknownOption(
    in words: [String], of root: any ParsableCommand.Type, starter: any ParsableCommand.Type
  ) -> String? {
    var command = root
    var rest = words[...]
    while let word = rest.first,
      let next = command.configuration.subcommands.first(where: { name(of: $0) == word })
    {
      command = next
      rest = rest.dropFirst()
    }
    guard command != root, command != starter else { return nil }
    // Name → whether a value follows.
    var known: [String: Bool] = [:]
    for line in root.helpMessage(for: command, includeHidden: true).split(separator: "\n")
    where line.hasPrefix("  -") {
      let column = line.dropFirst(2)
      let end = column.firstRange(of: "  ")?.lowerBound ?? column.endIndex
      let form = column[..<end]
      for part in form.split(whereSeparator: { " ,/".contains($0) }) where part.hasPrefix("-") {
        known[String(part)] = form.contains("<")
      }
    }
    var isValue = false
    for word in rest {
      if word == "--" { return nil }
      defer { isValue = known[word] == true }
      guard !isValue, word.hasPrefix("-"), word.count > 1 else { continue }
      let option = String(word.prefix { $0 != "=" })
      if known[option] == nil { return option }
    }
    return nil
  }

  // MARK: Commands

  struct UnknownCommand {
    /// What was said, and what may have been meant.
    let message: String
    /// Whose subcommand it was to be.
    let parent: any ParsableCommand.Type
  }

  /// Words of other tools, or ones that are near, and what does that here.
  private static let elsewhere = [
    "undrain": "drain NODE --undo", "delete": "kill", "status": "check|top",
    "ls": "sessions", "list": "sessions", "ps": "sessions", "run": "new", "start": "new",
    "create": "new", "exec": "new", "enter": "attach", "connect": "attach", "rm": "kill",
    "stop": "drain|can-stop|kill", "end": "kill",
  ]

  /// Nil: the words name a command, or begin with an option.
  static func unknownCommand(
    in arguments: [String], of root: any ParsableCommand.Type
  ) -> UnknownCommand? {
    var command = root
    for word in arguments {
      let known = command.configuration.subcommands
      guard !known.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
      if let next = known.first(where: { name(of: $0) == word }) {
        command = next
        continue
      }
      let likely =
        (command == root ? elsewhere[word] : nil) ?? meant(by: word, among: known.map(name(of:)))
      let path = path(to: command, from: root)
      return UnknownCommand(
        message: "there is no command \"\(printable(word))\"; "
          + (likely.map { words in
            let commands = words.split(separator: "|").map { "\"\(path) \($0)\"" }
            return "did you mean \(commands.joined(separator: " or "))?"
          } ?? "see \(path) --help"),
        parent: command)
    }
    return nil
  }

  /// What a command found wrong with its words once it ran, as the parser says what it finds itself.
  static func told(
    _ error: ValidationError, by command: any ParsableCommand.Type,
    of root: any ParsableCommand.Type
  ) -> String {
    let usage = root.usageString(for: command)
    return
      "Error: \(error.message)\nUsage: \(usage)\n  See '\(path(to: command, from: root)) --help' "
      + "for more information."
  }

  /// As it is typed.
  private static func path(
    to command: any ParsableCommand.Type, from root: any ParsableCommand.Type
  ) -> String {
    func names(_ at: any ParsableCommand.Type) -> [String]? {
      if at == command { return [name(of: at)] }
      let below = at.configuration.subcommands.lazy.compactMap(names).first
      return below.map { [name(of: at)] + $0 }
    }
    return (names(root) ?? [name(of: root)]).joined(separator: " ")
  }

  private static func name(of command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? ""
  }

  /// The parser's suggestion is of an option, where a program's was given.
  private static func withoutSuggestion(_ line: String) -> String {
    line.firstRange(of: " Did you mean '").map { String(line[..<$0.lowerBound]) } ?? line
  }

  /// The parser suggests whatever option is nearest, be it as far as --cert from --sort.
  static func withoutFarSuggestion(_ message: String) -> String {
    guard let start = message.firstRange(of: " Did you mean '"),
      let end = message[start.upperBound...].firstRange(of: "'?"),
      let option = message[..<start.lowerBound].split(separator: "'").dropLast().last
    else { return message }
    let suggestion = String(message[start.upperBound..<end.lowerBound])
    if meant(by: String(option), among: [suggestion]) != nil { return message }
    return String(message[..<start.lowerBound] + message[end.upperBound...])
  }

  /// The word that was meant, by a slip of the hand: a letter wrong, missing, too many or in its
  /// neighbour's place for every four; or of which the beginning was typed.
  static func meant(by typed: String, among words: [String]) -> String? {
    let length = typed.drop { $0 == "-" }.count
    let allowed = min(CommandLimits.slips, max(1, length / 4))
    let near = words.map { ($0, distance(typed, $0)) }.filter { $0.1 <= allowed }
    if let nearest = near.min(by: { $0.1 < $1.1 }) { return nearest.0 }
    return length > 2 ? words.first { $0.hasPrefix(typed) } : nil
  }

  /// Damerau and Levenshtein's, of optimal alignment.
  static func distance(_ a: String, _ b: String) -> Int {
    // What is longer than any command or option is near to none.
    guard max(a.utf8.count, b.utf8.count) <= CommandLimits.meantWord else { return .max }
    let (a, b) = (Array(a), Array(b))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var least = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          least = min(least, rows[i - 1][j - 1] + 1)
        }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}

// What was typed and is no command and no option: what may have been meant, if that is plain. Pure.

import ArgumentParser
import Synchronization

enum Misuse {
  /// The form that the last value which was not taken should have had: the parser says only that it
  /// was not taken.
  private static let form = Mutex<String?>(nil)

  static func missed(_ form: String) { self.form.withLock { $0 = form } }

  /// What the parser says, mended.
  static func explained(_ message: String) -> String {
    let end = message.firstIndex(of: "\n") ?? message.endIndex
    let first = message[..<end]
    guard first.contains("' is invalid for '"), first.hasSuffix("'"),
      let form = form.withLock({ $0 })
    else { return withoutFarSuggestion(message) }
    return first + ": " + form + message[end...]
  }

  /// Why the words name no command; nil: they do, or begin with an option.
  static func unknownCommand(in arguments: [String], of root: any ParsableCommand.Type) -> String? {
    var command = root
    var path = name(of: root)
    for word in arguments {
      let known = command.configuration.subcommands
      guard !known.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
      if let next = known.first(where: { name(of: $0) == word }) {
        command = next
        path += " " + word
        continue
      }
      let likely = meant(by: word, among: known.map(name(of:)))
      return "there is no command \"\(printable(word))\"; "
        + (likely.map { "did you mean \"\(path) \($0)\"?" } ?? "see \(path) --help")
    }
    return nil
  }

  private static func name(of command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? ""
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
    let allowed = min(3, max(1, length / 4))
    let near = words.map { ($0, distance(typed, $0)) }.filter { $0.1 <= allowed }
    if let nearest = near.min(by: { $0.1 < $1.1 }) { return nearest.0 }
    return length > 2 ? words.first { $0.hasPrefix(typed) } : nil
  }

  /// Damerau and Levenshtein's, of optimal alignment.
  static func distance(_ a: String, _ b: String) -> Int {
    // What is longer than any command or option is near to none.
    guard a.utf8.count <= 64, b.utf8.count <= 64 else { return .max }
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

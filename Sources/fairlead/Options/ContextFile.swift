// The contexts of this user: what commands are told of one cluster or another, by name. A file of this user alone.

import ArgumentParser
import FoundationEssentials
import Glibc
import PrivateFiles
import Wire

struct ContextFile: Codable, Equatable {
  /// Which one is in use; nil: none.
  var current: String?
  /// By their names, what each says, by names of ``ContextValues/names``.
  var contexts: [String: [String: String]] = [:]

  /// Nil: there is no place for it.
  static var path: String? {
    userFolder("XDG_CONFIG_HOME", orInHome: ".config").map { $0 + "/contexts.json" }
  }

  /// - Throws: `ValidationError` if there is a file that cannot be used.
  static func read() throws -> ContextFile {
    guard let path else { return ContextFile() }
    do {
      guard let bytes = try PrivateFile.read(path) else { return ContextFile() }
      return try JSONDecoder().decode(ContextFile.self, from: Data(bytes))
    } catch let error as PrivateFileError {
      throw ValidationError("\(path): \(error.message)")
    } catch {
      throw ValidationError("\(path) is no file of contexts; take it away, and set them again")
    }
  }

  func write() throws {
    guard let path = Self.path else {
      throw ValidationError("there is no place for contexts: set HOME or XDG_CONFIG_HOME")
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      try PrivateFile.write(Array(try encoder.encode(self)), to: path)
    } catch let error as PrivateFileError {
      throw ValidationError("\(path): \(error.message)")
    }
  }

  // MARK: Use

  /// Takes `--context NAME` out of a command's words.
  static func taken(from words: inout [String]) throws -> String? {
    let end = words.firstIndex(of: "--") ?? words.endIndex
    guard
      let place = words[..<end].firstIndex(where: {
        $0 == "--context" || $0.hasPrefix("--context=")
      })
    else { return nil }
    guard words[place] == "--context" else {
      return String(words.remove(at: place).dropFirst("--context=".count))
    }
    guard place + 1 < end else { throw ValidationError("--context takes a context's name") }
    let name = words[place + 1]
    words.removeSubrange(place...(place + 1))
    return name
  }

  /// Has what a context says used: the one that is named, or the one that is in use.
  ///
  /// A command that is told where to ask, by `--api` or FAIRLEAD_API, takes nothing of a context that it does not name:
  /// a token must not go elsewhere.
  /// - Parameter isRole: it takes none.
  static func use(_ named: String?, for words: [String], isRole: Bool) throws {
    if isRole {
      guard named == nil else {
        throw ValidationError("a role takes no --context: its options say all")
      }
      return
    }
    let isNamed = named != nil
    let named = named ?? environmentContext
    let isToldWhere =
      getenv("FAIRLEAD_API") != nil
      || words.contains { $0 == "--api" || $0.hasPrefix("--api=") }
    if named == nil, isToldWhere || words.first == "context" { return }
    let file = try read()
    guard let name = named ?? file.current else { return }
    guard let values = file.contexts[name] else {
      throw ValidationError(
        "there is no context \"\(printable(name))\"; `fairlead context` lists those that are")
    }
    ContextValues.use(ContextValues.Context(name: name, values: values, isNamed: isNamed))
  }

  private static var environmentContext: String? {
    getenv("FAIRLEAD_CONTEXT").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

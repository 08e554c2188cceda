// `fairlead screen ID`: what a session shows, without attaching to it.

import API
import APIClient
import ArgumentParser
import Wire

struct ScreenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "screen",
    abstract: "Print what a session shows.",
    discussion: """
        fairlead screen build-42
        fairlead screen build-42 --format ansi      (with colours, for a terminal)
        fairlead screen build-42 --scrollback all | grep -i error
        fairlead screen build-42 --tail 20          (the last lines that hold something, wrapped ones joined)
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @Option(
    help: ArgumentHelp(
      ScreenFormat.all.map(\.rawValue).joined(separator: ", ") + ". (default: text)",
      valueName: "format"),
    transform: {
      let format = ScreenFormat(rawValue: $0)
      guard ScreenFormat.all.contains(format) else {
        throw ValidationError(
          "it is one of " + ScreenFormat.all.map(\.rawValue).joined(separator: ", "))
      }
      return format
    })
  var format = ScreenFormat.text

  @Option(
    help: ArgumentHelp(
      "Lines above the screen, or all that the session keeps. (default: 0)", valueName: "n|all"),
    transform: {
      guard let lines = scrollbackLines($0) else {
        throw ValidationError("a number of lines, or all")
      }
      return lines
    })
  var scrollback: UInt32?

  @Option(
    help: ArgumentHelp(
      "Instead of the screen, the last lines that hold something; wrapped lines are joined.",
      valueName: "n"))
  var tail: UInt32?

  @OptionGroup var api: APIOptions

  func validate() throws {
    guard tail == nil || scrollback == nil else {
      throw ValidationError(
        "--tail gives the last lines, --scrollback the screen below some: not both")
    }
  }

  func run() async throws {
    var text = try await api.client().screen(
      id, format: format, scrollback: scrollback ?? 0, tail: tail)
    while text.hasSuffix("\n") { text.removeLast() }
    if format == .json { text = String(decoding: inertJSON(text.utf8), as: UTF8.self) }
    if !text.isEmpty { say(text) }
  }
}

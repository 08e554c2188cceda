// `fairlead screen ID`: what a session shows, without attaching to it.

import Admin
import ArgumentParser
import Wire

struct ScreenCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, ansi, json }

  static let configuration = CommandConfiguration(
    commandName: "screen",
    abstract: "Print what a session shows.",
    discussion: """
        fairlead screen build-42
        fairlead screen build-42 --format ansi      (with colours, for a terminal)
        fairlead screen build-42 --scrollback all | grep -i error
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @Option(help: "text, ansi or json.")
  var format: Format = .text

  @Option(
    help: ArgumentHelp(
      "Lines above the screen, or all that the session keeps. (default: 0)", valueName: "n|all"),
    transform: {
      guard let lines = scrollbackLines($0) else {
        throw ValidationError("a number of lines, or all")
      }
      return lines
    })
  var scrollback: UInt32 = 0

  @OptionGroup var api: APIOptions

  func run() async throws {
    var text = try await api.client().screen(
      id, format: format.rawValue, scrollback: scrollback)
    while text.hasSuffix("\n") { text.removeLast() }
    if format == .json { text = String(decoding: inertJSON(text.utf8), as: UTF8.self) }
    say(text)
  }
}

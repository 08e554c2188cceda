// `fairlead kill ID`: ends a session and its process.

import Admin
import ArgumentParser
import Wire

struct KillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill",
    abstract: "End a session and its process.",
    discussion: """
        fairlead kill build-42
        fairlead sessions --idle 1d -o json | jq -r '.[].session' | xargs -n1 fairlead kill
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @OptionGroup var api: APIOptions

  func run() async throws {
    try await api.client().kill(id)
    say("session \(id) is being ended")
  }
}

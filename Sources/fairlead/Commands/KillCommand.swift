// `fairlead kill ID`: ends a session and its process.

import API
import APIClient
import ArgumentParser
import Wire

struct KillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill",
    abstract: "End a session and its process.",
    discussion: """
      One that has ended already is forgotten, and said to have ended; of one that was lost with its node, what \
      is left in the list is removed.

        fairlead kill build-42
        fairlead sessions --idle 1d -o json | jq -r '.[].session' | xargs -rn1 fairlead kill
        fairlead sessions -o json | jq -r '.[] | select(.state == "lost").session' | xargs -rn1 fairlead kill
      """)

  @Argument(help: "The session's id.")
  var id: SessionID

  @OptionGroup var api: APIOptions

  func run() async throws {
    let client = try api.client()
    let session: SessionSummary?
    do {
      session = try await client.session(id)
    } catch let error as APIError where error.isForbidden {
      // Whether it may be ended is for who is asked to end it, and to note.
      session = nil
    } catch let error as APIError where error.facts?.reason == .lost {
      return try await removeLost(client)
    }
    try await client.kill(id)
    say(
      session.flatMap { $0.state == .ended ? $0 : nil }.map {
        "session \(id) had ended already (\($0.endText)); what it last showed is forgotten now"
      } ?? "session \(id) is being ended")
  }

  private func removeLost(_ client: APIClient) async throws {
    do {
      try await client.kill(id)
      say("session \(id) was lost with its node; it is removed from the list")
    } catch let error as APIError where error.facts?.reason == .lost {
      say("\(printable(error.message)); nothing is left of it to end")
    }
  }
}

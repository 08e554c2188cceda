// `fairlead kill ID`: ends a session and its process; `--all`: every one.

import API
import APIClient
import ArgumentParser
import Wire

struct KillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill",
    abstract: "End a session and its process, or all of them.",
    discussion: """
      One that has ended already is forgotten, and said to have ended; of one that was lost with its node, what \
      is left in the list is removed.

      --all ends all sessions that run and that the token may end, and asks before it does. Where no `fairlead \
      serve` of this user runs, it ends what such a one has left with the process that holds its terminals; with \
      --state-directory, what a node's holder keeps there whose process does not run.

        fairlead kill build-42
        fairlead kill --all
        fairlead kill --all --yes --state-directory /run/fairlead/fl_node-a
        fairlead sessions --idle 1d -o json | jq -r '.[].session' | xargs -rn1 fairlead kill
        fairlead sessions -o json | jq -r '.[] | select(.state == "lost").session' | xargs -rn1 fairlead kill
      """)

  @Argument(help: "The session's id.")
  var id: SessionID?

  @Flag(help: "End all sessions.")
  var all = false

  @Flag(help: "Do not ask before all are ended.")
  var yes = false

  @Option(
    help: ArgumentHelp(
      "With --all: end what is held in this directory of a node or serve that does not run.",
      valueName: "directory"))
  var stateDirectory: String?

  @OptionGroup var api: APIOptions

  func validate() throws {
    guard (id != nil) != all else { throw ValidationError("say which session to end, or --all") }
    guard all || (!yes && stateDirectory == nil) else {
      throw ValidationError("--yes and --state-directory go with --all")
    }
  }

  func run() async throws {
    guard let id else {
      let kill = KillAll(api: api, isConfirmed: yes)
      guard let stateDirectory else { return try await kill.run() }
      return try await kill.end(in: stateDirectory, forgets: false)
    }
    try await end(id)
  }

  private func end(_ id: SessionID) async throws {
    let client = try api.client()
    let session: SessionSummary?
    do {
      session = try await client.session(id)
    } catch let error as APIError where error.isForbidden {
      // Whether it may be ended is for who is asked to end it, and to note.
      session = nil
    } catch let error as APIError where error.facts?.reason == .lost {
      return try await removeLost(id, client)
    }
    try await client.kill(id)
    say(
      session.flatMap { $0.state == .ended ? $0 : nil }.map {
        "session \(id) had ended already (\($0.endText)); what it last showed is forgotten now"
      } ?? "session \(id) is being ended")
  }

  private func removeLost(_ id: SessionID, _ client: APIClient) async throws {
    do {
      try await client.kill(id)
      say("session \(id) was lost with its node; it is removed from the list")
    } catch let error as APIError where error.facts?.reason == .lost {
      say("\(printable(error.message)); nothing is left of it to end")
    }
  }
}

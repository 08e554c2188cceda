// `fairlead kill ID`: ends a session and its process; `--all`: every one.

import API
import APIClient
import ArgumentParser
import Wire

struct KillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill",
    abstract: "End sessions and their processes.",
    discussion: """
      One that has ended already is forgotten, and said to have ended; of one that was lost with its node, what \
      is left in the list is removed.

      By --node, --user, --state, --idle, --target and --label, those that `fairlead sessions` lists with them; --all: \
      every one that runs. Of these it is asked before they are ended, unless --yes is said. Where no `fairlead \
      serve` of this user runs, --all ends what such a one has left with the process that holds its terminals; with \
      --state-directory, what a node's holder keeps there whose process does not run. Where Redis does not answer, \
      sessions are ended all the same, on nodes that do.

        fairlead kill build-42 build-43
        fairlead kill --user alice --idle 1d
        fairlead kill --state lost --yes
        fairlead kill --all
        fairlead kill --all --yes --state-directory /run/fairlead/fl_node-a
      """)

  @Argument(help: "The sessions' ids.")
  var ids: [SessionID] = []

  @Flag(help: "End all sessions.")
  var all = false

  @Flag(help: "Do not ask before they are ended.")
  var yes = false

  @Option(
    help: ArgumentHelp(
      "With --all: end what is held in this directory of a node or serve that does not run.",
      valueName: "directory"))
  var stateDirectory: String?

  @OptionGroup var which: SessionFilterOptions
  @OptionGroup var inquiry: Inquiry

  func validate() throws {
    let ways = [!ids.isEmpty, all, !which.isEmpty].count { $0 }
    guard ways == 1 else {
      throw ValidationError("say which sessions to end, or by which of their marks, or --all")
    }
    guard ids.isEmpty || !yes else { throw ValidationError("--yes goes with --all, or with marks") }
    guard all || stateDirectory == nil else {
      throw ValidationError("--state-directory goes with --all")
    }
  }

  func run() async throws {
    guard ids.isEmpty else { return try await endNamed() }
    let filter = try all ? nil : which.filter
    let kill = KillAll(inquiry: inquiry, filter: filter, isConfirmed: yes)
    guard let stateDirectory else { return try await kill.run() }
    try await kill.end(in: stateDirectory, forgets: false)
  }

  /// All of them, whatever becomes of one.
  private func endNamed() async throws {
    if ids.count == 1 { return try await end(ids[0]) }
    var failed = 0
    for id in ids {
      do {
        try await end(id)
      } catch let error as APIError {
        failed += 1
        complain("session \(id): \(printable(NextStep.advised(error)))")
      }
    }
    if failed > 0 { throw failed == ids.count ? ExitCode(2) : ExitCode.failure }
  }

  private func end(_ id: SessionID) async throws {
    _ = try await inquiry.ask { try await end(id, $0) }
  }

  private func end(_ id: SessionID, _ client: APIClient) async throws {
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

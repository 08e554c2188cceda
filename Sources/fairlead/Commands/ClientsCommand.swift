// `fairlead clients` and `fairlead kick CLIENT`: who is attached, from where, by which router, to what.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct ClientsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clients",
    abstract: "List who is attached.",
    discussion: """
      Each router is asked for its own clients, at the address that `fairlead routers` shows. BACKLOG is what waits \
      for the client to read it. A router that cannot be asked is named on standard error, and the exit code is 1.

        fairlead clients
        fairlead clients --session build-42
        fairlead clients --sort -backlog --watch
      """)

  @Option(help: "Only those that have this session open.")
  var session: SessionID?

  @Option(help: ArgumentHelp("Only this subject's.", valueName: "subject"))
  var user: String?

  @OptionGroup var list: ListOptions
  @OptionGroup var inquiry: Inquiry

  func validate() throws { try list.check(ClientView.columns) }

  func run() async throws {
    try await list.watch.run {
      let found = try await inquiry.askEachRouter { try await $0.clients() }
      let clients = found.answer.flatMap { $0 }.filter { client in
        (session.map(client.sessions.contains) ?? true) && (user == nil || client.subject == user)
      }.sorted { ($0.since, $0.from) < ($1.since, $1.from) }
      return Shown(
        text: try list.text(
          of: clients, ClientView.columns, name: { $0.client?.rawValue ?? "-" }),
        gaps: found.gaps)
    }
  }
}

extension ClientView {
  static var columns: [Column<ClientView>] {
    [
      .text("CLIENT") { $0.client?.rawValue },
      .text("USER") { $0.subject },
      .text("FROM") { $0.from },
      .text("ROUTER") { $0.router.rawValue },
      .time("SINCE") { age(since: $0.since) },
      .count("STREAMS") { $0.streams },
      .bytes("BACKLOG") { UInt64(clamping: $0.waitingBytes) },
      .count("FRAMES", isWide: true) { $0.waitingFrames },
      .text("SESSIONS") { $0.sessions.map(\.rawValue).joined(separator: ",") },
    ]
  }
}

struct KickCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kick",
    abstract: "End a client's connection.",
    discussion: """
      Its sessions go on. A client of Fairlead's does not come back by itself: it says that an operator has ended \
      its connection. Whoever may still get in can connect anew; what keeps them out is their token.

        fairlead kick 7Yb2mKcVbTq0nXw3gJ1sRg
      """)

  @Argument(help: "The client's id, as in fairlead clients.")
  var client: ClientID

  @OptionGroup var inquiry: Inquiry

  func run() async throws {
    let id = client
    let found = try await inquiry.askEachRouter { api in
      do {
        return try await api.kick(id)
      } catch let error as APIError where error.missing == .client {
        return 0
      }
    }
    for gap in found.gaps { complain(printable(gap)) }
    let count = found.answer.reduce(0, +)
    guard count > 0 else {
      throw APIError.notFound(
        "no client \(id) is connected to a router that answers", missing: .client)
    }
    say("client \(id): \(count) connection\(count == 1 ? " was" : "s were") ended")
    if !found.gaps.isEmpty { throw ExitCode.failure }
  }
}

extension ClientID: Formed {
  static let form = NodeID.form
  init?(formed text: String) { self.init(text) }
}

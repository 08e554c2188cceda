// `fairlead sessions`: the sessions of the cluster or of one node.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct SessionsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sessions",
    abstract: "List the sessions.",
    discussion: """
        fairlead sessions
        fairlead sessions --node a --idle 1h      (of node a, unused for an hour or more)
        fairlead sessions -o wide                 (also whether each outlives its node, and whose it is)
        fairlead sessions -o json

      When a node does not answer, the others' sessions are listed, what is missing is said on standard \
      error, and the exit code is 1.

      Without a router, --redis lists which node owns which session, and no more.
      """)

  @Option(help: "Only the sessions of this node.")
  var node: NodeID?

  @Option(help: "Only sessions unused for at least this time, such as 15m.")
  var idle: TimeOption?

  @OptionGroup var api: APIOptions
  @OptionGroup var registry: RegistryOptions
  @OptionGroup var output: OutputOptions

  private enum Answer {
    case summaries(SessionList)
    case owners([Owner], unread: [SessionID])
  }

  private struct Owner: Codable {
    var session: SessionID
    var node: NodeID
    var epoch: Epoch
    var state: String
  }

  func run() async throws {
    let answer = try await registry.answer {
      Answer.summaries(try await api.client().sessionList(node: node, idle: idle?.seconds))
    } orFromRegistry: {
      try await owners($0)
    }
    switch answer {
    case .summaries(let list):
      try output.show(list.sessions, table: table)
      try sayWhatIsMissing(from: list)
    case .owners(let owners, let unread):
      try output.show(owners) { owners in
        var table = Table("SESSION", "NODE", "STATE", "EPOCH", numeric: [3])
        for owner in owners {
          table.add(owner.session.rawValue, owner.node.rawValue, owner.state, "\(owner.epoch)")
        }
        return table.text
      }
      sayWhatCannotBeRead(unread)
      if !unread.isEmpty { throw ExitCode.failure }
    }
  }

  private func sayWhatCannotBeRead(_ sessions: [SessionID]) {
    for session in sessions {
      complain("session \(session): its record in Redis cannot be read, and it is not shown")
    }
  }

  /// Says who did not answer, and ends with 1: a script must not take the rest for the whole.
  private func sayWhatIsMissing(from list: SessionList) throws {
    let unread = list.unread ?? []
    guard !list.unanswered.isEmpty || !unread.isEmpty else { return }
    sayWhatCannotBeRead(unread)
    for node in list.unanswered {
      let count = node.sessions.map { "\($0) of its sessions are" } ?? "its sessions may be"
      complain("node \(node.node): \(printable(node.reason)); \(count) not shown")
    }
    throw ExitCode.failure
  }

  private func owners(_ registry: any Registry) async throws -> Answer {
    if idle != nil { complain("Redis does not know idle times; --idle is ignored") }
    let records = try await registry.sessions(limit: CommandLimits.records)
    let owners = records.sessions.filter { node == nil || $0.1.node == node }
      .map { session, record in
        let state: String
        switch record.state {
        case .owned: state = record.end == nil ? "owned" : "owned, ended"
        case .closed(let tombstone):
          state = "closed: \(tombstone.reason)" + (tombstone.status.map { ", \($0)" } ?? "")
        }
        return Owner(session: session, node: record.node, epoch: record.epoch, state: state)
      }
    return .owners(owners, unread: records.unread)
  }

  private func table(_ sessions: [SessionSummary]) -> String {
    let now = WallClock.milliseconds
    var table = Table(
      "SESSION", "NODE", "STATE", "AGE", "IDLE", "VIEWERS", "SIZE", "OUTPUT", "TARGET", "COMMAND",
      numeric: [5, 7])
    let isWide = output.output == .wide
    if isWide { table.header += ["HELD", "OWNER"] }
    for session in sessions {
      table.add(
        session.session.rawValue, session.node, session.stateText,
        humanTime(milliseconds: now > session.created ? now - session.created : 0),
        session.viewers.isEmpty && !session.isRecord ? humanTime(milliseconds: session.idle) : "-",
        session.isRecord ? "-" : "\(session.viewers.count)",
        session.isRecord ? "-" : "\(session.size)",
        session.isRecord ? "-" : humanBytes(session.output),
        session.isRecord ? "-" : session.target,
        shortened(session.commandText))
      guard isWide else { continue }
      table.rows[table.rows.count - 1] += [
        session.holder == nil ? "no" : "yes", session.creator ?? "-",
      ]
    }
    return table.text
  }
}

extension SessionSummary {
  var stateText: String {
    state == .ended ? "ended, \(endText)" : state.rawValue + (stalled == nil ? "" : ", stalled")
  }
  /// How it ended, as far as that is known.
  var endText: String {
    [reason?.rawValue, status.map { "\($0)" } ?? "how is not known"].compactMap { $0 }.joined(
      separator: ", ")
  }
  /// As a shell would take it, so that words with spaces in them stay words.
  var commandText: String {
    isRecord ? "-" : command.isEmpty ? "(login shell)" : shellQuoted(command)
  }
  /// No more is known of it than its record says.
  fileprivate var isRecord: Bool { [.lost, .held, .waiting].contains(state) }
}

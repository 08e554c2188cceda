// `fairlead events`: what happened in the cluster.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct EventsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "Say what happened: nodes, lost, moved and refused sessions, what operators did.",
    discussion: """
      Redis keeps the last 10,000 events; a `serve` keeps them while it runs. Where the record begins later than what is \
      asked for, as after a Redis that lost its data, that is said.

        fairlead events --since 12h
        fairlead events -f
        fairlead events --since 7d --what lost,died -o json      (an object a line)
      """)

  @Flag(name: .shortAndLong, help: "Go on with what happens from now on.")
  var follow = false

  @Option(
    help: ArgumentHelp(
      "Only what happened within this time. (default: 1d; with -f: nothing before now)",
      valueName: "time"))
  var since: TimeOption?

  @Option(
    help: ArgumentHelp(
      "Only these: \(Self.words.joined(separator: ", ")).", valueName: "what,…"))
  var what: String?

  @Option(help: "Only of this node.")
  var node: NodeID?

  @Option(help: "Only of this session.")
  var session: SessionID?

  @Flag(help: "Leave out the line that names the columns.")
  var noHeaders = false

  @OptionGroup var output: OutputOptions
  @OptionGroup var inquiry: Inquiry

  static let words = [
    ClusterEvent.What.joined, .left, .restarted, .died, .back, .drain, .cordon, .undrain, .lost,
    .moved, .refused, .kick, .repair,
  ].map(\.rawValue)

  func validate() throws {
    for word in what?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
    where !Self.words.contains(word) {
      throw ValidationError(
        "--what: there are no events \"\(printable(word))\"; there are "
          + Self.words.joined(separator: ", "))
    }
  }

  func run() async throws {
    let before: Int64 = since?.seconds ?? (follow ? 0 : 86_400)
    let now = WallClock.milliseconds
    var last = "\(now - min(now, UInt64(before) * 1_000))-0"
    if output.isTable, !noHeaders { say(line("TIME", "WHAT", "NODE", "SESSION", "WHO", "EVENT")) }
    var gaps: [String] = []
    let isBare = !output.isTable || noHeaders
    if since != nil || (!follow && !isBare), let begin = try? await inquiry.recordBegin(),
      begin > now - min(now, UInt64(before) * 1_000)
    {
      complain("the record begins at \(timeText(begin) ?? "-")")
    }
    while true {
      let after = last
      let found: Found<[ListedEvent]>
      do {
        found = try await inquiry.ask { try await $0.events(after: after) }
      } catch let error as APIError where follow && error.code == .unreachable {
        complain(printable(error.message))
        try await Task.sleep(for: CommandLimits.followInterval)
        continue
      }
      for event in found.answer where isWanted(event.event) { try show(event) }
      gaps = found.gaps
      if let id = found.answer.last?.id { last = id }
      // More may be left.
      if found.answer.count >= CommandLimits.eventsAtOnce { continue }
      guard follow else { break }
      try await Task.sleep(for: CommandLimits.followInterval)
    }
    for gap in gaps { complain(printable(gap)) }
    if !gaps.isEmpty { throw ExitCode.failure }
  }

  private func isWanted(_ event: ClusterEvent) -> Bool {
    if let node, event.node != node { return false }
    if let session, event.session != session { return false }
    guard let what else { return true }
    return what.split(separator: ",").contains { $0 == event.what.rawValue }
  }

  private func show(_ listed: ListedEvent) throws {
    let event = listed.event
    switch output.output {
    case .table, .wide:
      say(
        line(
          timeText(event.time) ?? "-", event.what.rawValue, event.node?.rawValue ?? "-",
          event.session?.rawValue ?? "-", event.who ?? "-", event.text))
    case .json: say(try OutputOptions.line(of: listed))
    case .yaml, .name:
      let text = try output.text(of: [listed], names: { $0.map(\.id) }, table: { _ in "" })
      say(text)
    }
  }

  /// Events come one by one, so that their columns have fixed widths.
  private func line(_ cells: String...) -> String {
    let widths = [20, 9, 10, 22, 10]
    return zip(cells.indices, cells).map { index, cell in
      let text = index == cells.count - 1 ? printable(cell) : Table.cell(cell)
      guard index < widths.count else { return text }
      return text + String(repeating: " ", count: max(0, widths[index] - text.count))
    }.joined(separator: "  ")
  }
}

extension Inquiry {
  /// When the oldest event that is kept was, in milliseconds since 1970; nil: none is.
  fileprivate func recordBegin() async throws -> UInt64? {
    try await ask { try await $0.events(after: "0-0") }.answer.first?.event.time
  }
}

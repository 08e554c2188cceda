// `fairlead sessions`: the sessions of the cluster, or some of them.

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
        fairlead sessions --state lost,held       (those whose node is away)
        fairlead sessions --sort -output --watch
        fairlead sessions -o wide                 (also whether each outlives its node, and whose it is)
        fairlead sessions --filter 'command~make' -o name | xargs -rn1 fairlead kill

      When a node does not answer, its sessions are listed by their records (state unreachable), what is missing is \
      said on standard error, and the exit code is 1; 2: nobody could be asked. Without a router, --redis says where \
      the nodes are, and they are asked.

      COMMAND, the last column, is the rest of its line; no other cell has a blank in it.
      """)

  @OptionGroup var which: SessionFilterOptions
  @OptionGroup var list: ListOptions
  @OptionGroup var inquiry: Inquiry

  func validate() throws { try list.check(SessionSummary.columns) }

  func run() async throws {
    let filter = try which.filter
    try await list.watch.run {
      let found = try await inquiry.ask { try await $0.sessionList(filter) }
      return Shown(
        text: try list.text(
          of: found.answer.sessions, SessionSummary.columns, name: \.session.rawValue),
        gaps: found.gaps + found.answer.gaps)
    }
  }
}

/// Which sessions are meant.
struct SessionFilterOptions: ParsableArguments {
  @Option(help: "Only the sessions of this node.")
  var node: NodeID?

  @Option(help: ArgumentHelp("Only sessions that this subject created.", valueName: "subject"))
  var user: String?

  @Option(
    help: ArgumentHelp(
      "Only sessions in these states: running, ended, held (its node is away), waiting (for a node), lost, unreachable.",
      valueName: "state,…"))
  var state: String?

  @Option(help: "Only sessions unused for at least this time, and without a driver, such as 15m.")
  var idle: TimeOption?

  @Option(
    help: ArgumentHelp(
      "Only sessions of this target, such as docker:web, or of this kind of targets, such as docker.",
      valueName: "target"))
  var target: String?

  @Option(
    help: ArgumentHelp(
      "Only sessions on nodes with this label; may be given again.", valueName: "key=value"))
  var label: [LabelOption] = []

  var isEmpty: Bool {
    node == nil && user == nil && state == nil && idle == nil && target == nil && label.isEmpty
  }

  var filter: SessionFilter {
    get throws {
      var filter = SessionFilter(node: node, idle: UInt64(idle?.seconds ?? 0) * 1_000)
      filter.creator = user
      filter.states = (state ?? "").split(separator: ",").map { SessionState(rawValue: String($0)) }
      filter.target = target
      filter.labels = Dictionary(label.map { ($0.key, $0.value) }) { $1 }
      // What the server would refuse is said here by the option's name.
      do {
        let query = filter.query
        _ = try SessionFilter { name in query.first { $0.name == name }?.value }
      } catch let error as OperationError {
        throw ValidationError("--\(error.message)")
      }
      return filter
    }
  }

  func validate() throws { _ = try filter }
}

extension SessionList {
  /// What is missing, each in a sentence.
  var gaps: [String] {
    var gaps = (unread ?? []).map {
      "session \($0): its record in Redis cannot be read, and it is not shown"
    }
    for node in unanswered {
      let missing =
        switch node.sessions {
        case 0?: "its sessions are told by their records"
        case let count?: "\(count) of its sessions are not shown"
        case nil: "its sessions may be not shown"
        }
      gaps.append("node \(node.node): \(node.reason); \(missing)")
    }
    if let registry {
      gaps.append("\(registry.reason); sessions whose node is away are not shown")
    }
    return gaps
  }
}

extension SessionSummary {
  static var columns: [Column<SessionSummary>] {
    [
      .text("SESSION") { $0.session.rawValue },
      .text("NODE") { $0.node },
      .text("STATE") { $0.stateCell }.toned { $0.tone },
      .time("AGE") { age(since: $0.created) },
      .time("IDLE") { $0.shownIdle },
      .count("VIEWERS") { $0.known(\.viewers.count) },
      .text("SIZE") { $0.known(\.size.description) },
      .bytes("OUTPUT") { $0.known(\.output) },
      .bytes("INPUT", isWide: true) { $0.known(\.input) },
      .text("HELD", isWide: true) { $0.holder == nil ? "no" : "yes" },
      .text("OWNER", isWide: true) { $0.creator },
      .text("USER", isWide: true) { $0.user?.rawValue },
      .text("EPOCH", isWide: true) { $0.epoch.description },
      .text("TARGET") { $0.known(\.target) },
      .text("COMMAND") { shortened($0.commandText) },
    ]
  }

  /// Nil where no more is known of it than its record says.
  private func known<Value>(_ value: (SessionSummary) -> Value) -> Value? {
    isRecord ? nil : value(self)
  }

  /// Where somebody looks at it, it is not idle for who reads this.
  private var shownIdle: UInt64? { viewers.isEmpty && !isRecord ? idle : nil }

  private var tone: Tone? {
    switch state {
    case .running: .good
    case .held, .waiting, .unreachable: .doubtful
    case .lost: .bad
    default: nil
    }
  }

  /// `running`, `ended:exit=3`, `ended:idle`.
  private var stateCell: String {
    guard state == .ended else { return state.rawValue + (stalled == nil ? "" : ",stalled") }
    let isByItself = reason == nil || reason == .exited
    let how = isByItself ? status.map { "\($0)" } : reason?.rawValue
    return "ended:" + (how ?? "unknown").replacing(" ", with: "=")
  }

  var stateText: String { state == .ended ? "ended, \(endText)" : state.rawValue }
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
  private var isRecord: Bool { [.lost, .held, .waiting, .unreachable].contains(state) }
}

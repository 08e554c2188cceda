// `fairlead new`: starts a session, and attaches to it.

import API
import APIClient
import ArgumentParser
import Pipes
import Wire

struct NewCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Start a session and attach to it.",
    discussion: """
      Without a command, a login shell. A session of that id which exists already is an error, unless it \
      runs and --attach says that it may be taken; one that was lost with its node is said to be, and is started \
      anew. \
      The id goes to standard error, or with --detached to standard output. When the process ends, new \
      ends with its exit code, as attach does; 255 is for Fairlead's own failures, with --detached too. While no \
      node can take it, it is tried again for --wait, and why is said; with --detached it is tried once.

        fairlead new
        fairlead new --session build-42 -- make -j8 test
        fairlead new --idle never --timeout 8h -- ./nightly.sh
        fairlead new --label zone=a --label gpu=true
        \(examples)
        id=$(fairlead new --detached --size 120x40 -- top)
      """)

  /// Of the kinds of targets.
  private static let examples = PipeKinds.standard.targets.all.flatMap(\.examples)
    .map { "fairlead new \($0)" }.joined(separator: "\n  ")

  @Option(help: "Its id, [A-Za-z0-9_-]{1,64}; a random one if not given.")
  var session: SessionID?

  @Option(help: ArgumentHelp("\(Target.form).", valueName: "target"))
  var target: Target = .pty

  @Option(help: ArgumentHelp("This terminal's size if not given.", valueName: "COLSxROWS"))
  var size: TerminalSize?

  @Option(help: ArgumentHelp("A variable for its environment; repeatable.", valueName: "K=V"))
  var env: [LabelOption] = []

  @Option(help: ArgumentHelp("Where it starts.", valueName: "dir"))
  var cwd: String?

  @Option(
    help: ArgumentHelp(
      "Whom it runs as, by name or number, if the token and the node (--pty-users) allow it. As the node "
        + "runs its terminals if not given, in a container as its own user.", valueName: "user"))
  var user: UserName?

  @Option(
    help: ArgumentHelp(
      "It is ended when unused for this time: no client, no output, no job; or never. The node's "
        + "--idle-timeout if not given.", valueName: "time"))
  var idle: Lifetime?

  @Option(
    help: ArgumentHelp(
      "Its end stays readable for this time, at most 7d. The node's --keep-ended if not given.",
      valueName: "time"))
  var keep: Lifetime?

  @Option(
    help: ArgumentHelp("It is ended after this time, however busy it is.", valueName: "time"))
  var timeout: Lifetime?

  @Option(
    help: ArgumentHelp(
      "It starts only on a node with this label; may be given again. A move looks for no label.",
      valueName: "key=value"))
  var label: [LabelOption] = []

  @Flag(help: "Do not attach; print the id.")
  var detached = false

  @Flag(help: "If a session of that id runs, take it as it is.")
  var attach = false

  @Argument(help: "Program and arguments, after --.")
  var command: [String] = []

  @OptionGroup var wait: WaitOptions
  @OptionGroup var api: APIOptions
  @OptionGroup var output: OutputOptions

  private var request: Open {
    let creation = Creation(
      target: target, command: command,
      environment: Dictionary(env.map { ($0.key, $0.value) }) { _, last in last },
      workingDirectory: cwd, user: user, idle: idle, keep: keep, timeout: timeout,
      labels: label.isEmpty
        ? nil : Dictionary(label.map { ($0.key, $0.value) }) { _, last in last })
    return Open(
      session: session ?? .random(), create: creation,
      size: size ?? RawTerminal.size ?? .standard, exclusive: attach ? nil : true)
  }

  func validate() throws {
    if let problem = request.problem { throw ValidationError(problem) }
  }

  func run() async throws {
    let open = request
    if size == nil, let excess = RawTerminal.excess { complain("[fairlead: \(excess)]") }
    guard detached else {
      return try await passingOnExitCodes {
        try await AttachedClient(
          api: api, open: open, fixedSize: size != nil, wait: wait.wait.duration
        ).run()
      }
    }
    try await passingOnExitCodes {
      let opened: Opened
      do {
        opened = try await createAnew(open)
      } catch let error as APIError where error.code == .failed(status: 409, code: "exists") {
        throw ExistingSession(session: open.session, facts: error.facts)
      }
      try output.show(
        opened, names: { [$0.session.rawValue] }, table: { $0.session.rawValue })
    }
  }

  /// One that was lost with its node is said to be, and is then created: who typed its name wants it.
  private func createAnew(_ open: Open) async throws -> Opened {
    do {
      return try await api.client().create(open, attach: attach)
    } catch let error as APIError where error.facts?.reason == .lost {
      complain("[fairlead: \(printable(error.message)); it is started anew]")
      return try await api.client().create(open, attach: attach)
    }
  }
}

/// A session of that name, told to who has options and commands instead of requests. No
/// ``Failure``: its words are of the answer's facts.
private struct ExistingSession: Error, CustomStringConvertible {
  var session: SessionID?
  var facts: SessionFacts?

  var description: String {
    let name = session?.rawValue ?? ""
    if facts?.state == .ended {
      let status = facts?.status.map { " (\($0))" } ?? ""
      return "session \(name) exists already, and has ended\(status): see fairlead screen \(name); "
        + "fairlead kill \(name) frees its name"
    }
    let differs =
      facts?.differs.map { ", which is another in: \($0.joined(separator: ", "))" } ?? ""
    return "session \(name) exists already\(differs): enter it by fairlead attach \(name), or say "
      + "--attach to take it as it is"
  }
}

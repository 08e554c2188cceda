// Starts processes on pseudo-terminals.

import CPTY
import Glibc
import Holder
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
import Wire

public struct PTYStarter: PipeStarter {
  /// As terminals run unless `create` names a user.
  private let usual: Login
  private let others: [Login]
  let files: FileLimit?
  private let threads: StartThreads
  private let patience: TimeAmount
  /// What keeps its terminals while nodes come and go; nil: they end with this process.
  let holder: HolderHome?
  /// Of each user, processes that were killed before they executed their program, and have not ended.
  private let stuck = NIOLockedValueBox<[UInt32: Int]>([:])

  /// Whom a process runs as, and what a login of that user would set.
  struct Login: Sendable {
    var uid: UInt32
    /// Nil: this process's own number, which has no name.
    var account: Account?
    var environment: [String: String]
    var home: String { environment["HOME"] ?? "/" }

    /// Whom to become; nil: nobody else.
    var user: Account? { uid == geteuid() ? nil : account }

    func isCalled(_ user: UserName) -> Bool {
      user.number.map { $0 == uid } ?? (user.rawValue == account?.name)
    }
  }

  /// Variables of the node's own environment that a terminal's process gets. No others: a node may
  /// have secrets in its environment.
  public static let inherited = [
    "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TZ", "USER",
  ]

  /// - Parameters:
  ///   - environment: the node's own environment.
  ///   - user: whom processes run as; nil: as this one. Another takes root.
  ///   - others: whom `create` may name besides.
  ///   - files: how many descriptors they may have; nil: as many as this one.
  ///   - holder: what keeps its terminals while nodes come and go; nil: they end with this process.
  public init(
    environment: [String: String], user: Account? = nil, others: [Account] = [],
    files: FileLimit? = nil, holder: HolderHome? = nil
  ) {
    self.init(
      environment: environment, user: user, others: others, files: files, holder: holder,
      threads: .shared)
  }

  init(
    environment: [String: String], user: Account? = nil, others: [Account] = [],
    files: FileLimit? = nil, holder: HolderHome? = nil, threads: StartThreads,
    patience: TimeAmount = PipeLimits.start
  ) {
    usual = Self.login(user ?? Account.own, environment)
    self.others = others.map { Self.login($0, environment) }
    self.files = files
    self.threads = threads
    self.patience = patience
    self.holder = holder
  }

  private static func login(_ account: Account?, _ environment: [String: String]) -> Login {
    let uid = account?.uid ?? geteuid()
    var kept = environment.filter { inherited.contains($0.key) && !$0.value.isEmpty }
    // What a login would set: another user's always, this one's where it was started without.
    if let account {
      let login = [
        "HOME": account.home, "LOGNAME": account.name, "SHELL": account.shell, "USER": account.name,
      ].filter { !$0.value.isEmpty }
      kept.merge(login) { uid == geteuid() ? $0 : $1 }
      if uid != geteuid() { kept["PATH"] = nil }
    }
    if kept["PATH"] == nil { kept["PATH"] = SearchPath.usual }
    if !Locale.isSet(in: kept.keys) { kept[Locale.variable] = Locale.usual }
    kept["TERM"] = "xterm-256color"
    kept["COLORTERM"] = "truecolor"
    return Login(uid: uid, account: account, environment: kept)
  }

  /// Nil: this node starts nothing as that user.
  private func login(as user: UserName?) -> Login? {
    guard let user else { return usual }
    return ([usual] + others).first { $0.isCalled(user) }
  }

  public func start(_ request: PipeRequest, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    let user = request.creation.user
    guard let login = login(as: user) else {
      return eventLoop.makeFailedFuture(
        PipeError(
          .noUser,
          "this node runs no terminal as \(user.map { "\($0)" } ?? "") (see its --pty-users)"))
    }
    var environment = login.environment
    environment["FAIRLEAD_SESSION"] = request.session.rawValue
    environment.merge(request.creation.environment) { $1 }
    let command = Self.command(request.creation.command, environment: environment, login)
    let directory = request.creation.workingDirectory
    if let holder {
      return start(
        request, command, environment, in: directory ?? login.home,
        isPreferred: directory == nil, with: holder, on: eventLoop)
    }
    let size = request.size
    // Starting a process takes about a millisecond: not on the loop that others type through.
    return threads.run(on: eventLoop) { [environment] in
      try spawn(
        command, environment: environment, directory: directory, size: size, on: eventLoop)
    }.flatMap { process in
      Self.open(process, isShell: ShellCommand.isInteractive(command.arguments), on: eventLoop)
    }
  }

  struct Command: Sendable {
    /// What is told of it.
    var program: String
    /// Where it may be: the first one that can be executed is.
    var paths: [String]
    /// Argument 0 for each of them; nil: that of `arguments`.
    var names: [String]?
    /// From argument 0 on.
    var arguments: [String]
    var login: Login

    /// It is called by its place, and not looked for.
    var isPath: Bool { names == nil && program.contains("/") }
  }

  /// Nothing is looked at here: the process's own user does that, who may see other files than this one.
  private static func command(
    _ words: [String], environment: [String: String], _ login: Login
  ) -> Command {
    guard let program = words.first else {
      let shells = [environment["SHELL"], "/bin/bash", "/bin/sh"].compactMap { $0 }
        .filter { !$0.isEmpty }
      // A leading dash asks for a login shell.
      let names = shells.map { "-" + ($0.split(separator: "/").last ?? "sh") }
      return Command(
        program: shells[0], paths: shells, names: names, arguments: [names[0]], login: login)
    }
    let paths = SearchPath.places(of: program, in: environment["PATH"] ?? "")
    return Command(program: program, paths: paths, arguments: words, login: login)
  }

  struct Process: Sendable {
    var child: Child
    var master: CInt
  }

  private func spawn(
    _ command: Command, environment: [String: String], directory: String?, size: TerminalSize,
    on eventLoop: any EventLoop
  ) throws -> Process {
    let login = command.login
    try admit(login)
    var master: CInt = -1
    do {
      let child = try ExitWatcher.shared.start(on: eventLoop, within: patience) { told in
        var started = cpty_process()
        var step: CChar = 0
        let error = fill(command, environment, directory, size, told) { request in
          cpty_spawn(request, &started, &step)
        }
        guard error == 0 else {
          let kind = StartStep(rawValue: UInt8(bitPattern: step))
          return ExitWatcher.Spawned(
            pid: started.pid, failure: failure(error, kind, command, directory),
            isLate: kind == .time)
        }
        master = started.master
        return ExitWatcher.Spawned(pid: started.pid)
      }
      return Process(child: child, master: master)
    } catch let late as ExitWatcher.Late {
      if master >= 0 { close(master) }
      stuck.withLockedValue { $0[login.uid, default: 0] += 1 }
      late.child.ended.whenComplete { [stuck] _ in
        stuck.withLockedValue { $0[login.uid, default: 1] -= 1 }
      }
      throw PipeError(
        .noCommand,
        "\(command.program) did not come to be executed in time: its directory or file does not answer, "
          + "or its user held the process up")
    }
  }

  /// What is killed and cannot end, as its file system holds on to it, keeps a copy of this process's memory.
  private func admit(_ login: Login) throws(PipeError) {
    guard stuck.withLockedValue({ $0[login.uid, default: 0] }) < PipeLimits.stuckStarts else {
      throw PipeError(
        .noCommand,
        "earlier processes of this user still wait for a directory or program that does not answer")
    }
  }

  /// The command as C takes it, for as long as `body` runs.
  private func fill(
    _ command: Command, _ environment: [String: String], _ directory: String?,
    _ size: TerminalSize, _ told: UnsafeMutablePointer<pid_t>,
    _ body: (UnsafePointer<cpty_command>) -> CInt
  ) -> CInt {
    let user = command.login.user
    let groups = user?.groups ?? []
    return Self.withCStrings(command.paths) { paths in
      Self.withCStrings(command.names ?? []) { names in
        Self.withCStrings(command.arguments) { arguments in
          Self.withCStrings(environment.map { "\($0)=\($1)" }) { variables in
            (directory ?? command.login.home).withCString { place in
              groups.withUnsafeBufferPointer { groups in
                var account = cpty_user(
                  uid: user?.uid ?? 0, gid: user?.gid ?? 0, groups: groups.baseAddress,
                  group_count: groups.count)
                return withUnsafePointer(to: &account) { account in
                  var request = cpty_command(
                    paths: paths, names: command.names == nil ? nil : names,
                    is_path: command.isPath ? 1 : 0, argv: arguments, envp: variables,
                    directory: place, is_directory_preferred: directory == nil ? 1 : 0,
                    columns: UInt16(clamping: size.columns), rows: UInt16(clamping: size.rows),
                    user: user == nil ? nil : account, files_soft: files?.soft ?? 0,
                    files_hard: files?.hard ?? 0,
                    patience: CInt(clamping: patience.nanoseconds / 1_000_000), told: told)
                  return withUnsafePointer(to: &request, body)
                }
              }
            }
          }
        }
      }
    }
  }

  func failure(_ error: CInt, _ step: StartStep, _ command: Command, _ directory: String?)
    -> PipeError
  {
    let reason = describe(errno: error)
    switch step {
    case .directory:
      return PipeError(.noCommand, "cannot work in \(directory ?? "/"): \(reason)")
    case .user:
      return PipeError(.noCommand, "cannot run as \(command.login.account?.name ?? ""): \(reason)")
    // Where it was looked for is the node's affair.
    case .search:
      return PipeError(.noCommand, "command not found: \(command.program)")
    case .program where error == EACCES && !command.isPath:
      return PipeError(.noCommand, "\(command.program) is not executable")
    case .program where ![EAGAIN, ENOMEM, ENFILE].contains(error):
      return PipeError(.noCommand, "cannot execute \(command.program): \(reason)")
    case .program, .process:
      return PipeError(.resources, "this node can start no process now: \(reason)")
    default:
      return PipeError(
        .resources,
        [EMFILE, ENFILE].contains(error)
          ? "this node has no descriptor left for a terminal: \(reason)"
          : "this node has no pseudo-terminal left: \(reason)")
    }
  }

  /// C may put another string in the place of one: it is not the one that frees them.
  private static func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    let copies = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return withUnsafeTemporaryAllocation(
      of: UnsafeMutablePointer<CChar>?.self, capacity: copies.count
    ) { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("an array that ends in nil") }
      base.initialize(from: copies, count: copies.count)
      return body(base)
    }
  }

  /// Wraps a started process in channels on `eventLoop`; if that fails, ends it.
  private static func open(_ process: Process, isShell: Bool, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    eventLoop.preconditionInEventLoop()
    let handler = NIOLoopBound(PTYHandler(), eventLoop: eventLoop)
    // Once NIO has begun to set the channel up it closes the descriptor itself.
    let isTaken = NIOLoopBoundBox(false, eventLoop: eventLoop)
    // Only to read: for that one descriptor will do, where for both it would need two, and trap if it
    // could not have the second.
    let opened = NIOPipeBootstrap(group: eventLoop)
      .channelOption(.autoRead, value: false)
      .channelInitializer { channel in
        isTaken.value = true
        return channel.eventLoop.makeCompletedFuture {
          try PipeReading.limit(channel)
          try channel.pipeline.syncOperations.addHandler(handler.value)
        }
      }
      .takingOwnershipOfDescriptor(input: process.master)
    opened.whenFailure { _ in
      if !isTaken.value { close(process.master) }
      process.child.signal(SIGKILL)
    }
    return opened.flatMapErrorThrowing { error in
      throw PipeError(.resources, "this node can watch no more terminals", cause: error)
    }.map { channel in
      let pipe = PTYPipe(
        process.child, master: process.master, channel: channel, handler: handler.value,
        isShell: isShell)
      let bound = NIOLoopBound(pipe, eventLoop: eventLoop)
      process.child.ended.hop(to: eventLoop).whenSuccess { bound.value.leaderDidExit($0) }
      return NIOLoopBound(pipe, eventLoop: eventLoop)
    }
  }
}

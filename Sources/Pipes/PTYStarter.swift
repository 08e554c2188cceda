// Starts processes on pseudo-terminals.

import CPTY
import Glibc
public import NIOCore
public import NIOPosix
import Wire

public struct PTYStarter: PipeStarter {
  private let environment: [String: String]
  private let threads: NIOThreadPool

  /// Variables of the node's own environment that a terminal's process gets. No others: a node may
  /// have secrets in its environment.
  public static let inherited = [
    "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TZ", "USER",
  ]

  /// - Parameter environment: the node's own environment.
  public init(environment: [String: String], threads: NIOThreadPool = .singleton) {
    var kept = environment.filter { Self.inherited.contains($0.key) }
    if kept["PATH"] == nil {
      kept["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }
    kept["TERM"] = "xterm-256color"
    kept["COLORTERM"] = "truecolor"
    self.environment = kept
    self.threads = threads
  }

  public func sweep() async {}

  public func shutdown() async {}

  public func start(_ request: PipeRequest, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    var environment = self.environment
    environment["FAIRLEAD_SESSION"] = request.session.rawValue
    environment.merge(request.creation.environment) { $1 }
    let command = Self.command(request.creation.command, environment: environment)
    let directory = request.creation.workingDirectory
    let size = request.size
    // Starting a process takes about a millisecond: not on the loop that others type through.
    return threads.runIfActive(eventLoop: eventLoop) { [environment] in
      try Self.spawn(command, environment: environment, directory: directory, size: size)
    }.flatMap { process in
      Self.open(process, on: eventLoop)
    }
  }

  /// Program, and its arguments from argument 0 on.
  struct Command: Sendable {
    var program: String
    var arguments: [String]
  }

  private static func command(_ words: [String], environment: [String: String]) -> Command {
    if let program = words.first { return Command(program: program, arguments: words) }
    let shells = [environment["SHELL"], "/bin/bash", "/bin/sh"].compactMap { $0 }
    let shell = shells.first { access($0, X_OK) == 0 } ?? "/bin/sh"
    // A leading dash asks for a login shell.
    let name = shell.split(separator: "/").last.map(String.init) ?? "sh"
    return Command(program: shell, arguments: ["-" + name])
  }

  struct Process: Sendable {
    var pid: pid_t
    var master: CInt
    var pidfd: CInt
  }

  private static func spawn(
    _ command: Command, environment: [String: String], directory: String?, size: TerminalSize
  ) throws(PipeError) -> Process {
    let path = try search(command.program, path: environment["PATH"] ?? "", directory: directory)
    var result = cpty_process()
    var step: CChar = 0
    let variables = environment.map { "\($0)=\($1)" }
    let error = withCStrings(command.arguments) { arguments in
      withCStrings(variables) { variables in
        cpty_spawn(
          path, arguments, variables, directory, UInt16(clamping: size.columns),
          UInt16(clamping: size.rows), &result, &step)
      }
    }
    guard error == 0 else {
      let reason = String(cString: strerror(error))
      switch UInt8(bitPattern: step) {
      case UInt8(ascii: "d"):
        throw PipeError(.noCommand, "cannot work in \(directory ?? ""): \(reason)")
      case UInt8(ascii: "x"):
        throw PipeError(.noCommand, "cannot execute \(command.program): \(reason)")
      default:
        throw PipeError(.resources, "the node has no pseudo-terminal left: \(reason)")
      }
    }
    return Process(pid: result.pid, master: result.master, pidfd: result.pidfd)
  }

  /// The file to execute, as execvp(3) would find it.
  private static func search(_ program: String, path: String, directory: String?)
    throws(PipeError) -> String
  {
    if program.contains("/") { return program }
    var isForbidden = false
    for folder in path.split(separator: ":", omittingEmptySubsequences: false) {
      let candidate = (folder.isEmpty ? "." : String(folder)) + "/" + program
      var status = stat()
      guard stat(candidate, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      if access(candidate, X_OK) == 0 { return candidate }
      isForbidden = true
    }
    throw PipeError(
      .noCommand,
      isForbidden
        ? "\(program) is not executable" : "command not found: \(program) (searched \(path))")
  }

  private static func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    let copies = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return copies.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("an array that ends in nil") }
      return body(base)
    }
  }

  /// Wraps a started process in channels on `eventLoop`.
  private static func open(_ process: Process, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    eventLoop.preconditionInEventLoop()
    let control = fcntl(process.master, F_DUPFD_CLOEXEC, 3)
    let handler = NIOLoopBound(PTYHandler(), eventLoop: eventLoop)
    let opened = NIOPipeBootstrap(group: eventLoop)
      .channelOption(.autoRead, value: false)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try PipeReading.limit(channel)
          try channel.pipeline.syncOperations.addHandler(handler.value)
        }
      }
      .takingOwnershipOfDescriptor(inputOutput: process.master)
    return opened.map { channel in
      let pipe = PTYPipe(
        pid: process.pid, control: control, channel: channel, handler: handler.value)
      watch(process, pipe, on: eventLoop)
      return NIOLoopBound(pipe, eventLoop: eventLoop)
    }
  }

  private static func watch(_ process: Process, _ pipe: PTYPipe, on eventLoop: any EventLoop) {
    let bound = NIOLoopBound(pipe, eventLoop: eventLoop)
    let isWatched =
      process.pidfd >= 0
      && ExitWatcher.shared.watch(process.pidfd) {
        eventLoop.execute { bound.value.leaderDidExit() }
      }
    if !isWatched { pipe.pollLeader() }
  }
}

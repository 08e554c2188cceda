// One exec's process: how it stands, its size, and the two ways to signal it. Where this node sees the
// engine's processes (and their environment shows the mark), directly; otherwise by a second exec in
// the container.

import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Wire

struct DockerProcess: Sendable {
  let engine: DockerEngine
  let exec: String
  /// The container's id: a name may come to mean another one.
  let container: String
  let mark: DockerMark
  /// Whom it runs as; nil: its container's own user. Only that user may look for it in there.
  private let user: String?
  /// The process's number on the engine's host.
  private let pid: pid_t
  /// What `pid` is on this machine, once its environment has shown the mark; from then on its start
  /// time vouches for it.
  private let verified = NIOLockedValueBox<ProcessTable.Member?>(nil)

  /// - Parameter pid: 0 if the process is not to be looked for on this machine.
  init(
    engine: DockerEngine, exec: String, container: String, mark: DockerMark, user: UserName?,
    pid: pid_t
  ) {
    self.engine = engine
    self.user = user?.rawValue
    self.exec = exec
    self.container = container
    self.mark = mark
    self.pid = pid
  }

  /// Looks for the process on this machine while its environment still shows the mark: it may execute
  /// something else with another one.
  func look() async {
    for pause in PipeLimits.looks where known == nil && pid > 1 {
      try? await Task.sleep(for: .milliseconds(pause))
      if await leader() != nil { return }
    }
  }

  /// The process, if it has been seen from here.
  private var known: ProcessTable.Member? { verified.withLockedValue { $0 } }

  /// The process, where it is seen from here. Looked for again at each use until it is found: right
  /// after the start it may still be the container runtime's, with another environment. On a thread for that, since
  /// the environment is in its memory, which may be of a file that does not answer.
  private func leader() async -> ProcessTable.Member? {
    if let known { return known }
    guard pid > 1 else { return nil }
    let member = try? await PipeThreads.looks.runIfActive { [pid, mark] in
      ProcessTable.member(pid).flatMap { member in
        ProcessTable.environment(of: pid, contains: mark.entry) ? member : nil
      }
    }
    guard let member else { return nil }
    verified.withLockedValue { $0 = member }
    return member
  }

  // MARK: Signals

  enum Found: Sendable, Equatable {
    case signalled
    /// No process carries the mark.
    case none
    /// It could not be looked for.
    case unknown(String)
  }

  /// Sends the signals to every process that carries the mark.
  func signal(_ signals: [PipeSignal]) async -> Found {
    if let leader = await leader() { return await signalDirectly(signals, leader) }
    do {
      let result = try await engine.run(
        DockerMark.command(seeking: mark.entry, sending: signals), in: container, as: user)
      switch result.code {
      case 0: return .signalled
      case 3: return .none
      default: return .unknown("no shell in the container could look for it: \(result.output)")
      }
    } catch {
      return await engine.mayHoldProcesses(container) ? .unknown("\(error)") : .none
    }
  }

  private func signalDirectly(_ signals: [PipeSignal], _ leader: ProcessTable.Member) async -> Found
  {
    let members = try? await PipeThreads.marks.runIfActive { [mark] in
      var members = Set(ProcessTable.members(carrying: mark.entry))
      // A leader that executed something with a clean environment is the same process still.
      if ProcessTable.isAlive(leader) { members.insert(leader) }
      for member in members where ProcessTable.isAlive(member) {
        for signal in signals { kill(member.pid, signal.rawValue) }
        if signals.contains(.hangup) { kill(member.pid, SIGCONT) }
      }
      return members
    }
    guard let members else { return .unknown("the node is stopping") }
    return members.isEmpty ? .none : .signalled
  }

  /// Its number on this machine, while it lives and if it has been seen from here.
  var seen: pid_t? { known.flatMap { ProcessTable.isAlive($0) ? $0.pid : nil } }

  // MARK: The end

  struct Outcome: Sendable {
    var status: ExitStatus?
    var reason: String?
    /// It is not known to have ended.
    var mayRun = false
  }

  /// How the process ended, asked when its stream did. The engine may learn of the exit a moment
  /// later, so it is asked again for a while.
  ///
  /// A process that died by signal N is told as exit code 128 + N, as a shell does: the API does not
  /// tell the two apart.
  func outcome() async -> Outcome {
    for attempt in 0..<PipeLimits.exitQuestions {
      do {
        let state = try await engine.inspect(exec)
        if !state.running, let code = state.exitCode {
          return Outcome(status: .exited(code: code))
        }
      } catch {
        // An engine that is restarted with its containers left alone forgets their execs, not the processes.
        return Outcome(
          reason: "the connection to the Docker engine was lost: "
            + ((error as? PipeError)?.message ?? "\(error)"), mayRun: true)
      }
      try? await Task.sleep(for: PipeLimits.questionInterval * (1 << attempt))
    }
    return Outcome(
      reason: "the Docker engine ended the connection while the process ran", mayRun: true)
  }
}

// Tells when and how the processes that this one started have ended: one thread sleeps in waitid(2), which
// says which child has ended and leaves it to be reaped by its number. No descriptor per process is
// needed for that, and nothing polls.

import CPTY
import Dispatch
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import Wire

/// A process that this one started, and leads a process group.
final class Child: Sendable {
  let pid: pid_t
  /// How it ended; nil: that cannot be known.
  let ended: EventLoopFuture<ExitStatus?>
  private let promise: EventLoopPromise<ExitStatus?>
  private let isReaped = NIOLockedValueBox(false)

  fileprivate init(pid: pid_t, eventLoop: any EventLoop) {
    self.pid = pid
    promise = eventLoop.makePromise(of: ExitStatus?.self)
    ended = promise.futureResult
  }

  /// Sends the signal to its process group, unless the number may be another's by now.
  func signal(_ number: CInt) {
    isReaped.withLockedValue { if !$0 { _ = kill(-pid, number) } }
  }

  /// Reaps it if it has ended; true once there is nothing more to wait for.
  fileprivate func reap() -> Bool {
    var code: CInt = 0
    var number: CInt = 0
    let result = isReaped.withLockedValue { isReaped -> CInt? in
      guard !isReaped else { return nil }
      let result = cpty_reap(pid, &code, &number)
      if result != 0 { isReaped = true }
      return result
    }
    switch result {
    case 0: return false
    case 1:
      promise.succeed(number > 0 ? .signalled(number: Int(number)) : .exited(code: Int(code)))
    case nil: break  // and is told
    default: promise.succeed(nil)  // somebody else has reaped it
    }
    return true
  }
}

final class ExitWatcher: Sendable {
  static let shared = ExitWatcher()

  private struct State {
    var children: [pid_t: Child] = [:]
    /// Where the kernel tells the numbers of processes that are being started: one of them may end, or be put off
    /// by its file system for ever, before it is known as a child.
    var starting: Set<Told> = []
    /// Those of them that have been killed, as they did not come to execute their program.
    var late: Set<Told> = []
    var isRunning = false
    var isAsleep = false
    var reapsOrphans = false
  }
  private let state = NIOLockedValueBox(State())

  /// The place for one number. `@unchecked`: C writes it once and reads it atomically.
  private final class Told: Hashable, @unchecked Sendable {
    let place = UnsafeMutablePointer<pid_t>.allocate(capacity: 1)
    init() { place.initialize(to: 0) }
    deinit { place.deallocate() }
    var pid: pid_t { cpty_told(place) }
    static func == (one: Told, other: Told) -> Bool { one === other }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
  }

  /// What came of a start: a process, and then perhaps why it is none of use.
  struct Spawned {
    /// 0: there is no process.
    var pid: pid_t
    var failure: (any Error)?
    /// It did not come to execute its program, and was killed.
    var isLate = false
  }

  /// A process was killed, as it did not come to execute its program in time. One that its file system holds on to
  /// ends much later. No ``Failure``: it hands the process to its starter, which says what a client is told.
  struct Late: Error {
    var child: Child
  }

  private let wake = DispatchSemaphore(value: 0)

  private init() {}

  /// Starts a process by `spawn`, and has it told where it is given a place for its number. One that has not come
  /// back in time has its process killed.
  /// - Throws: why it is none of use, or ``Late``; ``PipeError`` if there is no thread to watch it.
  func start(
    on eventLoop: any EventLoop, within patience: TimeAmount = PipeLimits.start,
    _ spawn: (_ told: UnsafeMutablePointer<pid_t>) -> Spawned
  ) throws -> Child {
    try run()
    let told = Told()
    state.withLockedValue { _ = $0.starting.insert(told) }
    let limit = eventLoop.scheduleTask(in: patience) { [self] in giveUp(told) }
    let spawned = withExtendedLifetime(told) { spawn(told.place) }
    limit.cancel()
    guard spawned.pid > 0 else {
      state.withLockedValue { _ = $0.starting.remove(told) }
      throw spawned.failure
        ?? PipeError(.resources, "this node can start no process now")
    }
    let child = Child(pid: spawned.pid, eventLoop: eventLoop)
    let (isAsleep, isLate) = state.withLockedValue { state in
      state.starting.remove(told)
      state.children[child.pid] = child
      defer { state.isAsleep = false }
      return (state.isAsleep, state.late.remove(told) != nil)
    }
    if isAsleep { wake.signal() }
    look(at: child)
    if isLate || spawned.isLate { throw Late(child: child) }
    if let failure = spawned.failure { throw failure }
    return child
  }

  /// While it counts as starting, nobody has reaped it, and its number is its own.
  private func giveUp(_ told: Told) {
    state.withLockedValue { state in
      guard state.starting.contains(told), told.pid > 0 else { return }
      state.late.insert(told)
      kill(told.pid, SIGKILL)
    }
  }

  /// From now on, children that nobody started here are reaped, too: those that a process left which was
  /// replaced by this one, and, for process 1 of a container, everybody's orphans. Not for a process in
  /// which others wait for children of their own.
  func reapOrphans() throws {
    try run()
    let isAsleep = state.withLockedValue { state in
      state.reapsOrphans = true
      defer { state.isAsleep = false }
      return state.isAsleep
    }
    if isAsleep { wake.signal() }
  }

  /// The thread, once.
  private func run() throws {
    try state.withLockedValue { state in
      guard !state.isRunning else { return }
      var thread = pthread_t()
      let error = pthread_create(
        &thread, nil,
        { _ in
          ExitWatcher.shared.watch()
          return nil
        }, nil)
      guard error == 0 else {
        throw PipeError(.resources, "this machine has no thread left: \(describe(errno: error))")
      }
      pthread_detach(thread)
      state.isRunning = true
    }
  }

  private func watch() {
    while true {
      let pid = cpty_wait_any()
      if pid == 0 {
        // No child at all: those that are waited for were reaped by somebody else.
        reap()
        sleepUntilNeeded()
      } else if let child = state.withLockedValue({ $0.children[pid] }) {
        look(at: child)
      } else {
        meet(stranger: pid)
      }
    }
  }

  /// Tells of its end without waiting to hear of it, which one whom somebody else has reaped would do in vain.
  func look(at child: Child) { if child.reap() { forget(child) } }

  private func forget(_ child: Child) {
    state.withLockedValue { state in
      if state.children[child.pid] === child { state.children[child.pid] = nil }
    }
  }

  private func reap() {
    for child in state.withLockedValue({ Array($0.children.values) }) { look(at: child) }
  }

  /// A child has ended that is not known. It is told again and again until somebody reaps it.
  private func meet(stranger pid: pid_t) {
    let isOrphan = state.withLockedValue { state in
      // One that was just started is known by now, or its number is.
      state.reapsOrphans && state.children[pid] == nil
        && !state.starting.contains { $0.pid == pid }
    }
    if isOrphan {
      var code: CInt = 0
      var number: CInt = 0
      _ = cpty_reap(pid, &code, &number)
    } else {
      // Its owner will reap it; the others are looked at meanwhile.
      reap()
      if state.withLockedValue({ $0.children[pid] == nil }) {
        usleep(useconds_t(PipeLimits.foreignChild / Duration.microseconds(1)))
      }
    }
  }

  private func sleepUntilNeeded() {
    let (maySleep, hasLimit) = state.withLockedValue { state in
      state.isAsleep = state.children.isEmpty
      return (state.isAsleep, state.reapsOrphans)
    }
    guard maySleep else {
      usleep(useconds_t(PipeLimits.foreignChild / Duration.microseconds(1)))
      return
    }
    if hasLimit {
      _ = wake.wait(timeout: .now() + PipeLimits.orphans / Duration.seconds(1))
    } else {
      wake.wait()
    }
  }
}

/// errno in words.
func describe(errno error: CInt) -> String { String(cString: strerror(error)) }

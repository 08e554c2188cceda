// Ends what earlier incarnations of a node left on one engine: the processes that carry its mark, and that of an
// incarnation which is dead. One container that cannot be asked holds up no other.

import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Wire

struct DockerSweep: Sendable {
  private let engine: DockerEngine
  private let logger: Logger
  private let unswept = NIOLockedValueBox(Leftovers<Place>())

  init(_ engine: DockerEngine, logger: Logger) {
    self.engine = engine
    self.logger = logger
  }

  /// Where something may be left.
  private struct Place: Sendable {
    var container: String
    /// As whom it is looked for; nil: whom the container's execs run as.
    var users: Set<String?>?
  }

  /// Looks into every container in which some exec runs. What cannot be looked at is said, and waits for `settle`.
  /// - Returns: false: the engine does not answer.
  func run(scope: String) async -> Bool {
    do {
      let containers = try await engine.containers().map(\.id)
      return await withTaskGroup(of: Bool.self) { group in
        var answers = true
        for (index, container) in containers.enumerated() {
          if index >= PipeLimits.engineCalls, await group.next() == false { answers = false }
          guard answers else { break }
          group.addTask { await attempt(Place(container: container), scope: scope) }
        }
        for await answer in group where !answer { answers = false }
        return answers && !Task.isCancelled
      }
    } catch {
      logger.warning("the Docker engine was not swept", metadata: ["error": "\(error)"])
      return false
    }
  }

  private func attempt(_ place: Place, scope: String) async -> Bool {
    guard let (rest, why) = await sweep(place, scope: scope), !Task.isCancelled else { return true }
    if let problem = await engine.trouble {
      logger.warning("the Docker engine was not swept", metadata: ["error": "\(problem)"])
      return false
    }
    logger.warning(
      "what an earlier incarnation may have left in a container cannot be looked for; it is tried again",
      metadata: ["container": "\(rest.container)", "error": "\(why)"])
    if let lost = unswept.withLockedValue({ $0.add(rest, at: .now) }) {
      giveUp(lost, "too many wait")
    }
    return true
  }

  /// Tries again what could not be looked at, as far as it is its time.
  func settle(scope: String) async {
    let due = unswept.withLockedValue { $0.takeDue(at: .now) }
    for (index, leftover) in due.enumerated() {
      guard !Task.isCancelled, let (rest, why) = await sweep(leftover.item, scope: scope) else {
        continue
      }
      var leftover = leftover
      leftover.item = rest
      let answers = await engine.trouble == nil
      putBack(leftover, why, wasTried: answers)
      guard answers else {
        for rest in due[(index + 1)...] { putBack(rest, why, wasTried: false) }
        return
      }
    }
  }

  private func putBack(_ leftover: Leftovers<Place>.Leftover, _ why: String, wasTried: Bool) {
    let isKept = unswept.withLockedValue { $0.putBack(leftover, at: .now, wasTried: wasTried) }
    if !isKept { giveUp(leftover.item, why) }
  }

  private func giveUp(_ place: Place, _ why: String) {
    logger.error(
      "what an earlier incarnation may have left in a container is looked for no more, and may run on: end it by hand",
      metadata: ["container": "\(place.container)", "why": "\(why)"])
  }

  // MARK: One container

  /// - Returns: what of it could not be looked at, and why; nil: nothing, or there is nothing in it any more.
  private func sweep(_ place: Place, scope: String) async -> (rest: Place, why: String)? {
    var rest = place
    var why = ""
    do {
      var left: Set<String?> = []
      let users =
        if let users = place.users { users } else { try await self.users(in: place.container) }
      for user in users {
        do {
          try await sweep(place.container, as: user, scope: scope)
        } catch {
          left.insert(user)
          why = "\(error)"
        }
      }
      if left.isEmpty { return nil }
      rest.users = left
    } catch {
      why = "\(error)"
    }
    return await engine.mayHoldProcesses(place.container) ? (rest, why) : nil
  }

  private func users(in container: String) async throws -> Set<String?> {
    let found = try await engine.users(in: container)
    if !found.isWhole {
      logger.warning(
        "not everybody whom a container's processes run as is known; what an earlier incarnation left may run on there",
        metadata: ["container": "\(container)", "known": "\(found.users.count)"])
    }
    return found.users
  }

  /// Each user looks for its own: root of a container may not look into others' processes, either.
  private func sweep(_ container: String, as user: String?, scope: String) async throws {
    let marks = DockerMark.prefix(scope: scope)
    let result = try await engine.run(
      DockerMark.command(seeking: marks, sending: []), in: container, as: user)
    guard result.code == 0 else { return }  // none, or no shell in it
    let incarnations = result.output.split(whereSeparator: \.isWhitespace).compactMap {
      Incarnation(String($0))
    }
    for earlier in incarnations where !IncarnationLock.isHeld(earlier) {
      note(earlier, ["container": "\(container)"])
      let sought = DockerMark.prefix(scope: scope, incarnation: earlier)
      for signal in [PipeSignal.hangup, .kill] {
        _ = try await engine.run(
          DockerMark.command(seeking: sought, sending: [signal]), in: container, as: user)
        if signal == .hangup { try await Task.sleep(for: PipeLimits.sweepGrace) }
      }
    }
  }

  private func note(_ earlier: Incarnation, _ metadata: Logger.Metadata) {
    logger.notice(
      "ending what an earlier incarnation left",
      metadata: metadata.merging(["incarnation": "\(earlier)"]) { $1 })
  }

  // MARK: This machine

  /// What is seen in /proc: an engine that was restarted since has forgotten it.
  func sweepProcesses(scope: String) async throws {
    let sought = DockerMark.prefix(scope: scope)
    // All of /proc is read.
    let marked = try await PipeThreads.marks.runIfActive {
      ProcessTable.members(carryingPrefix: sought).compactMap { member, rest in
        Incarnation(String(rest.prefix { $0 != "/" })).map { (member, $0) }
      }
    }
    let left = marked.filter { !IncarnationLock.isHeld($0.1) }
    guard !left.isEmpty else { return }
    for earlier in Set(left.map(\.1)) { note(earlier, ["on": "this machine"]) }
    for (member, _) in left where ProcessTable.isAlive(member) {
      kill(member.pid, SIGHUP)
      kill(member.pid, SIGCONT)
    }
    try await Task.sleep(for: PipeLimits.sweepGrace)
    for (member, _) in left where ProcessTable.isAlive(member) { kill(member.pid, SIGKILL) }
  }
}

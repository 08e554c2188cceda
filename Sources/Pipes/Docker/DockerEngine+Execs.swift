// What runs in a container by the engine's execs: whose they are, and whether a holder is among them.

import HTTPClient
import NIOCore
import NIOHTTP1

extension DockerEngine {
  /// Whom a container's execs run as; nil: its own user. Nobody where none runs.
  /// - Returns: also whether all of them could be looked at.
  func users(in container: String) async throws -> (users: Set<String?>, isWhole: Bool) {
    var users: Set<String?> = [nil]
    let found = try await lookAtExecs(in: container) { state in
      users.insert(state.user)
      return users.count < PipeLimits.sweptUsers
    }
    return found.areAny ? (users, found.isWhole) : ([], true)
  }

  /// Looks at a container's execs, some at a time.
  /// - Parameter look: returns false when no more are to be looked at.
  /// - Returns: also whether all of them could be looked at.
  func lookAtExecs(in container: String, _ look: (ExecState) -> Bool) async throws
    -> (areAny: Bool, isWhole: Bool)
  {
    let details: Details = try await call(
      .GET, "/containers/\(container)/json", nil as Int?, container: container)
    let execs = details.execIDs ?? []
    let start = ContinuousClock.now
    var rest = execs.prefix(PipeLimits.sweptExecs)
    while !rest.isEmpty {
      guard ContinuousClock.now - start < PipeLimits.sweptExecsDeadline else {
        return (true, false)
      }
      let some = rest.prefix(PipeLimits.engineCalls)
      rest = rest.dropFirst(some.count)
      let states = try await withThrowingTaskGroup(of: ExecState?.self) { group in
        for exec in some { group.addTask { try await find(Self.checked(exec)) } }
        return try await group.reduce(into: [ExecState]()) {
          if let state = $1 { $0.append(state) }
        }
      }
      for state in states {
        guard look(state) else { return (true, false) }
      }
    }
    return (!execs.isEmpty, execs.count <= PipeLimits.sweptExecs)
  }

  /// Nil: it has ended, so long ago that the engine has forgotten it.
  private func find(_ exec: String) async throws -> ExecState? {
    let answer = try await send(.GET, "/exec/\(exec)/json")
    if answer.status == .notFound { return nil }
    guard answer.status == .ok else { throw Self.error(answer, container: nil, address) }
    return try Self.decode(ExecState.self, answer.body)
  }
}

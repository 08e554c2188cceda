// What operators see of a session.

import FoundationEssentials
import NIOCore
import Screen
import Wire

extension Session {
  func summary(node: String) -> SessionSummary {
    let now = NIODeadline.now()
    let drivers = streams.lazy.filter { $0.mode == .driver }
    let watchers = streams.lazy.filter { $0.mode == .watcher }
    let listed =
      Array(drivers.prefix(WireLimits.viewersListed)) + watchers.prefix(WireLimits.viewersListed)
    return SessionSummary(
      session: id, node: node, life: life, epoch: epoch, target: creation.target.description,
      command: creation.command, user: creation.user, state: ended == nil ? .running : .ended,
      status: ended?.status, reason: ended?.reason, ended: endedTime, size: size,
      title: screen.title.isEmpty ? nil : screen.title.clipped(to: 256), created: createdAt,
      idle: UInt64(max(0, (now - lastUsed).nanoseconds / 1_000_000)), output: log.end,
      input: inputBytes, owner: owner,
      viewers: listed.prefix(WireLimits.viewersListed).map {
        Event.Viewer(client: $0.client, mode: $0.mode, sub: $0.identity.subject)
      })
  }

  /// What of it is not what the OPEN would have created, for REFUSED `exists` and OPENED; nil: nothing. Who may
  /// only look is not told how it was started.
  func differences(from request: LinkOpen, rights: Rights) -> [String]? {
    guard let wanted = request.open.create else { return nil }
    var names = owner == request.access.subject ? [] : ["owner"]
    if rights >= .write { names += creation.differences(from: wanted) }
    return names.isEmpty ? nil : names
  }
}

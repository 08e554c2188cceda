// What operators see of a session.

import NIOCore
import Wire

extension Session {
  func summary(node: String) -> SessionSummary {
    let now = NIODeadline.now()
    let idle = streams.isEmpty ? (now - lastUsed).nanoseconds / 1_000_000 : 0
    // A command can be as long as an OPEN; its first words tell enough, and fit in a frame.
    let words = creation.command.prefix(8).map { $0.clipped(to: 32) }
    return SessionSummary(
      session: id, node: node, life: life, epoch: epoch, target: creation.target.description,
      command: words, state: ended == nil ? "running" : "ended", status: ended?.status,
      size: size, title: nil, created: createdAt, idle: UInt64(max(0, idle)), output: log.end,
      input: inputBytes,
      viewers: streams.prefix(4).map { Event.Viewer(client: $0.client, mode: $0.mode) })
  }

  /// The last bytes of the log as text, until there is a screen.
  func screen(format: String) -> String {
    var bytes = ByteBuffer()
    _ = log.read(at: max(log.start, log.end - min(log.end, 16_384)), count: 16_384, into: &bytes)
    return String(buffer: bytes)
  }
}

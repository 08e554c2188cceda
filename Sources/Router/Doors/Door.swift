// What clients come in by. A door makes our frames of what its clients send, and what they understand of our frames;
// what a client may do, and where its sessions are, is the same behind every door.

import Auth
import Wire

/// Confined to its client's loop. `write` only collects frames; `flush` sends them.
protocol Door: AnyObject {
  /// False: what is written waits until the door says `doorDidBecomeWritable`.
  var isWritable: Bool { get }
  /// Bytes that were written and not flushed.
  var unflushed: Int { get }
  func write(_ frame: Frame, stream: UInt64)
  /// - Parameter isLast: nothing more follows at once, so that memory can be given back.
  func flush(isLast: Bool)
  /// The client takes frames again, or no more of them: `ConnectedClient.takesFrames`.
  func readingDidChange()
  func close(_ parting: Parting)
}

/// Why this end leaves.
enum Parting {
  /// The client has not kept to the protocol.
  case mistake(WireError)
  /// It is to come back with another token.
  case unauthorized(AuthError)
  case shuttingDown
  /// An operator has ended its connection.
  case kicked
}

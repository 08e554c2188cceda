// How it ended that this program was a client of a session.

import Client
import Wire

enum AttachOutcome: Sendable {
  case detached
  case ended(Ended)
  case refused(Refused)
  case closed(String)
  /// The session has ended, and another process was started under its name while this client was away.
  case replaced
  case neverConnected(String, ClientErrorCode)
  /// It was tried for long enough.
  case gaveUp(String)
}

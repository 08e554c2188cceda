// How it ended that this program was a client of a session.

import Client
import Wire

enum AttachOutcome: Sendable {
  case detached
  case ended(Ended)
  case refused(Refused)
  case closed(String)
  case neverConnected(String, ClientErrorCode)
  /// It was tried for long enough.
  case gaveUp(String)
}

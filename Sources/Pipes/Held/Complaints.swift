// What is said in the log about a peer that may be forged: so much in a time, and then how much was left unsaid.

import NIOCore

struct Complaints {
  private var since: NIODeadline?
  private var said = 0
  private var unsaid = 0

  /// - Returns: how many were not said before it; nil: it is not to be said either.
  mutating func admit(at now: NIODeadline) -> Int? {
    if since.map({ now - $0 >= PipeLimits.complaintTime }) ?? true { (since, said) = (now, 0) }
    guard said < PipeLimits.complaints else {
      unsaid += 1
      return nil
    }
    said += 1
    defer { unsaid = 0 }
    return unsaid
  }
}

// What one client typed into one session: how far it was accepted, how far it was written to the
// pipe. Pure; offsets make a resent byte harmless and a missing one visible (promise P2).

import Wire

struct InputLedger: Equatable {
  enum Verdict: Equatable {
    /// The last `fresh` bytes of the frame are new and to be written.
    case accept(fresh: Int)
    /// All of it had been accepted before.
    case duplicate
    /// It begins beyond what was accepted: bytes are missing.
    case gap
    /// More is unwritten than a client may have under way.
    case overflow
  }

  /// Every byte before this offset is in the pipe or in its queue.
  private(set) var accepted: UInt64
  /// Every byte before this offset was written to the pipe.
  private(set) var written: UInt64
  /// Where the client counts its window from, if that is beyond `written`: one that does not remember
  /// what it had under way (a reloaded page) begins at what was accepted.
  private var base: UInt64 = 0

  init(startingAt offset: UInt64 = 0) {
    accepted = offset
    written = offset
  }

  /// Accepted and not written.
  var inFlight: Int { Int(accepted - written) }

  /// The client attaches and does not know what is under way.
  mutating func startAnew() { base = accepted }

  mutating func receive(offset: UInt64, count: Int) -> Verdict {
    guard offset <= accepted else { return .gap }
    let (end, overflow) = offset.addingReportingOverflow(UInt64(count))
    guard !overflow, end <= Varint.maximum else { return .gap }
    guard end > accepted else { return .duplicate }
    let fresh = Int(end - accepted)
    guard end - max(written, base) <= UInt64(WireLimits.inputInFlight),
      inFlight + fresh <= SessionLimits.reloads * WireLimits.inputInFlight
    else { return .overflow }
    accepted = end
    return .accept(fresh: fresh)
  }

  mutating func wrote(_ count: Int) { written = min(accepted, written + UInt64(count)) }
}

// How long a command waits for a session that cannot be opened just now, and what it says meanwhile.

import ArgumentParser

struct WaitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How long to try when no node can take the session now, or its node does not answer; 0: not at all.",
      valueName: "time"))
  var wait = DelayOption(seconds: 30)
}

/// Pure.
struct Waiting {
  enum Step: Equatable {
    case silent
    case say(String)
    case giveUp(String)
  }

  private let limit: Duration
  private var since: ContinuousClock.Instant?
  private var reason = ""
  private var said: (reason: String, at: ContinuousClock.Instant)?

  init(atMost limit: Duration) { self.limit = limit }

  /// The server cannot open it now, and would be asked again.
  mutating func postponed(_ reason: String, at now: ContinuousClock.Instant) -> Step {
    let since = since ?? now
    self.since = since
    self.reason = reason
    let waited = now - since
    guard waited < limit else { return .giveUp(inVain(at: now)) }
    if let said, said.reason == reason, now - said.at < CommandLimits.waitInterval {
      return .silent
    }
    said = (reason, now)
    return .say(
      "waiting, for \((limit - waited).components.seconds) s more at most: \(reason)")
  }

  /// When it is given up, also if the server wants to be asked again later than that; nil: there is nothing to wait for.
  var end: ContinuousClock.Instant? { since.map { $0 + limit } }

  func inVain(at now: ContinuousClock.Instant) -> String {
    let waited = now - (since ?? now)
    let time = waited < .seconds(1) ? "" : " for \(waited.components.seconds) s"
    return "waited\(time) in vain: \(reason)"
  }
}

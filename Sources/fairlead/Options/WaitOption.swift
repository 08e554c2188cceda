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
  /// The wait begins with the first request: its answer takes time, too.
  private let start: ContinuousClock.Instant
  private var isPostponed = false
  private var reason = ""
  private var said: (reason: String, at: ContinuousClock.Instant)?

  init(atMost limit: Duration, from start: ContinuousClock.Instant = .now) {
    self.limit = limit
    self.start = start
  }

  /// The server cannot open it now, and would be asked again.
  mutating func postponed(_ reason: String, at now: ContinuousClock.Instant) -> Step {
    isPostponed = true
    self.reason = reason
    let left = limit - (now - start)
    guard left > .zero else { return .giveUp(inVain(at: now)) }
    if let said, said.reason == reason, now - said.at < CommandLimits.waitInterval {
      return .silent
    }
    said = (reason, now)
    let seconds = (left / .seconds(1)).rounded()
    return .say("waiting, for \(Int(seconds)) s more at most: \(reason)")
  }

  /// When it is given up, also if the server wants to be asked again later than that; nil: there is nothing to wait for.
  var end: ContinuousClock.Instant? { isPostponed ? start + limit : nil }

  func inVain(at now: ContinuousClock.Instant) -> String {
    // A timer or an answer may come late; the user asked for no longer wait than this.
    let waited = min(now - start, limit)
    let time = waited < .seconds(1) ? "" : " for \(waited.components.seconds) s"
    return "waited\(time) in vain: \(reason)"
  }
}

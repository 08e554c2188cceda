// What `new` and `attach` say while they wait, and when they give up (promise P10).

import Client
import TestSupport
import Testing
import Wire

@testable import fairlead

@Suite struct WaitingTests {
  @Test func theSameReasonIsNotSaidEachTimeAndTheWaitHasAnEnd() {
    var waiting = Waiting(atMost: .seconds(30))
    let start = ContinuousClock.now
    var said: [String] = []
    var end: (second: Int, words: String)?
    for second in stride(from: 0, through: 60, by: 2) where end == nil {
      let step = waiting.postponed(
        second < 14 ? "full" : "away", at: start + .seconds(second))
      switch step {
      case .silent: break
      case .say(let words): said.append("\(second) \(words)")
      case .giveUp(let words): end = (second, words)
      }
    }
    #expect(
      said == [
        "0 waiting, for 30 s more at most: full", "10 waiting, for 20 s more at most: full",
        "14 waiting, for 16 s more at most: away", "24 waiting, for 6 s more at most: away",
      ])
    #expect(end?.second == 30 && end?.words == "waited for 30 s in vain: away")
  }

  @Test(.timeLimit(.minutes(patience)))
  func theWaitEndsThoughTheServerWantsToBeAskedLater() async throws {
    let (outcomes, finish) = AsyncStream.makeStream(of: Attachment.Outcome.self)
    let screen = AttachedScreen(
      session: .random(), isNew: true, isWatching: false, waiting: Waiting(atMost: .seconds(1)),
      giveUp: { finish.yield($0) })
    let postponed = TerminalEvent.state(.postponed(in: .seconds(3_600), reason: "full"))
    let early = await screen.show(postponed)
    #expect(early.map { "\($0)" } == nil)
    let outcome = await outcomes.first { _ in true }
    guard case .gaveUp(let words) = outcome else {
      Issue.record("\(String(describing: outcome))")
      return
    }
    #expect(words.hasPrefix("waited for ") && words.hasSuffix(" s in vain: full"), "\(words)")
  }

  @Test func whoDoesNotWaitIsToldAtOnce() {
    var waiting = Waiting(atMost: .zero)
    #expect(
      waiting.postponed("full", at: .now) == .giveUp("waited in vain: full"))
  }
}

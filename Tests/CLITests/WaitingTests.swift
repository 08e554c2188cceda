// What `new` and `attach` say while they wait, and when they give up (promise P10).

import Client
import TestSupport
import Testing
import Wire

@testable import fairlead

@Suite struct WaitingTests {
  @Test func theSameReasonIsNotSaidEachTimeAndTheWaitHasAnEnd() {
    let start = ContinuousClock.now
    var waiting = Waiting(atMost: .seconds(30), from: start)
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
    let (outcomes, finish) = AsyncStream.makeStream(of: AttachOutcome.self)
    let screen = AttachedScreen(
      session: .random(), isNew: true, isWatching: false, waiting: Waiting(atMost: .seconds(1)),
      giveUp: { finish.yield($0) })
    let postponed = TerminalEvent.state(.postponed(in: .seconds(3_600), reason: "full"))
    // At once on a machine that was slow to come here.
    var outcome = await screen.show(postponed)
    if outcome == nil { outcome = await outcomes.first { _ in true } }
    guard case .gaveUp(let words) = outcome else {
      Issue.record("\(String(describing: outcome))")
      return
    }
    #expect(words == "waited for 1 s in vain: full")
  }

  /// The server may take longer to say that it cannot than the user waits, and a timer may be late.
  @Test func theAnswersTimeCountsAndNoLongerOneIsTold() {
    let start = ContinuousClock.now
    var late = Waiting(atMost: .seconds(2), from: start)
    #expect(late.end == nil, "there is nothing to wait for")
    #expect(
      late.postponed("away", at: start + .seconds(9)) == .giveUp("waited for 2 s in vain: away"))
    var early = Waiting(atMost: .seconds(10), from: start)
    let said = early.postponed("away", at: start + .seconds(4))
    #expect(said == .say("waiting, for 6 s more at most: away"))
    #expect(early.end == start + .seconds(10))
    #expect(early.inVain(at: start + .seconds(13)) == "waited for 10 s in vain: away")
    #expect(early.inVain(at: start + .milliseconds(6_900)) == "waited for 6 s in vain: away")
  }

  @Test func whoDoesNotWaitIsToldAtOnce() {
    var waiting = Waiting(atMost: .zero)
    #expect(
      waiting.postponed("full", at: .now) == .giveUp("waited in vain: full"))
  }
}

@Suite struct ReplacedTests {
  private func opened(_ life: Life) throws -> TerminalEvent {
    .opened(
      Opened(
        session: try #require(SessionID("s")), life: life, epoch: Epoch(1), created: false,
        resumed: .snapshot, output: 0, input: 0, size: .standard, mode: .driver))
  }

  /// Promise P4: what was lost is said to be lost, and no key goes to a stranger's process.
  @Test func attachDoesNotGoOnInAnotherProcessOfTheSameName() async throws {
    let screen = AttachedScreen(
      session: try #require(SessionID("s")), isNew: false, isWatching: false,
      waiting: Waiting(atMost: .seconds(30)), giveUp: { _ in })
    let (first, second) = (Life.random(), Life.random())
    #expect(await screen.show(try opened(first)) == nil)
    #expect(await screen.show(try opened(first)) == nil, "it is the same after a cut")
    guard case .replaced = await screen.show(try opened(second)) else {
      Issue.record("it goes on in another process")
      return
    }
  }

  /// Who asked for that is told, and goes on.
  @Test func whatIsStartedAnewAsWasAskedForIsEntered() async throws {
    let screen = AttachedScreen(
      session: try #require(SessionID("s")), isNew: true, isWatching: false,
      waiting: Waiting(atMost: .seconds(30)), giveUp: { _ in })
    #expect(await screen.show(try opened(.random())) == nil)
    #expect(await screen.show(.lost(Refused(.lost, "its node has died"))) == nil)
    #expect(await screen.show(try opened(.random())) == nil)
  }
}

// Ctrl-C in a flood: what is unsent gives way to a snapshot, so that the prompt is back at once even on
// a slow line (promise P7). The times are printed; docs/reliability.md quotes them.

import Chaos
import Client
import Judge
import NIOCore
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience)), .serialized) struct InterruptTests {
  /// A shell whose prompt is `ready> `.
  private static let shell = Creation(command: ["sh", "-i"], environment: ["PS1": "ready> "])

  private static var slowLine: ChaosProfile {
    var profile = ChaosProfile.faithful
    profile.rate = 1_000_000...1_000_000
    return profile
  }

  @Test func thePromptIsBackAtOnceOnALineOf1MBPerSecond() async throws {
    try await Fleet.serve(Self.slowLine) { fleet in
      let slow = try Viewer(fleet.url, create: Self.shell)
      try await interrupt(slow, "alone")
      try await slow.close()
    }
  }

  @Test func evenWhileAFastClientKeepsTheProcessAtFullSpeed() async throws {
    try await Fleet.serve(Self.slowLine) { fleet in
      let slow = try Viewer(fleet.url, create: Self.shell)
      try await slow.until(ending: "ready> ")
      let fast = try Viewer(fleet.direct, session: slow.terminal.session)
      try await interrupt(slow, "beside a fast client")
      try await fast.until("the end") { $0.ended != nil }
      // It came later and began with a snapshot; and how much more it was shown depends on the machine.
      #expect(fast.seen.shown > slow.seen.shown)
      #expect(fast.seen.text == slow.seen.text)
      print("the fast client was shown \(fast.seen.shown) bytes, the slow one \(slow.seen.shown)")
      try await slow.close()
      try await fast.close()
    }
  }

  @Test func itReachesAProgramThatDoesNotReadAndNothingElseOfWhatWaitedDoes() async throws {
    try await Fleet.serve { fleet in
      let viewer = try Viewer(fleet.url, create: Self.shell)
      try await viewer.until(ending: "ready> ")
      viewer.type("sleep 600\n")
      try await viewer.until("it runs") { $0.text.contains("sleep 600\r\n") }
      // As much as may be under way, and more than a terminal holds.
      viewer.type(String(repeating: "echo no\n", count: 8_000))
      viewer.type("\u{3}")
      try await viewer.until(ending: "ready> ")
      viewer.type("echo $((6*7))\n")
      try await viewer.until("an answer") { $0.text.contains("42\r\n") }
      #expect(!viewer.seen.text.contains("\nno\r\n"))
      try await viewer.terminal.flush()
      viewer.terminal.kill()
      try await viewer.until("the end") { $0.ended != nil }
    }
  }

  @Test("where the key is no interrupt, it and all before it are read: promise P2")
  func whereItIsAByteItIsRead() async throws {
    try await Fleet.serve { fleet in
      let count = 60_001
      let script = "stty raw -echo; echo ready; sleep 1; head -c \(count) | wc -c"
      let viewer = try Viewer(fleet.url, create: Creation(command: ["sh", "-c", script]))
      try await viewer.until("ready") { $0.text.contains("ready") }
      viewer.type(String(repeating: "echo no\n", count: 7_500))
      viewer.type("\u{3}")
      try await viewer.until("the end") { $0.ended != nil }
      #expect(viewer.seen.text.contains("\(count)"))
    }
  }

  private func interrupt(_ viewer: Viewer, _ title: String) async throws {
    try await viewer.until(ending: "ready> ")
    viewer.type("yes abcdefghijklmnopqrstuvwxyz\n")
    let before = viewer.seen.shown
    try await viewer.until("a flood") { $0.shown > before + 1_500_000 }
    let start = ContinuousClock.now
    viewer.type("\u{3}")
    try await viewer.until(ending: "ready> ")
    let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
    print(
      "ctrl-C in a flood, \(title): prompt after \(Int(milliseconds)) ms, "
        + "\(viewer.seen.snapshots) snapshots")
    // The shell works.
    viewer.type("echo $((6*7))\n")
    try await viewer.until("an answer") { $0.text.contains("42") }
    viewer.terminal.kill()
    try await viewer.until("the end") { $0.ended != nil }
  }
}

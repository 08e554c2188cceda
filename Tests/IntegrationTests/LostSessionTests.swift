// Sessions whose router or node has died, as `new` and `attach` see them (promise P10).

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3 * patience))) struct LostSessionTests {
  @Test func newGoesOnWhenItsRouterIsStartedAgain() async throws {
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url)
    let first = try await TestRouter.start("r", redis: redis.url)
    let mark = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-end-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: mark) }
    let new = try Fairlead.start([
      "new", "--api", first.url, "--", "sh", "-c",
      "while [ ! -e \(mark) ]; do sleep 0.1; done; exit 6",
    ])
    _ = try await new.line(with: "new session")
    first.process.signal(SIGKILL)
    _ = try await first.process.waitForExit()
    let second = try await TestRouter.start("r", redis: redis.url, port: first.port)
    try Data().write(to: URL(fileURLWithPath: mark))
    #expect(try await new.waitForExit(atMost: .seconds(60 * patience)) == 6, "\(new.output)")
    withExtendedLifetime((node, second)) {}
  }

  /// Promise P10: lost is what nobody knows the end of, and its name is nobody's any more.
  @Test func whatHadEndedIsNotLostWithItsNodeAndWhatRanIsStartedAnew() async throws {
    let redis = try await RedisServer.start()
    let node = try await TestNode.start("a", redis: redis.url)
    let router = try await TestRouter.start("r", redis: redis.url)
    func run(_ arguments: [String]) async throws -> (code: Int, output: String) {
      try await Fairlead.run(arguments, environment: ["FAIRLEAD_API": router.url])
    }
    #expect(try await run(["new", "--session", "done", "--", "sh", "-c", "exit 9"]).code == 9)
    for id in ["one", "two"] {
      let made = try await run(["new", "--session", id, "--detached", "--", "sleep", "600"])
      #expect(made.code == 0, "\(made.output)")
    }
    try await eventually("the registry knows of the end") {
      try await run(["explain", "done"]).output.contains("record   ended by node a")
    }
    node.process.signal(SIGKILL)
    try await eventually("it counts as dead") {
      let attached = try await run(["attach", "one"])
      return attached.output.contains("was lost with its node a, whose lease ended at 20")
    }
    let (code, output) = try await run(["session", "done"])
    #expect(code == 1)
    #expect(output.contains("has ended on node a: exited, exit 9, 20"), "\(output)")
    #expect(try await run(["where", "done"]).output.contains("exited, exit 9"))
    #expect(try await run(["attach", "done"]).code == 9)
    #expect(!(try await run(["sessions"]).output.contains("done")))
    let other = try await TestNode.start("b", redis: redis.url)
    let detached = try await run(["new", "--session", "one", "--detached", "--", "cat"])
    #expect(detached.code == 0, "\(detached.output)")
    #expect(detached.output.contains("lost with its node a") && detached.output.contains("anew"))
    let attached = try await run(["new", "--session", "two", "--", "sh", "-c", "exit 3"])
    #expect(attached.code == 3, "\(attached.output)")
    #expect(attached.output.contains("lost with node a; it is started anew"), "\(attached.output)")
    let again = try await run(["new", "--session", "done", "--", "sh", "-c", "exit 4"])
    #expect(again.code == 4 && !again.output.contains("lost"), "\(again.output)")
    withExtendedLifetime(other) {}
  }
}

// The processes that tests start: none is left behind, and nobody else's is ended in the place of one.

import TestSupport
import Testing

@Suite struct ChildProcessTests {
  /// Its number may be another process's by the time that the tests end: of another run's, which lost its node and its
  /// router in that way.
  @Test func oneThatHasEndedIsNotKilledWhenTheTestsEnd() async throws {
    let child = try ChildProcess("/usr/bin/env", ["true"])
    #expect(ChildProcess.left.contains(child.pid))
    try await child.waitForExit()
    #expect(!ChildProcess.left.contains(child.pid))
    let running = try ChildProcess("/usr/bin/env", ["sleep", "600"])
    #expect(ChildProcess.left.contains(running.pid))
    running.signal(9)
    try await running.waitForExit()
    #expect(!ChildProcess.left.contains(running.pid))
  }
}

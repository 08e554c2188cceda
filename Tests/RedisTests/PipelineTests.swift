// The pipeline keeps commands and replies in step, whatever times out or breaks.

import Testing
import Wire

@testable import Redis

@Suite struct PipelineTests {
  @Test func repliesComeInTheOrderOfTheCommands() {
    var pipeline = Pipeline<String>(greeting: [])
    _ = pipeline.append("one")
    _ = pipeline.append("two")
    guard case .deliver("one", .integer(1)) = pipeline.receive(.integer(1)),
      case .deliver("two", .null) = pipeline.receive(.null)
    else {
      Issue.record("out of order")
      return
    }
    #expect(pipeline.count == 0)
  }

  @Test func aCommandThatTimedOutKeepsItsPlace() {
    var pipeline = Pipeline<String>(greeting: [])
    let slow = pipeline.append("slow")
    _ = pipeline.append("next")
    #expect(pipeline.abandon(slow) == "slow")
    #expect(pipeline.abandon(slow) == nil)
    guard case .ignore = pipeline.receive(.string("slow's")),
      case .deliver("next", .string("next's")) = pipeline.receive(.string("next's"))
    else {
      Issue.record("a late reply went to the wrong command")
      return
    }
  }

  @Test func nothingIsReadyBeforeTheGreetingIsAnswered() {
    var pipeline = Pipeline<String>(greeting: ["AUTH", "SELECT"])
    #expect(!pipeline.isReady)
    guard case .ignore = pipeline.receive(.string("OK")) else {
      Issue.record("ready too early")
      return
    }
    guard case .ready = pipeline.receive(.string("OK")) else {
      Issue.record("not ready")
      return
    }
    #expect(pipeline.isReady)
  }

  @Test func aRefusedLoginIsAMisconfiguration() {
    var pipeline = Pipeline<String>(greeting: ["AUTH"])
    guard case .fail(let error) = pipeline.receive(.error("WRONGPASS")) else {
      Issue.record("a wrong password went unnoticed")
      return
    }
    #expect(error.code == .misconfigured && error.message.contains("AUTH"))
  }

  @Test func aRedisThatStillLoadsIsAwayAndNotWrong() {
    var pipeline = Pipeline<String>(greeting: ["PING"])
    guard
      case .fail(let error) = pipeline.receive(.error("LOADING Redis is loading the dataset"))
    else {
      Issue.record("it was taken for ready")
      return
    }
    #expect(error.code == .unavailable)
  }

  @Test func aReplyThatNobodyAskedForEndsTheConnection() {
    var pipeline = Pipeline<String>(greeting: [])
    guard case .fail(let error) = pipeline.receive(.null) else {
      Issue.record("it was taken")
      return
    }
    #expect(error.code == .protocolViolation)
  }

  @Test func closingTellsWhoStillWaits() {
    var pipeline = Pipeline<String>(greeting: [])
    _ = pipeline.append("one")
    let two = pipeline.append("two")
    _ = pipeline.append("three")
    _ = pipeline.abandon(two)
    #expect(pipeline.close() == ["one", "three"])
    #expect(pipeline.count == 0)
  }

  /// Redis before 7 says so where a script meets what any other command would be told straight.
  @Test(arguments: [
    ("READONLY You can't write against a read only replica.", RedisError.Code.unavailable),
    ("LOADING Redis is loading the dataset in memory", .unavailable),
    ("OOM command not allowed when used memory > 'maxmemory'.", .unavailable),
    (
      "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
      .unavailable
    ),
    ("MISCONF Redis is configured to save RDB snapshots", .unavailable),
    ("NOAUTH Authentication required.", .misconfigured),
    ("ERR value is not an integer or out of range", .refused),
  ]) func whatAScriptMetIsReadInsideItsError(text: String, code: RedisError.Code) {
    #expect(ErrorReply(text).code == code)
    for wrapped in [
      "ERR Error running script (call to f_0e): @user_script:1: @user_script: 1: -\(text)",
      "ERR Error running script (call to f_0e): @user_script:12: -\(text)",
    ] {
      let reply = ErrorReply(wrapped)
      #expect(reply.code == code)
      #expect(reply.error.message.contains(text))
      #expect((reply.word == "READONLY") == text.hasPrefix("READONLY"))
    }
    #expect(ErrorReply("ERR unknown command '-\(text)'").code == .refused)
  }
}

@Suite struct ReplyReaderTests {
  private func read(_ text: String) throws -> RedisValue? {
    guard var reader = ReplyReader() else { return nil }
    try Array(text.utf8).withUnsafeBytes { try reader.feed($0) }
    return try reader.next()
  }

  /// Promise P6: an array is made as long as it says before any of it has come.
  @Test(arguments: [
    "*2147483647\r\n", "*1000001\r\n", "*2\r\n*999999\r\n", "*1\r\n*1000000\r\n",
    String(repeating: "*1\r\n", count: 100_000),
  ]) func anArrayThatClaimsTooMuchEndsTheConnection(text: String) {
    let error = #expect(throws: RedisError.self) { try read(text) }
    #expect(error?.code == .protocolViolation)
  }

  @Test func anArrayMayBeAsLongAsTheLongestList() throws {
    let count = 50_000
    let text = "*\(count)\r\n" + String(repeating: ":1\r\n", count: count)
    #expect(try read(text)?.array?.count == count)
    #expect(try read("*1000000\r\n") == nil, "more is awaited")
  }

  /// What one reply took is there again for the next.
  @Test func theBoundIsOfOneReply() throws {
    guard var reader = ReplyReader() else {
      Issue.record("no reader")
      return
    }
    let text = "*400000\r\n" + String(repeating: ":1\r\n", count: 400_000)
    for _ in 0..<3 {
      try Array(text.utf8).withUnsafeBytes { try reader.feed($0) }
      #expect(try reader.next()?.array?.count == 400_000)
    }
  }
}

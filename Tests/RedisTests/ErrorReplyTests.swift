// What Redis's errors mean: where another server or another try helps, and what an operator is told to do next.

import Testing
import Transport
import Wire

@testable import Redis

@Suite struct ErrorReplyTests {
  @Test(
    arguments: [
      ("MOVED 3999 127.0.0.1:6381", .elsewhere(.tcp(host: "127.0.0.1", port: 6_381))),
      ("MOVED 3999 ::1:6381", .elsewhere(.tcp(host: "::1", port: 6_381))),
      ("MOVED 3999 :6381", .elsewhere(nil)), ("MOVED 3999 ?:6381", .elsewhere(nil)),
      ("MOVED 3999 h:0", .elsewhere(nil)), ("MOVED", .elsewhere(nil)),
      ("ASK 1 redis-1.example:7000", .ask(.tcp(host: "redis-1.example", port: 7_000))),
      ("ASK 1", .again), ("TRYAGAIN Multiple keys request during rehashing of slot", .again),
      ("READONLY You can't write against a read only replica.", .otherPrimary),
      ("LOADING Redis is loading the dataset in memory", .otherPrimary),
      ("CLUSTERDOWN The cluster is down", .otherPrimary),
      ("MASTERDOWN Link with MASTER is down", .otherPrimary),
      ("OOM command not allowed", ErrorReply.Remedy.none),
      ("NOPERM this user", ErrorReply.Remedy.none),
      ("ERR unknown command", ErrorReply.Remedy.none), ("", ErrorReply.Remedy.none),
    ] as [(String, ErrorReply.Remedy)])
  func itIsKnownWhetherAnotherServerHelps(text: String, remedy: ErrorReply.Remedy) {
    #expect(ErrorReply(text).remedy == remedy)
  }

  @Test(
    arguments: [
      ("NOAUTH Authentication required.", .misconfigured, "--redis-password-file"),
      ("WRONGPASS invalid username-password pair", .misconfigured, "user or password"),
      (
        "NOPERM User f has no permissions to run the 'info' command", .misconfigured,
        "operations.md"
      ),
      ("MOVED 1 h:1", .misconfigured, "redis+cluster://"),
      ("CROSSSLOT Keys in request don't hash to the same slot", .misconfigured, "redis+cluster://"),
      ("OOM command not allowed when used memory > 'maxmemory'.", .unavailable, "maxmemory"),
      ("MISCONF Redis is configured to save RDB snapshots", .unavailable, "disk"),
      ("NOREPLICAS Not enough good replicas to write.", .unavailable, "min-replicas-to-write"),
      ("BUSY Redis is busy running a script.", .unavailable, "SCRIPT KILL"),
      ("CLUSTERDOWN Hash slot not served", .unavailable, "--cluster check"),
      ("READONLY You can't write against a read only replica.", .unavailable, "redis+sentinel://"),
      ("LOADING Redis is loading the dataset in memory", .unavailable, "loaded"),
    ] as [(String, RedisError.Code, String)])
  func anOperatorIsToldWhatToDoNext(text: String, code: RedisError.Code, advice: String) {
    let error = ErrorReply(text).error
    #expect(error.code == code)
    #expect(error.message.contains(text) && error.message.contains(advice))
  }
}

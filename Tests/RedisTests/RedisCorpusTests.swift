// What the fuzzer of Redis's replies found, run again: its operations stop at what is wrong.

import TestSupport
import Testing

@Suite struct RedisCorpusTests {
  @Test func whatTheFuzzerFound() throws {
    for input in try fuzzCorpus("redis") { input.bytes.withUnsafeBytes { redisOperations($0) } }
  }
}

// What the fuzzer of the client's stream found, run again: its operations stop at what is wrong.

import TestSupport
import Testing

@Suite struct ClientCorpusTests {
  @Test func whatTheFuzzerFound() throws {
    for input in try fuzzCorpus("client") { input.bytes.withUnsafeBytes { clientOperations($0) } }
  }
}

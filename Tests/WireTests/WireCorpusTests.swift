// What the fuzzer of the frame decoder found, run again: its operations stop at what is wrong.

import TestSupport
import Testing

@Suite struct WireCorpusTests {
  @Test func whatTheFuzzerFound() throws {
    for input in try fuzzCorpus("wire") { input.bytes.withUnsafeBytes { wireOperations($0) } }
  }
}

// What the fuzzer of the input queue and the stream's view of the output found, run again: its operations stop at what is wrong.

import TestSupport
import Testing

@Suite struct InputCorpusTests {
  @Test func whatTheFuzzerFound() throws {
    for input in try fuzzCorpus("input") { input.bytes.withUnsafeBytes { inputOperations($0) } }
  }
}

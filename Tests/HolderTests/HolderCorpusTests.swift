// What the fuzzer of the whole holder found, run again: its operations stop at what is wrong.

import TestSupport
import Testing

@Suite struct HolderCorpusTests {
  @Test func whatTheFuzzerFound() throws {
    for input in try fuzzCorpus("holder") { input.bytes.withUnsafeBytes { holderOperations($0) } }
  }
}

// What the fuzzers of the HTTP client, of a holder's frames and of the Docker engine's answers found, run again: their
// operations stop at what is wrong.

import TestSupport
import Testing

@Suite struct PipesCorpusTests {
  @Test func whatTheFuzzerFoundInAnswers() throws {
    for input in try fuzzCorpus("http") { input.bytes.withUnsafeBytes { httpOperations($0) } }
  }

  @Test func whatTheFuzzerFoundInWhatAHolderSays() throws {
    for input in try fuzzCorpus("held") { input.bytes.withUnsafeBytes { heldOperations($0) } }
  }

  @Test func whatTheFuzzerFoundInAnEnginesJSON() throws {
    for input in try fuzzCorpus("docker") { input.bytes.withUnsafeBytes { dockerOperations($0) } }
  }
}

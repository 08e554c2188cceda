// The one shape of an error, as users and logs see it (promise P10: nothing is silent).

import Testing
import Wire

@Suite struct FailureTests {
  enum Told: String, FailureCode {
    case wrongKey = "wrong_key"
    static var isTold: Bool { true }
  }

  enum Behind: String, FailureCode {
    case broken
    static func words(of cause: any Error) -> String { "in the module's words" }
  }

  @Test func itSaysItsCodeOnlyWhereThatCanBeLookedUp() {
    #expect("\(Failure<Told>(.wrongKey, "another one"))" == "wrong_key: another one")
    #expect("\(Failure<Behind>(.broken, "it broke"))" == "it broke")
  }

  @Test func whatLiesBehindItIsSaidAsItsModuleSaysIt() {
    let plain = Failure<Told>(.wrongKey, "another one", cause: Failure<Behind>(.broken, "it broke"))
    #expect("\(plain)" == "wrong_key: another one: it broke")
    #expect(plain.reason == "it broke")
    let worded = Failure<Behind>(.broken, "no answer", cause: CancellationError())
    #expect("\(worded)" == "no answer: in the module's words")
    #expect(Failure<Behind>(.broken, "alone").reason == "alone")
  }
}

// How many event loops a role has.

import ArgumentParser
import NIOCore

struct LoopOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Event loops: threads that carry what terminals show and what is typed.",
      discussion: """
        By default one for each processor. With fewer, a key costs less processor time; on a machine that is busy with other \
        things its echo comes later.
        """, valueName: "count"))
  var loops: Int?

  private var wanted: Int? { loops ?? environment("LOOPS").flatMap(Int.init) }

  func validate() throws {
    guard let text = loops.map(String.init) ?? environment("LOOPS") else { return }
    guard let count = Int(text), CommandLimits.loops.contains(count) else {
      throw ValidationError(
        "--loops is a number from \(CommandLimits.loops.lowerBound) to \(CommandLimits.loops.upperBound), not \(text)"
      )
    }
  }

  /// To be called before anything uses the loops, which are made then.
  func apply() {
    // It may be set once, and not after it was read.
    if let wanted { NIOSingletons.groupLoopCountSuggestion = wanted }
  }
}

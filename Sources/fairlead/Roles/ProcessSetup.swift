// What the roles do before anything else, and what an operator is told of it.

import ArgumentParser
import Glibc
import Logging
import Pipes
import Redis
import Wire

extension Surroundings {
  /// Sets this process up as a role's, and says what could not be done.
  static func prepare(_ logger: Logger) -> Surroundings {
    let surroundings = prepare()
    for problem in surroundings.problems { logger.warning("\(problem)") }
    return surroundings
  }
}

extension NodeOptions {
  /// Sessions that the node takes at most, which it says.
  func capacity(in surroundings: Surroundings, for starters: PipeStarters, _ logger: Logger) -> Int
  {
    let (allowed, because) = surroundings.capacity(terminalsOnly: starters.takeTerminalsOnly)
    let wanted = wantedCapacity ?? PipeLimits.sessions
    let capacity = min(wanted, allowed)
    if let wantedCapacity, wantedCapacity > allowed {
      logger.warning(
        "this process's limits do not allow --capacity",
        metadata: ["wanted": "\(wantedCapacity)", "allowed": "\(allowed)", "by": "\(because)"])
    }
    logger.notice(
      "this node takes new sessions up to its capacity",
      metadata: ["capacity": "\(capacity)", "allowed": "\(allowed)", "by": "\(because)"])
    return capacity
  }

  var wantedCapacity: Int? { capacity ?? environment("CAPACITY").flatMap { Int($0) } }

  func checkProcess() throws {
    if let text = capacity.map(String.init) ?? environment("CAPACITY") {
      guard let number = Int(text), (1...CommandLimits.capacity).contains(number) else {
        throw ValidationError("--capacity is 1 to \(CommandLimits.capacity)")
      }
    }
  }
}

// The options of what holds sessions: a node, and serve.

import ArgumentParser
import FoundationEssentials
import Logging
import Pipes
import Registry
import Sessions
import Wire

struct NodeOptions: ParsableArguments {
  @Option(
    help: """
      Sessions it holds at most. If not given: what this process's limits of descriptors and \
      pseudo-terminals allow, up to \(PipeLimits.sessions); said at the start.
      """)
  var capacity: Int?

  @Option(
    help: "A session that nobody used for this time is ended: no client, no output, no job.")
  var idleTimeout: TimeOption = fromEnvironment("IDLE_TIMEOUT", default: TimeOption(seconds: 1_800))

  @Option(help: "A session whose process has ended stays readable for this time.")
  var keepEnded: TimeOption = fromEnvironment("KEEP_ENDED", default: TimeOption(seconds: 1_800))

  @Option(
    help: """
      How a session ended can be asked for this time, of the last \(RegistryLimits.tombstones) at \
      most.
      """)
  var keepTombstones: TimeOption = fromEnvironment(
    "KEEP_TOMBSTONES", default: TimeOption(seconds: Int64(RegistryLimits.tombstone / 1_000)))

  @Option(help: "Lines of scrollback that a session keeps.")
  var scrollback: Int = fromEnvironment("SCROLLBACK", default: 1_000)

  enum SizeFollows: String, ExpressibleByArgument, CaseIterable { case typing, take }

  @Option(
    help: "What gives a terminal another client's size: typing in it, or only an explicit take.")
  var sizeFollows: SizeFollows = fromEnvironment("SIZE_FOLLOWS", default: .typing)

  @Flag(help: "End terminals that are held as well when this process is stopped.")
  var endSessions = false

  @OptionGroup var pipes: PipeOptionGroup

  func validate() throws {
    try checkProcess()
    guard (0...SessionLimits.scrollback).contains(scrollback) else {
      throw ValidationError("--scrollback is 0 to \(SessionLimits.scrollback) lines")
    }
  }

  var settings: SessionSettings {
    var settings = SessionSettings(
      idleTimeout: idleTimeout.amount, keepEnded: keepEnded.amount, scrollback: scrollback)
    settings.typingTakesSize = sizeFollows == .typing
    return settings
  }

  /// This process's own environment.
  static var processEnvironment: [String: String] { ProcessInfo.processInfo.environment }
}

extension NodeOptions {
  /// - Parameters:
  ///   - scope: names this node across its incarnations, within whatever containers it shares.
  ///   - key: of the nodes that may have each other's sessions; nil: this one's are its own.
  ///   - isFoundAgain: whether its next start is known to be this node's: else nothing is held for that, unless it was
  ///     asked for.
  func starters(
    in surroundings: Surroundings, scope: String, key: [UInt8]? = nil, isFoundAgain: Bool = true,
    logger: Logger
  ) throws -> PipeStarters {
    var options = pipes.options
    let isAsked = ["holder", "state-directory", "takeover"].contains { !options[$0].isEmpty }
    if !isAsked, !isFoundAgain {
      options["holder"] = "off"
    }
    if options["holder"] != "off", !options["state-directory"].isEmpty {
      try HolderService(options["state-directory"], logger: logger).wait()
    }
    return try PipeKinds.standard.starters(
      PipeSetup(
        options: options, environment: Self.processEnvironment, files: surroundings.inherited,
        scope: scope, key: key, logger: logger))
  }
}

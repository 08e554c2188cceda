// The options of the kinds of pipes that holders can keep, and what they come to.

import Logging
import Wire

extension PipeOption {
  static let holder = PipeOption(
    "holder", value: "auto|require|off",
    help:
      "Whether terminals are held by a small process beside them (on this machine, or in their container), and go on "
      + "while this one is stopped, killed or upgraded. With auto, the default, they are not where no such process can "
      + "be started, and a warning says so.")

  static let stateDirectory = PipeOption(
    "state-directory", value: "directory",
    help:
      "Where that process is found again: a directory of this node and user alone (mode 700), which must survive its "
      + "restart. The usual one is below /run/fairlead for root, else below $XDG_RUNTIME_DIR or /tmp, and lasts until "
      + "the machine is started anew."
  )

  static let takeover = PipeOption(
    "takeover", value: "siblings|off",
    help:
      "Whether terminals of this machine go on at another node when theirs dies, is drained or stopped (not of serve, "
      + "which has no others). With siblings, at nodes of the same user whose state directories lie beside this one's, all "
      + "told the same, in a directory of that user alone; with off, the default, at its own next start only."
  )

  static let ofHolders = [holder, stateDirectory, takeover]
}

enum HolderMode: String {
  case auto
  case require
  case off
}

extension PipeOptions {
  var holderMode: HolderMode {
    self["holder"].isEmpty ? .auto : HolderMode(rawValue: self["holder"]) ?? .auto
  }

  /// Whether other nodes of the machine take over its terminals, and it theirs.
  var hasSiblings: Bool { self["takeover"] == "siblings" }

  /// What is wrong with them; nil: nothing is.
  var holderProblem: String? {
    guard self["holder"].isEmpty || HolderMode(rawValue: self["holder"]) != nil else {
      return "--holder is auto, require or off"
    }
    guard ["", "off", "siblings"].contains(self["takeover"]) else {
      return "--takeover is siblings or off"
    }
    return hasSiblings && holderMode == .off
      ? "--takeover siblings needs holders: it does not go with --holder off" : nil
  }
}

extension PipeSetup {
  /// The node's state directory; nil: it is to have none, or can have none.
  /// - Throws: ``StateDirectoryError``.
  func openHome() throws -> HolderHome? {
    let given = options["state-directory"]
    let directory = given.isEmpty ? HolderHome.usual(for: scope, environment) : given
    guard options.holderMode != .off else {
      if HolderHome.hasHolder(directory) {
        logger.warning(
          "terminals of an earlier run are held there, and count as lost with --holder off; without it they are here again",
          metadata: ["directory": "\(directory)"])
      }
      return nil
    }
    do {
      return try HolderHome(directory, logger: logger, hasSiblings: options.hasSiblings)
    } catch let error as StateDirectoryError where mayGoWithout(error) {
      return nil
    }
  }

  /// Whether the node may run though it can hold nothing; says so.
  func mayGoWithout(_ error: StateDirectoryError) -> Bool {
    // A directory that was named is there for what is held already: a node without it would tell that as lost.
    let isNamed =
      error.code == .directory && (!options["state-directory"].isEmpty || options.hasSiblings)
    guard options.holderMode == .auto, error.code != .inUse, !isNamed else { return false }
    logger.warning(
      "no holder could be started: terminals end with this process (--holder require refuses to start so)",
      metadata: ["error": "\(error)"])
    return true
  }
}

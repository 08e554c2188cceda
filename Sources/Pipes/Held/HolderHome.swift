// A node's state directory, which belongs to the node's user alone: the key of its holders, and of each version of the
// holder's program a folder. Whoever has the directory's lock is the node; the holders outlive it.

import Glibc
public import Logging
import NIOCore
import PrivateFiles
import Wire

public final class HolderHome: Sendable {
  public let directory: String
  let secret: HolderSecret
  /// Takes new sessions.
  let current: LocalHolder
  /// Of other versions of the program, as they were there at the start: each stays until its last session has ended.
  let older: [LocalHolder]
  /// Held for as long as this process lives.
  private let lock: LockedFile

  /// Which of their sessions are being ended.
  let endings: EndingNotes

  /// Names these holders on this start of their machine: while it is the same, their terminals may live.
  public let name: String

  /// Those of other nodes of the machine, if they and this one take over each other's terminals.
  let siblings: SiblingHomes?

  /// The directory of a node that was told none: it lasts until the machine is started anew.
  public static func usual(for scope: String, _ environment: [String: String]) -> String {
    let name = scope.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" }
    let place =
      geteuid() == 0 ? "/run" : environment["XDG_RUNTIME_DIR"].map { "\($0)" } ?? "/tmp"
    let user = place == "/tmp" ? "-\(geteuid())" : ""
    return "\(place)/fairlead\(user)/\(String(name))"
  }

  /// Opens the directory, makes what is missing there, and takes its lock. Blocks for a moment: not on an event loop.
  /// - Parameters:
  ///   - patience: how long another process that uses it is waited for, which may be about to leave; nil: as usual.
  ///   - hasSiblings: whether nodes whose directories lie beside it take over its terminals, and it theirs.
  /// - Throws: ``StateDirectoryError``.
  public init(
    _ directory: String, logger: Logger, patience: Duration? = nil, hasSiblings: Bool = false
  ) throws {
    self.directory = directory
    endings = EndingNotes(in: directory, logger: logger)
    let place = LocalHolder.folder(in: directory) + LocalHolder.socket
    guard directory.hasPrefix("/"), place.utf8.count < PipeLimits.socketPath else {
      throw StateDirectoryError(
        .directory,
        "the state directory \(directory) has to be an absolute path of \(PipeLimits.socketPath - 1 - place.utf8.count + directory.utf8.count) "
          + "bytes at most")
    }
    do {
      try PrivateFolder.make(directory)
      lock = try Self.lock(directory, patience ?? PipeLimits.lockPatience)
      secret = try Self.secret(in: directory)
    } catch let error as PrivateFileError {
      throw StateDirectoryError(.directory, error.message)
    }
    name = secret.holderName
    let (secret, name) = (secret, name)
    siblings = hasSiblings ? try SiblingHomes(beside: directory, of: name, logger: logger) : nil
    func holder(_ folder: String, isCurrent: Bool) -> LocalHolder {
      LocalHolder(
        folder, isCurrent: isCurrent, secret: secret, of: name,
        reach: hasSiblings ? .siblings : .itsNode, logger: logger)
    }
    current = holder(
      LocalHolder.service(in: directory) ?? LocalHolder.folder(in: directory), isCurrent: true)
    older = (LocalHolder.folders(in: directory) ?? []).filter { [current] in $0 != current.directory
    }
    .compactMap {
      // What no holder has any more is only in the way.
      LocalHolder.removeUnlessUsed($0) ? holder($0, isCurrent: false) : nil
    }
    for older in older {
      logger.notice(
        "an older holder keeps its terminals until the last has ended; new ones go to this version's",
        metadata: ["directory": "\(older.directory)"])
    }
  }

  /// The first takes new sessions.
  var all: [LocalHolder] { [current] + older }

  /// Lets go of all that they have: the sessions go on.
  func detachAll() async {
    for holder in all { await holder.detachAll() }
    await siblings?.detachAll()
  }

  // MARK: What is kept

  /// By which other nodes of the machine find this one, and it them.
  var labels: [String: String] {
    guard let siblings else { return [:] }
    let labels = ([name] + siblings.names).compactMap(HolderName.label)
    return Dictionary(labels.map { ($0.key, $0.value) }) { first, _ in first }
  }

  /// What they have of ours, and those of other nodes. To be called on the loop.
  func kept(by holders: SilentHolders, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>
  {
    let own =
      holders.areOnMachine
      ? KeptEntries.of(all, on: eventLoop) : eventLoop.makeSucceededFuture(KeptEntries())
    guard let siblings else { return own }
    return own.and(siblings.kept(by: holders, on: eventLoop)).map { $0.union($1) }
  }

  /// What a node's holders have. Nil: this one does not reach them.
  func kept(by holder: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>? {
    guard let siblings else { return nil }
    return holder == name
      ? KeptEntries.of(all, on: eventLoop) : siblings.kept(by: holder, on: eventLoop)
  }

  private static func lock(_ directory: String, _ patience: Duration) throws -> LockedFile {
    let deadline = ContinuousClock.now + patience
    while true {
      do throws(PrivateFileError) {
        return try LockedFile(directory + "/lock")
      } catch {
        guard error.code == .locked else { throw error }
        guard ContinuousClock.now < deadline else {
          throw StateDirectoryError(
            .inUse,
            "another process keeps its terminals in \(directory): stop it, or give this one a directory of its "
              + "own with --state-directory")
        }
        usleep(PipeLimits.lockInterval)
      }
    }
  }

  private static func secret(in directory: String) throws -> HolderSecret {
    // A key that is there and cannot be read now is not replaced: its holder would not be found again.
    if let known = try HolderSecret.known(in: directory) { return known }
    let secret = HolderSecret.random()
    try PrivateFile.write(secret.bytes, to: HolderSecret.file(in: directory))
    return secret
  }
}

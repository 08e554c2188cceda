// The state directories that lie beside a node's own, of other nodes of its machine and user. All of them reach each
// other's holders: what a node leaves there when it dies, is drained or stopped goes on at another one (promise P11). Which
// of them has a session its record says; the holder sees to it that two never drive one terminal (promise P3).

import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import PrivateFiles
import Wire

final class SiblingHomes: Sendable {
  /// Where all of them lie.
  private let parent: String
  /// The node's own.
  private let name: String
  private let logger: Logger
  /// Of each of them, by its name (``HolderName``), the holders of all versions of the program.
  private let known = NIOLockedValueBox<[String: [LocalHolder]]>([:])
  /// Where each of them lies. A copy of its directory has its key, and no holder.
  private let places = NIOLockedValueBox<[String: String]>([:])
  private let looking = NIOLock()
  /// Directories of which the log has told why they are left alone.
  private let told = NIOLockedValueBox<Set<String>>([])

  /// - Parameter name: of the node's own.
  /// - Throws: ``StateDirectoryError`` if others than this user may put directories there.
  init(beside directory: String, of name: String, logger: Logger) throws {
    parent = "/" + directory.split(separator: "/").dropLast().joined(separator: "/")
    self.name = name
    self.logger = logger
    do throws(PrivateFileError) { try PrivateFolder.check(parent) } catch {
      throw StateDirectoryError(
        .directory,
        "--takeover siblings takes state directories that lie in one directory of their own: \(error.message)"
      )
    }
  }

  func place(of name: String) -> String? { places.withLockedValue { $0[name] } }

  var names: [String] { known.withLockedValue { $0.keys.sorted() } }

  func detachAll() async {
    let holders = known.withLockedValue { $0.values.flatMap { $0 } }
    for holder in holders { await holder.detachAll() }
  }

  // MARK: Finding them

  /// Looks which there are.
  func look() async { try? await NIOThreadPool.singleton.runIfActive { self.lookNow() } }

  /// Blocks for some milliseconds: not on an event loop. One at a time, so that a holder is connected to once.
  private func lookNow() { looking.withLock { findAll() } }

  private func findAll() {
    // What cannot be read now is no less there than before.
    guard let directories = directories() else { return }
    let before = known.withLockedValue { $0 }
    var places = places.withLockedValue { $0 }
    var found: [String: [LocalHolder]] = [:]
    var unread: Set<String> = []
    for directory in directories {
      guard let secret = secret(in: directory),
        let folders = LocalHolder.folders(in: directory)
      else {
        if access(HolderSecret.file(in: directory), F_OK) == 0 { unread.insert(directory) }
        continue
      }
      let name = secret.holderName
      // Who has had a holder since this node looks has left what is told as lost, if the holder is no more.
      guard name != self.name, found[name] == nil,
        places[name] == directory || folders.contains(where: { LocalHolder.isListening(in: $0) })
      else { continue }
      guard found.count < PipeLimits.siblings else {
        tell(directory, "there are \(PipeLimits.siblings) others already")
        continue
      }
      found[name] = holders(in: folders, of: name, secret, before[name] ?? [])
      places[name] = directory
    }
    for (name, holders) in before where found[name] == nil {
      if places[name].map(unread.contains) == true {
        found[name] = holders
      } else {
        places[name] = nil
      }
    }
    self.places.withLockedValue { [places] in $0 = places }
    known.withLockedValue { [found] in $0 = found }
    for name in found.keys where before[name] == nil {
      logger.notice(
        "takes over terminals of another node of this machine, when that does not serve them",
        metadata: ["holder": "\(name)"])
    }
  }

  /// What is connected stays the same.
  private func holders(
    in folders: [String], of name: String, _ secret: HolderSecret, _ before: [LocalHolder]
  ) -> [LocalHolder] {
    let kept = before.filter { folders.contains($0.directory) || !$0.connections.isEmpty }
    let new = folders.filter { folder in !kept.contains { $0.directory == folder } }
    return kept
      + new.map {
        LocalHolder(
          $0, isCurrent: false, secret: secret, of: name, reach: .fromSibling, logger: logger)
      }
  }

  /// Nil: that cannot be read now.
  private func directories() -> [String]? {
    guard (try? PrivateFolder.check(parent)) != nil else { return [] }
    guard let stream = opendir(parent) else { return nil }
    defer { closedir(stream) }
    var found: [String] = []
    while found.count < PipeLimits.siblingEntries, let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { found.append("\(parent)/\(name)") }
    }
    return found.sorted()
  }

  /// Nil: it is no node's state directory, or one that others could have made.
  private func secret(in directory: String) -> HolderSecret? {
    guard access(HolderSecret.file(in: directory), F_OK) == 0 else { return nil }
    do {
      try PrivateFolder.check(directory)
      return try HolderSecret.known(in: directory)
    } catch {
      tell(directory, (error as? PrivateFileError)?.message ?? "\(error)")
      return nil
    }
  }

  private func tell(_ directory: String, _ reason: String) {
    let isNew = told.withLockedValue { told in
      if told.count >= PipeLimits.siblingEntries { told = [] }
      return told.insert(directory).inserted
    }
    guard isNew else { return }
    logger.warning(
      "a directory beside this node's is left alone: what is held there does not go on here",
      metadata: ["directory": "\(directory.escaped)", "reason": "\(reason)"])
  }

  // MARK: What they keep

  /// What those have that are asked; one that takes long is silent, and holds nobody else's sessions up. To be called on
  /// the loop.
  func kept(by holders: SilentHolders, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>
  {
    let asked = known.withLockedValue { $0 }.filter {
      holders.areOnMachine || holders.siblings.contains($0.key)
    }
    // One whose directory is away now may come back.
    let missing = Self.silence(of: holders.siblings.subtracting(asked.keys))
    let answers = asked.map { name, holders in
      let promise = eventLoop.makePromise(of: KeptEntries.self)
      let late = eventLoop.scheduleTask(in: PipeLimits.siblingSilence) {
        promise.succeed(Self.silence(of: [name]))
      }
      KeptEntries.of(holders, on: eventLoop).whenComplete { result in
        late.cancel()
        promise.completeWith(result)
      }
      return promise.futureResult
    }
    return EventLoopFuture.whenAllSucceed(answers, on: eventLoop).map { answers in
      answers.reduce(missing) { $0.union($1) }
    }
  }

  /// What that node's holders have; nil: it is not known here. To be called on the loop.
  func kept(by name: String, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>? {
    guard known.withLockedValue({ $0[name] != nil }) else { return nil }
    // It may have a holder of another version since the last look.
    return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { self.lookNow() }.flatMap {
      guard let holders = self.known.withLockedValue({ $0[name] }) else {
        return eventLoop.makeSucceededFuture(Self.silence(of: [name]))
      }
      return KeptEntries.of(holders, on: eventLoop)
    }
  }

  private static func silence(of names: Set<String>) -> KeptEntries {
    var kept = KeptEntries()
    kept.silent.siblings = names
    return kept
  }
}

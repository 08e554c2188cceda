// The sessions that holders have kept from before, as they are found when a node starts.

import Holder
import Logging
public import NIOCore
public import Wire

/// What was found of them.
public struct KeptEntries: Sendable {
  public var entries: [KeptEntry] = []
  /// Who has not said what it keeps: there may be others.
  public var silent = SilentHolders()

  public init() {}

  func union(_ other: KeptEntries) -> KeptEntries {
    var all = self
    all.entries += other.entries
    all.silent = silent.union(other.silent)
    return all
  }

  /// What a node's holders on its machine have of ours. To be called on the loop.
  static func of(_ holders: [LocalHolder], on eventLoop: any EventLoop) -> EventLoopFuture<
    KeptEntries
  > {
    let lists = holders.map { holder in
      holder.kept(on: eventLoop).map { ($0, SilentHolders()) }.flatMapError { error in
        // There need not be one of this version: it is started with its first session.
        if holder.isGone(error) { return eventLoop.makeSucceededFuture(([], SilentHolders())) }
        holder.logger.error(
          "a holder does not tell what it keeps",
          metadata: ["directory": "\(holder.directory)", "error": "\(error)"])
        return eventLoop.makeSucceededFuture(([], holder.asSilent))
      }
    }
    return EventLoopFuture.whenAllSucceed(lists, on: eventLoop).map { lists in
      var kept = KeptEntries()
      kept.entries = lists.flatMap(\.0)
      kept.silent = lists.reduce(SilentHolders()) { $0.union($1.1) }
      return kept
    }
  }
}

/// A session that is kept while no node has it.
public struct KeptEntry: Sendable {
  let place: any HolderPlace
  let handle: UInt64
  /// The highest under which a node has had it.
  public let epoch: Epoch
  /// Whether some node has it now, or had it a moment ago.
  public let isAttached: Bool
  /// Whether its process has ended.
  public let hasEnded: Bool
  /// What its node said of it at its start (``PipeRequest/descriptor``).
  public let descriptor: [UInt8]

  /// Whether other nodes reach its holder, too.
  public var isShared: Bool { place.isShared }

  /// Whether it may be another node's: others reach its holder, too, and some node has it, or may have started it.
  public var mayBeAnothers: Bool { place.isShared && (isAttached || !place.isOwn) }

  /// Which holder has it (``SessionHolder/holderName``).
  public var holderName: String? { place.name }

  /// Its holder, as one that does not answer.
  public var asSilent: SilentHolders { place.asSilent }

  /// Makes it this node's.
  /// - Parameter latest: bytes of its latest output that its clients may still be sent.
  /// - Throws (fails with): ``PipeError``: another node has it, or it is gone.
  public func attach(epoch: Epoch, latest: Int, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<AttachedPipe>>
  {
    place.reach(on: eventLoop).flatMap {
      $0.value.attach(handle, epoch: epoch.rawValue, latest: latest)
    }
  }
}

extension HolderPlace {
  /// What this holder has of ours. To be called on the loop.
  func kept(on eventLoop: any EventLoop) -> EventLoopFuture<[KeptEntry]> {
    reach(on: eventLoop).flatMap { $0.value.list() }.map { entries in
      entries.map { entry in
        KeptEntry(
          place: self, handle: entry.handle, epoch: Epoch(entry.epoch),
          isAttached: entry.isAttached, hasEnded: entry.hasEnded, descriptor: entry.descriptor)
      }
    }
  }
}

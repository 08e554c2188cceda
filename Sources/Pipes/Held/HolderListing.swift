// What a holder lists, an entry at a time: what its nodes have not signed is not kept, and of the rest no more than a
// holder of ours has.

import Holder
import NIOCore
import Wire

struct HolderListing {
  let promise: EventLoopPromise<[HeldEntry]>
  /// Those that a node of this cluster has started there, each with its descriptor as that node wrote it.
  private(set) var entries: [HeldEntry] = []
  /// How many others it tells of.
  private(set) var strangers = 0
  private let seal: Seal
  /// An epoch is a time in microseconds: a holder that tells one of the future would make it rise for good.
  private let latest = WallClock.milliseconds * 1_000 + PipeLimits.epochAhead
  private let most: Int
  private var bytes = 0

  /// - Parameter most: bytes of all descriptors.
  init(_ promise: EventLoopPromise<[HeldEntry]>, seal: Seal, most: Int = PipeLimits.listing) {
    self.promise = promise
    self.seal = seal
    self.most = most
  }

  /// - Returns: what is wrong with the listing; nil: nothing is.
  mutating func take(_ entry: HeldEntry) -> String? {
    guard entries.count + strangers < HolderLimits.sessions else {
      return "more sessions than a holder has"
    }
    guard entry.epoch <= latest, let descriptor = seal.open(entry.descriptor) else {
      strangers += 1
      return nil
    }
    bytes += descriptor.count
    guard bytes <= most else {
      return "sessions whose descriptors have more than \(most) bytes"
    }
    var entry = entry
    entry.descriptor = descriptor
    entries.append(entry)
    return nil
  }
}

// The times of a node's lease, with their reasons.

import Wire

public enum Lease {
  /// Three heartbeats may be lost before a lease ends.
  public static let heartbeatInterval = Duration.seconds(3)
  /// Milliseconds that a heartbeat is good for.
  public static let length = 10_000
  /// Milliseconds after the last heartbeat when a node counts as dead: the lease, and half as much
  /// again for its own clock and a slow network.
  public static let takeover = 15_000
  /// Between two looks of a router at itself, which it writes into the registry.
  public static let routerInterval = Duration.seconds(5)
  /// Milliseconds that a router's record is good for: two may be lost before it counts as silent.
  public static let router = 15_000
  /// Milliseconds from the lease's end until the node counts as dead.
  static let patience = takeover - length
  /// Milliseconds from a lease's end until sessions that a holder kept count as lost: its time, and a margin, since
  /// the holder counts it from when it noticed that its node was gone, in ticks of up to a minute.
  static let orphanPatience = WireLimits.orphan + 300_000
  /// Milliseconds after a node has found that the registry lost its data: every other node sends a
  /// heartbeat within this, even if one is lost, and says what it holds. Until then, what the registry
  /// does not know may yet exist.
  public static let grace = 6_000
  /// How long a question waits until every node that lives has looked through its records again, after Redis
  /// has thrown some away: a heartbeat, and the time to look through thousands.
  static let confirmation = Duration.seconds(5)
  /// The time between two looks whether they have.
  static let confirmationInterval = Duration.milliseconds(250)
  /// A node looks through all of its records within so many heartbeats, a minute.
  public static let heartbeatsPerConfirmation = 20
  /// Records that it looks at with each heartbeat: at least, so that a small node has seen all of them in
  /// seconds, and at most, so that a large one's are no burst.
  public static let confirmedAtOnce = 50...500
}

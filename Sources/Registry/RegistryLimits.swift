// Every number that bounds what a registry keeps, reads or waits for, and why (promise P6). The times of a lease are
// in Lease.swift.

public enum RegistryLimits {
  /// Milliseconds that a session's record is kept: far longer than a session lives. Only a backstop against the
  /// records of nodes that never came back.
  static let record = 90 * 86_400_000
  /// Milliseconds that a node which fell silent is listed.
  static let silentNode = 86_400_000
  /// Milliseconds that an operator's wish to drain a node is remembered while the node is away.
  static let drain = 30 * 86_400_000
  /// Milliseconds that a node's offers are kept: many times what it takes to get ready, and to let go.
  static let offers = 30_000
  /// Milliseconds that a router which fell silent is listed: nothing waits for it, and an operator has seen it by then.
  static let silentRouter = 3_600_000
  /// Events that are kept, the last ones: a busy cluster's week, at 300 bytes each.
  static let events = 10_000
  /// Bytes of an event's sentence, and of a whole event with the longest names.
  static let eventText = 300
  static let eventRecord = 2_048
  /// Milliseconds for which what several may notice is noted once.
  static let eventOnce = 86_400_000
  /// Bytes of a router's record: three times the longest.
  static let routerRecord = 4_096
  /// Milliseconds since 1970 that no session was started before (in 2001): a smaller number is no such time.
  static let earliest: UInt64 = 1_000_000_000_000
  /// Bytes of who had a session, in its record: all that are remembered, with the longest names.
  static let history = 4_096
  /// A claim is tried so often: each time somebody else has claimed and lost the session in between.
  static let claims = 8
  /// A record is read again so often beside a new list of nodes: each time its node has come back in between.
  static let looks = 8
  /// Parts of a list that is read to its end, and keys of a part: five million in all. One that has no end is no list.
  public static let listParts = 10_000
  static let listPart = 500
  /// Milliseconds that a tombstone is kept, unless an operator says otherwise: a job of Friday's is asked for on
  /// Monday.
  public static let tombstone = 7 * 86_400_000
  /// Tombstones that are kept, the latest, however many sessions end: with its place in the list of them one takes
  /// 400 bytes of Redis's memory, and with an id of 64 bytes and an owner of 320 it takes 1.4 KB, so that all of
  /// them take 40 MB, and at the very most 140.
  public static let tombstones = 100_000
  /// Tombstones beyond those that are dropped with each new one: more than come, so that a smaller bound is soon kept, and
  /// few enough to keep nobody waiting.
  static let tombstonesDropped = 16
  /// The numbers that a node may tell of its sessions, its capacity and its weight: more than any has, and little
  /// enough that the sum of all nodes' does not overflow.
  static let counts = 0...1_000_000_000
  static let weights = 0...1_000_000
  /// Between a placement and the moment when its node counts the session: a link's way, and that of a heartbeat
  /// which was written before.
  static let placementMargin = Duration.seconds(1)
  /// A placement that its node has not reported for so long is forgotten: such a node has other troubles.
  static let placement = Duration.milliseconds(2 * Lease.takeover)
  /// Placements on one node within this time are counted together.
  static let placementBatch = Duration.milliseconds(500)
  /// No node gets above ⌈this × (its weighted share of all sessions + 1)⌉.
  public static let placementSlack = 1.25
  /// Nodes whose reasons are told where none can take a session: enough to see what they have in common.
  static let obstaclesTold = 4
  /// Milliseconds since its lease ended that count for a node at most, where its last heartbeat is reckoned: all that was
  /// sent to it is older or forgotten by then.
  static let longestSilence = 10 * Lease.takeover
}

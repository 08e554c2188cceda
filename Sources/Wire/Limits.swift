// Every number that bounds what a peer may send, and why it is what it is (promise P6).

public enum WireLimits {
  /// Bytes of a frame's body. Small enough that an echo waits behind at most one slice of a flood
  /// (16 KiB is 1.3 ms at 100 Mbit/s), large enough that its header costs under 0.1 %.
  public static let frameBody = 16 * 1024
  /// Bytes of the type and the stream number, which `length` counts besides the body.
  static let frameOverhead = 1 + 8
  /// Bytes that LINK_OPEN may have besides: its envelope (names, numbers, an address, a resume: 600 bytes
  /// at the most; a subject of 320, twice as long when escaped) and the keys of the OPEN in it that the client left out. So every OPEN that a
  /// client may send fits, and none can break a link.
  static let linkEnvelope = 2048
  /// Bytes that RESPONSE may have besides: a session's command can be as long as a LINK_OPEN, and its title, owner
  /// and viewers (``viewersListed`` of them) go with it: 5 KiB at the most, escaped.
  public static let responseEnvelope = 8192
  /// Bytes of a name that a user chooses, of a session, a node, a client: little in logs and lists, and each is in many
  /// records. (The texts that say so say 1 to 64.)
  static let name = 1...64
  /// Milliseconds that a holder keeps its sessions while no node has them, and then ends them: time for an operator to
  /// mend what ended the node, and an end to what nobody will come back for. (Texts for users say an hour.)
  public static let orphan = 3_600_000
  /// Nodes, or starts of one, that had a session and are remembered, the last ones: a week of daily upgrades, twice.
  public static let tenures = 16
  /// Bytes of who somebody is, as a token's `sub` says it: an e-mail address of any legal length.
  public static let subject = 320
  /// Bytes of a text that the system says of itself (a reason, a message): it may quote what a client
  /// sent, and its frame must stay within `frameBody` however JSON escapes it.
  public static let message = 1024
  /// Bytes of a word that was not understood, in the answer that quotes it: enough to find it by.
  public static let quoted = 64
  /// Bytes of payload of one OUTPUT, INPUT or SNAPSHOT frame: a body less the longest header of these
  /// (SNAPSHOT: id 8, marks 1, offset 8, columns 2, rows 2).
  public static let dataPayload = frameBody - 32
  /// Bytes of an input that may be unacknowledged. Typing never comes near it; a long paste waits
  /// in the client, which shows it moving.
  public static let inputInFlight = 64 * 1024
  /// A stream's first window: one round trip of 5 ms at 100 Mbit/s, and few enough that a hundred
  /// typists beside a flood wait little for it (measured: docs/performance.md).
  public static let initialWindow = 64 * 1024
  /// Bytes consumed that a client acknowledges at once. Less may wait for its next input.
  public static let acknowledgeAt = initialWindow / 2
  /// The window of a client far away, whose acknowledgements take no longer for it.
  public static let maximumWindow = 256 * 1024
  /// Streams on a client's connection: more terminals than a page can show, and
  /// 64 × 256 KiB = 16 MiB is the most a router ever holds for one connection.
  public static let streamsPerConnection = 64
  /// Program and arguments, and environment, of one OPEN. Its body is bounded by `frameBody` anyway;
  /// these keep an `execve` from being asked for with ten thousand empty strings.
  public static let commandWords = 256
  public static let environmentVariables = 256
  /// Labels that one OPEN may ask of its node: each is looked for on every node.
  public static let labels = 16
  /// Bytes of each one's key and value: a REFUSED names all that no node has.
  public static let labelKey = 64
  public static let labelValue = 128
  /// Columns and rows of a terminal: nothing real is larger, and a screen model of 1,000 × 1,000 cells is what a
  /// session may cost.
  public static let side = 1...1_000
  /// Seconds of a time that `create` may say: a year; more than that is `never`.
  static let lifetime = 365 * 86_400
  /// Bytes of a user's name: what useradd(8) and the records of who is logged in have room for.
  public static let userName = 32
  /// Bytes of a target's kind, which is a word; and of its place: more than the longest name of a host (253), and
  /// little in the logs and lists that it is shown in.
  static let targetKind = 32
  static let targetPlace = 256
  /// Bytes of a holder's name: an engine's id of 59, a container's name of 128 and a user's of 64, and room.
  static let holderName = 300
  /// Seconds that `create` may ask for its session to be kept after its end: a week, since it takes memory.
  public static let keep = 7 * 86_400
  /// Viewers in a session's summary.
  public static let viewersListed = 4
}

// Bounds of everything a program can make the model keep, and why (promise P6).

enum Limit {
  /// Columns and rows: xterm.js has no fewer than two columns.
  static let columns = 2...1_000
  static let rows = 1...1_000
  /// Lines of scrollback; a packed line takes about as many bytes as its text.
  static let scrollback = 0...100_000
  /// Bytes of an OSC string that is kept: a long URL fits. A longer string is passed over.
  static let string = 8_192
  /// Bytes of a title, an icon title or a path. Longer ones are cut.
  static let title = 1_024
  /// Depth of the title stack, as in xterm.js.
  static let titleStack = 10
  /// Hyperlinks alive at once, and bytes of all their addresses. Beyond it text is not linked.
  static let links = 4_096
  static let linkBytes = 1 << 19
  /// Bytes of a link's `id=` that are kept.
  static let linkID = 256
  /// Links, the last ones, among which one that is used again is looked for: programs write a link's text right behind
  /// its address.
  static let recentLinks = 64
  /// Bytes of a shell's mark (OSC 133) that are kept.
  static let shellMark = 128
  /// Bytes of answers that wait to be taken; a program that asks more without reading loses them.
  static let answers = 4_096
  /// Attributes in the table before the first collection, and words of clusters; more on a large screen, so that
  /// the walk over its cells stays small beside the output that made it necessary.
  static let attributes = 1_024
  static let clusterWords = 4_096
  /// Cells of a screen for each further attribute, and each further word of clusters, before that.
  static let cellsPerAttribute = 16
  static let cellsPerClusterWord = 8
  /// Code points of a character with its marks. Real text needs fewer than ten; the rest of a longer pile is dropped.
  static let clusterLength = 24
  /// Words of all such characters on the screen, 1 MiB. Beyond it, after a collection, further marks are dropped.
  static let clusterStore = 262_144
  /// Words of them altogether while a resize takes lines back: a cell has 21 bits for the place of one.
  static let clusterIndex = 2_097_152
  /// Marks that are dropped while the store is full before it is collected again.
  static let droppedMarks = 65_536
  /// Code points that one REP repeats, even where more fit on the screen.
  static let repetition = 65_536
  /// Cells of a rectangle whose checksum is told: a screen of 200 × 300.
  static let checksum = 65_536
  /// Cells of one logical line that flow together in the scrollback; a longer one is broken, so that no piece of
  /// work on it is long.
  static let flow = 65_536
  /// Cells of a block that lines of the scrollback are taken back into, half a megabyte: a resize takes some thousands
  /// of lines, and moves none of them for want of room.
  static let takenCells = 65_536
}

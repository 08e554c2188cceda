// A terminal without a display: what a session's terminal shows, kept up to date from the process's
// output, so that a client that comes late can be shown it. It models xterm.js 6, which is what the
// session's users have. No I/O; confined to whoever owns it.

/// A terminal's screen, scrollback, modes and parser, fed with a process's output.
///
/// Whatever bytes come, it never traps, and its memory is bounded by size, scrollback and `Limit`.
public final class Screen {
  private let core: UnsafeMutablePointer<Core>

  /// A blank screen. `columns` and `rows` are brought into 2 … 1,000 and 1 … 1,000; `scrollback`, in
  /// lines, into 0 … 100,000.
  public init(columns: Int, rows: Int, scrollback: Int = 1_000) {
    core = .allocate(capacity: 1)
    core.initialize(
      to: Core(
        columns: columns.clamped(to: Limit.columns), rows: rows.clamped(to: Limit.rows),
        scrollback: scrollback.clamped(to: Limit.scrollback)))
  }

  deinit {
    core.pointee.deallocate()
    core.deinitialize(count: 1)
    core.deallocate()
  }

  /// Takes in the next bytes of output, in any cut.
  public func write(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    core.pointee.write(base.assumingMemoryBound(to: UInt8.self), bytes.count)
  }

  /// Takes in the next bytes of output.
  public func write(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { write($0) }
  }

  // MARK: Size.

  public var columns: Int { core.pointee.columns }
  public var rows: Int { core.pointee.rows }

  /// Changes the size, in the bounds of `init`. Lines of the primary buffer flow into the new width as
  /// in xterm.js; those of the alternate buffer are cut or extended.
  public func resize(columns: Int, rows: Int) {
    core.pointee.resize(
      columns: columns.clamped(to: Limit.columns), rows: rows.clamped(to: Limit.rows))
  }

  // MARK: Towards the process.

  /// Replies to the program's queries since the last call, to be written to the process. Almost always
  /// empty, and then free. At most 4 KiB wait; queries beyond that are not answered.
  public func takeAnswers() -> [UInt8] {
    if core.pointee.answers.isEmpty { return [] }
    let answers = core.pointee.answers
    core.pointee.answers = []
    return answers
  }

  /// The colours of the viewer's theme, which colour queries are answered with; nil: xterm.js' own.
  public func setTheme(foreground: ScreenColor?, background: ScreenColor?, cursor: ScreenColor?) {
    core.pointee.palette.theme = [foreground, background, cursor]
  }

  // MARK: Towards clients.

  /// Bytes that bring an xterm.js of the same size, in whatever state, to this screen: visible state,
  /// scrollback, modes, and the parser in the middle of a sequence. The next byte of output may follow
  /// directly. The bytes contain no query.
  public func snapshot() -> [UInt8] { core.pointee.snapshot() }

  /// What happened since the last call. Cheap to poll after each `write`.
  public func takeEvents() -> ScreenEvents {
    let events = ScreenEvents(
      titleChanged: core.pointee.titleChanged, bellRang: core.pointee.bellRang)
    core.pointee.titleChanged = false
    core.pointee.bellRang = false
    return events
  }

  /// The window title (OSC 0, 2), at most 1,024 bytes of UTF-8.
  public var title: String { String(decoding: core.pointee.titles.window, as: UTF8.self) }
  /// The icon title (OSC 0, 1), at most 1,024 bytes of UTF-8.
  public var iconTitle: String { String(decoding: core.pointee.titles.icon, as: UTF8.self) }
  /// What the shell last reported (OSC 7), usually a `file:` URL, at most 1,024 bytes; unverified.
  public var workingDirectory: String? {
    core.pointee.workingDirectory.map { String(decoding: $0, as: UTF8.self) }
  }
  /// The last shell mark (OSC 133), for example `A`, `C` or `D;0`; nil before the first.
  public var shellMark: String? {
    let mark = core.pointee.shellMark
    return mark.kind == 0 ? nil : String(decoding: [mark.kind] + mark.detail, as: UTF8.self)
  }

  public var isAlternate: Bool { core.pointee.isAlternate }
  /// 0-based; equals `columns - 1` while a wrap is pending.
  public var cursorColumn: Int { min(core.pointee.x, core.pointee.columns - 1) }
  /// 0-based.
  public var cursorRow: Int { core.pointee.y }
  /// The last column is written, and the next character goes to the next line.
  public var isWrapPending: Bool { core.pointee.x >= core.pointee.columns }
  public var isCursorVisible: Bool { !core.pointee.modes.isCursorHidden }
  /// Lines in the scrollback.
  public var scrollbackCount: Int { core.pointee.history.count }
  /// Bytes of memory that this screen holds.
  public var memoryFootprint: Int { core.pointee.byteCount }

  // What shows the screen as text takes how many lines of the scrollback, the latest ones, to show above
  // it. The alternate buffer has none.

  /// The text, a line per row without trailing blanks, each ended by a newline.
  public func text(scrollback: Int = 0) -> String {
    lines(scrollback: scrollback).map { $0 + "\n" }.joined()
  }

  /// The text with SGR attributes, a line per row; every line starts and ends with default attributes.
  public func ansi(scrollback: Int = 0) -> [UInt8] {
    core.pointee.ansi(scrollback: scrollback)
  }

  /// The rows' text, without trailing blanks.
  public func lines(scrollback: Int = 0) -> [String] {
    core.pointee.lines(scrollback: scrollback)
  }

  /// What a program wants to know of the screen, as a value.
  public func contents(scrollback: Int = 0) -> ScreenContents {
    let lines = lines(scrollback: scrollback)
    return ScreenContents(
      columns: columns, rows: rows, cursorColumn: cursorColumn, cursorRow: cursorRow,
      isCursorVisible: isCursorVisible, isAlternate: isAlternate, title: title,
      workingDirectory: workingDirectory, scrollback: lines.count - rows, lines: lines)
  }

  /// What is wrong inside; nil: nothing. Looks at everything it holds: for tests and fuzzers.
  package func fault() -> String? { core.pointee.history.fault() }

  /// The state that tests look at.
  func withCore<Result>(_ body: (inout Core) -> Result) -> Result { body(&core.pointee) }
}

/// What happened on a screen since it was last asked.
public struct ScreenEvents: Equatable, Sendable {
  public var titleChanged: Bool
  public var bellRang: Bool

  public var isEmpty: Bool { !titleChanged && !bellRang }
}

/// A screen's contents for programs.
public struct ScreenContents: Equatable, Sendable {
  public var columns: Int
  public var rows: Int
  /// 0-based.
  public var cursorColumn: Int
  public var cursorRow: Int
  public var isCursorVisible: Bool
  public var isAlternate: Bool
  public var title: String
  public var workingDirectory: String?
  /// How many of `lines`, at the front, are scrollback.
  public var scrollback: Int
  public var lines: [String]
}

extension Int {
  func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(range.upperBound, Swift.max(range.lowerBound, self))
  }
}

// A terminal without a display: what a session's terminal shows, kept up to date from the process's
// output, so that a client that comes late can be shown it. It models xterm.js 6, which is what the
// session's users have. No I/O; confined to whoever owns it.

/// A terminal's screen, scrollback, modes and parser, fed with a process's output.
///
/// Whatever bytes come, it never traps, and its memory is bounded by size, scrollback and `Limit`.
public final class Screen {
  /// What one call from an event loop should cost at most, in units of about one cell that is touched or one byte
  /// of text: one to two milliseconds.
  public static let workPerCall = 500_000

  private var core: Core

  /// A blank screen. `columns` and `rows` are brought into 2 … 1,000 and 1 … 1,000; `scrollback`, in
  /// lines, into 0 … 100,000.
  public init(columns: Int, rows: Int, scrollback: Int = 1_000) {
    core = Core(
      columns: columns.clamped(to: Limit.columns), rows: rows.clamped(to: Limit.rows),
      scrollback: scrollback.clamped(to: Limit.scrollback))
  }

  deinit { core.deallocate() }

  /// Takes in the next bytes of output, in any cut, until about `work` units were spent; returns how many. It may
  /// be none: a resize under way is gone on with first, and then the scrollback is counted. Each call gets on, if
  /// `work` is not 0.
  public func write(_ bytes: UnsafeRawBufferPointer, work: Int) -> Int {
    Input.over(bytes) { core.write($0, work: work) }
  }

  /// Takes in all of these bytes of output, whatever they cost.
  public func write(_ bytes: UnsafeRawBufferPointer) { _ = write(bytes, work: .max) }

  /// Takes in the next bytes of output.
  public func write(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { write($0) }
  }

  // MARK: Size.

  public var columns: Int { settled.columns }
  public var rows: Int { settled.rows }

  /// Changes the size, in the bounds of `init`. Lines of the primary buffer flow into the new width as
  /// in xterm.js; those of the alternate buffer are cut or extended.
  public func resize(columns: Int, rows: Int) {
    beginResize(columns: columns, rows: rows)
    _ = goOnResizing(work: .max)
  }

  /// The same in slices, which `goOnResizing` and `write` make. Whoever wants to know before it is done what the
  /// screen shows, or changes the size once more, finishes it at once.
  public func beginResize(columns: Int, rows: Int) {
    _ = goOnResizing(work: .max)
    core.beginResize(
      columns: columns.clamped(to: Limit.columns), rows: rows.clamped(to: Limit.rows))
  }

  public var isResizing: Bool { core.resizing != nil }

  /// Spends about `work` units on a resize under way, if there is one. True once there is none.
  public func goOnResizing(work: Int) -> Bool {
    core.spent = 0
    return core.goOnResizing(work: work)
  }

  /// The state when no resize is under way.
  var settled: Core {
    _read {
      _ = goOnResizing(work: .max)
      yield core
    }
  }

  // MARK: Towards the process.

  /// Replies to the program's queries since the last call, to be written to the process. Almost always
  /// empty, and then free. At most 4 KiB wait; queries beyond that are not answered.
  public func takeAnswers() -> [UInt8] {
    if core.answers.isEmpty { return [] }
    let answers = core.answers
    core.answers = []
    return answers
  }

  /// The colours of the viewer's theme, which colour queries are answered with; nil: xterm.js' own. A program that
  /// asked to be told of a change (mode 2031) is: there is an answer to take.
  public func setTheme(foreground: ScreenColor?, background: ScreenColor?, cursor: ScreenColor?) {
    let theme = [foreground, background, cursor]
    guard theme != core.palette.theme else { return }
    core.palette.theme = theme
    if core.modes.reportsColors { core.reportScheme() }
  }

  // MARK: Towards clients.

  /// Where the scrollback stands.
  public var scrollbackMark: ScrollbackMark { settled.history.mark }
  /// Whether each of its lines has come since then, and nothing else happened to it: then a screen that was as this one
  /// was, but for the scrollback, and has read what this one has, has the same scrollback. (If there was a line then,
  /// that screen must have had one, too.)
  public func isScrollbackYounger(than mark: ScrollbackMark) -> Bool {
    settled.history.isYounger(than: mark)
  }
  /// About how many bytes it takes to tell all of the scrollback.
  public var scrollbackBytes: Int { settled.history.byteCount * 5 / 4 }

  /// What happened since the last call. Cheap to poll after each `write`.
  public func takeEvents() -> ScreenEvents {
    let events = ScreenEvents(
      titleChanged: core.titleChanged, bellRang: core.bellRang)
    core.titleChanged = false
    core.bellRang = false
    return events
  }

  /// The window title (OSC 0, 2), at most 1,024 bytes of UTF-8.
  public var title: String { String(decoding: core.titles.window, as: UTF8.self) }
  /// The icon title (OSC 0, 1), at most 1,024 bytes of UTF-8.
  public var iconTitle: String { String(decoding: core.titles.icon, as: UTF8.self) }
  /// What the shell last reported (OSC 7), usually a `file:` URL, at most 1,024 bytes; unverified.
  public var workingDirectory: String? {
    core.workingDirectory.map { String(decoding: $0, as: UTF8.self) }
  }
  /// The last shell mark (OSC 133), for example `A`, `C` or `D;0`; nil before the first.
  public var shellMark: String? {
    let mark = core.shellMark
    return mark.kind == 0 ? nil : String(decoding: [mark.kind] + mark.detail, as: UTF8.self)
  }

  public var isAlternate: Bool { core.isAlternate }
  /// 0-based; equals `columns - 1` while a wrap is pending.
  public var cursorColumn: Int { min(settled.x, columns - 1) }
  /// 0-based.
  public var cursorRow: Int { settled.y }
  /// The last column is written, and the next character goes to the next line.
  public var isWrapPending: Bool { settled.x >= columns }
  public var isCursorVisible: Bool { !core.modes.isCursorHidden }
  /// Lines in the scrollback.
  public var scrollbackCount: Int {
    _ = goOnResizing(work: .max)
    var spent = 0
    if core.history.isUncounted { core.history.countLines(work: .max, &spent) }
    return core.history.lines
  }
  /// Bytes of memory that this screen holds.
  public var memoryFootprint: Int { core.byteCount }

  /// What is wrong inside, also in the middle of a resize; nil: nothing. Looks at everything it holds: for tests and
  /// fuzzers.
  package func fault() -> String? { core.fault() }

  /// The state that tests look at.
  func withCore<Result>(_ body: (inout Core) -> Result) -> Result { body(&core) }
}

/// What happened on a screen since it was last asked.
public struct ScreenEvents: Equatable, Sendable {
  public var titleChanged: Bool
  public var bellRang: Bool

  public var isEmpty: Bool { !titleChanged && !bellRang }
}

extension Int {
  func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(range.upperBound, Swift.max(range.lowerBound, self))
  }
}

// Whose size and colours the terminal has, and what the streams are told of each other.

import DequeModule
public import NIOCore
import Screen
public import Wire

extension SessionCore {
  /// RESIZE: what a stream's client would like.
  public mutating func resize(_ stream: StreamID, to wanted: TerminalSize, now: NIODeadline) {
    guard let index = streams.index(of: stream) else { return }
    guard wanted.isValid else { return leave(stream, telling: .badSize, now: now) }
    streams.list[index].wantedSize = wanted
    guard sizeRule.sizeOwner == streams.list[index].identity || !isSizeOwnerAttached else { return }
    takeSize(index, now: now)
  }

  /// TAKE: the stream's client wants the terminal to have its size.
  public mutating func takeSize(_ stream: StreamID, now: NIODeadline) {
    guard let index = streams.index(of: stream) else { return }
    takeSize(index, now: now)
  }

  mutating func takeSize(_ index: Int, now: NIODeadline) {
    guard streams.list[index].mode == .driver else { return }
    giveSize(
      to: streams.list[index].identity, wanting: streams.list[index].wantedSize,
      colors: streams.list[index].colors, work: 0, now: now)
  }

  var isSizeOwnerAttached: Bool {
    streams.indices.contains { streams.list[$0].identity == sizeRule.sizeOwner }
  }

  /// - Parameter work: what the screen may do at once.
  mutating func giveSize(
    to client: ClientIdentity, wanting size: TerminalSize, colors: ThemeColors?, work: Int,
    now: NIODeadline
  ) {
    if sizeRule.give(to: client, wanting: size) {
      applyColors(colors)
      noteState()
      viewersEvent = nil
      for index in streams.indices { streams.list[index].note(.sizeOwner) }
      giveTurnToAll()
    }
    guard isRunning else { return }
    switch sizeRule.next(now: now) {
    case .none: break
    case .wait(let time): actions.append(.wait(.size, until: time))
    case .change:
      guard work > 0, !snapshot.isMaking, !screen.isResizing, kept?.isSizeUnderWay != true else {
        return actions.append(.work)
      }
      changeSize(work: work, now: now)
      if screen.isResizing { actions.append(.workLater) }
    }
  }

  /// Changes the size at this place of the output; of a session that is kept, where the pipe says that it did.
  mutating func changeSize(work: Int, now: NIODeadline) {
    sizeRule.change(now: now)
    // The terminal has to have the size before it gets what was typed at it.
    actions.prepend(.resize(sizeRule.size))
    if kept == nil { takeInSize(sizeRule.size, work: work) } else { kept?.isSizeUnderWay = true }
  }

  /// The terminal has this size from the log's end on. The screen follows in slices, before it reads on or is shown.
  mutating func takeInSize(_ size: TerminalSize, work: Int) {
    self.size = size
    snapshot.outdate()
    let mark = log.markSize(size)
    screen.beginResize(columns: size.columns, rows: size.rows)
    _ = screen.goOnResizing(work: work)
    for index in streams.indices { streams.list[index].output.markReplaced(mark) }
    giveTurnToAll()
  }

  // MARK: Colours

  /// COLORS: the client's theme has changed.
  public mutating func recolor(_ stream: StreamID, _ colors: ThemeColors) {
    guard let index = streams.index(of: stream) else { return }
    streams.list[index].colors = colors
    if streams.list[index].identity == sizeRule.sizeOwner { applyColors(colors) }
  }

  /// Gives the screen the theme of the client that has the size. A program that asked to be told of it (mode 2031)
  /// is.
  mutating func applyColors(_ colors: ThemeColors?) {
    setTheme(colors)
    report()
    guard let kept, kept.colors != colors else { return }
    self.kept?.colors = colors
    noteState()
  }

  func setTheme(_ colors: ThemeColors?) {
    screen.setTheme(
      foreground: colors?.foreground.flatMap(ScreenColor.init(hex:)),
      background: colors?.background.flatMap(ScreenColor.init(hex:)),
      cursor: colors?.cursor.flatMap(ScreenColor.init(hex:)))
  }

  // MARK: Viewers

  /// Notes that other clients are attached than before: all are to be told.
  mutating func noteViewers() {
    viewersEvent = nil
    for index in streams.indices { streams.list[index].note(.viewers) }
    giveTurnToAll()
  }

  /// What the stream is to be told of the others, as it is now.
  mutating func viewersNews(of index: Int) -> Event? {
    switch streams.list[index].news {
    case .none: return nil
    case .sizeOwner: return .sizeOwner(sizeRule.sizeOwner?.client)
    case .viewers:
      let events = viewersEvent ?? makeViewersEvent()
      viewersEvent = events
      return streams.list[index].seesNames ? events.named : events.unnamed
    }
  }

  private func makeViewersEvent() -> (named: Event, unnamed: Event) {
    // An event is one frame: where very many clients have very long names, the last names are left out.
    var room = SessionLimits.viewersNames
    let named = streams.list.prefix(SessionLimits.viewersNamed).map { stream in
      let subject = stream.identity.subject
      room -= subject?.jsonBound ?? 0
      return Event.Viewer(
        client: stream.identity.client, mode: stream.mode, sub: room >= 0 ? subject : nil)
    }
    let unnamed = named.map { Event.Viewer(client: $0.client, mode: $0.mode) }
    let owner = sizeRule.sizeOwner?.client
    return (.viewers(named, sizeOwner: owner), .viewers(unnamed, sizeOwner: owner))
  }
}

extension ScreenColor {
  /// Reads `#rrggbb`; nil for anything else.
  fileprivate init?(hex text: String) {
    guard text.utf8.count == 7, text.utf8.first == UInt8(ascii: "#"),
      let value = UInt32(text.dropFirst(), radix: 16)
    else { return nil }
    self.init(
      red: UInt8(truncatingIfNeeded: value >> 16), green: UInt8(truncatingIfNeeded: value >> 8),
      blue: UInt8(truncatingIfNeeded: value))
  }
}

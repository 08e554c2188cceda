// What `attach` shows: the session's bytes, and beside them, where nothing is disturbed by it, a small
// sign while the connection is away: the terminal's title, which is put back afterwards.

import Client
import NIOCore
import Screen
import Wire

actor AttachedScreen {
  private let session: SessionID
  private let isNew: Bool
  private let isWatching: Bool
  private var waiting: Waiting
  private var patience: Task<Void, Never>?
  private let giveUp: @Sendable (AttachOutcome) -> Void
  private let output = StandardOutput()
  /// What the output makes of this terminal.
  private let model: Screen
  private var tracker = ScreenTracker()
  private var prepared: [UInt8] = []
  private var filter = ReplyFilter()
  private var holding: Task<Void, Never>?
  private var isLive = false
  private var hasBeenLive = false
  /// Of the process that was entered.
  private var life: Life?
  private var sign: Task<Void, Never>?
  private var showsSign = false
  /// Why the terminal stands still; nil: it does not.
  private var stall: String?
  private var title: String?
  private var lastOutput = ContinuousClock.now
  private var liveWaiters: [CheckedContinuation<Void, Never>] = []
  /// What was typed and may not have reached the process, for the end.
  private(set) var undelivered: [UInt8] = []

  /// - Parameter giveUp: called once it was waited for long enough.
  init(
    session: SessionID, isNew: Bool, isWatching: Bool, waiting: Waiting,
    giveUp: @escaping @Sendable (AttachOutcome) -> Void
  ) {
    self.waiting = waiting
    self.giveUp = giveUp
    self.session = session
    self.isNew = isNew
    self.isWatching = isWatching
    let size = RawTerminal.size ?? .standard
    model = Screen(columns: size.columns, rows: size.rows, scrollback: 0)
  }

  /// This terminal has another size.
  func resized(to size: TerminalSize) { model.resize(columns: size.columns, rows: size.rows) }

  /// - Returns: the outcome, if this was the last event.
  func show(_ event: TerminalEvent) async -> AttachOutcome? {
    switch event {
    case .opened(let opened)
    where isNew && !opened.created && !hasBeenLive && opened.state == .ended:
      return .refused(
        Refused(.exists, "session \(session) exists already, and has ended", state: .ended))
    case .opened(let opened):
      // Nothing is typed into another process than the one that was entered.
      if let life, life != opened.life { return .replaced }
      life = opened.life
      if !hasBeenLive { await begin(opened) }
    case .output(_, let bytes): return await write(bytes, shown: bytes)
    case .snapshot(_, let size, let bytes):
      return await write(bytes, shown: shown(snapshot: Array(bytes.readableBytesView), size))
    case .state(let condition): return await show(condition)
    case .event(.title(let title)): self.title = title
    case .event(.stalled(let reason)): await show(stall: reason)
    case .event: break
    case .lost(let refused):
      life = nil
      complain("[fairlead: \(printable(refused.message)); it is started anew]")
    case .inDoubt(let bytes):
      undelivered += bytes.readableBytesView
      await note("\(bytes.readableBytes) bytes typed may not have reached the process")
    case .notTyped(let bytes, .interrupted):
      await note("\(bytes) bytes typed before the interrupt were not sent")
    case .notTyped(let bytes, .tooMuchWaits):
      await note("\(bytes) bytes were not typed: too much waits for the process already")
    case .resized: break
    case .ended(let ended): return .ended(ended)
    case .refused(let refused): return .refused(refused)
    case .closed(let reason): return .closed(reason)
    }
    return nil
  }

  private func shown(snapshot: [UInt8], _ size: TerminalSize) -> ByteBuffer {
    guard RawTerminal.isOutputTerminal else {
      return ByteBuffer(bytes: BorrowedTerminal.text(snapshot: snapshot, size: size))
    }
    return ByteBuffer(
      bytes: BorrowedTerminal.adapted(
        snapshot: snapshot, restoration: tracker.restoration(model),
        rows: (RawTerminal.size ?? size).rows))
  }

  /// - Parameter shown: what this terminal gets for `bytes`.
  private func write(_ bytes: ByteBuffer, shown: ByteBuffer) async -> AttachOutcome? {
    lastOutput = .now
    follow(bytes)
    for _ in 0..<tracker.takeCursorQueries() { filter.expectCursorReport() }
    filter.expectStrings(tracker.takeStringQueries())
    guard await output.write(shown) else { return .closed("standard output is closed") }
    lastOutput = .now
    return nil
  }

  private func follow(_ bytes: ByteBuffer) {
    bytes.withUnsafeReadableBytes { model.write($0) }
    // The node answers; this model only looks.
    _ = model.takeAnswers()
    tracker.follow(bytes.readableBytesView) { model.knows(privateMode: $0) }
    let restoration = restoration
    if restoration != prepared {
      prepared = restoration
      RawTerminal.prepare(restoration: restoration)
    }
  }

  private var restoration: [UInt8] { tracker.restoration(model) + Array(Self.oldTitle.utf8) }

  /// The terminal's titles are kept by it meanwhile, where it can (XTWINOPS).
  private static let keepTitle = "\u{1b}[22;0t"
  private static let oldTitle = "\u{1b}[23;0t"

  private func begin(_ opened: Opened) async {
    let verb = opened.created ? "new session" : isWatching ? "watching" : "attached to"
    if isNew || RawTerminal.isInputTerminal {
      let keys = RawTerminal.isInputTerminal ? "; ~. detaches" : ""
      complain("[fairlead: \(verb) \(session)\(keys)]")
    }
    if let differs = opened.differs, !differs.isEmpty {
      let keys = printable(differs.joined(separator: ", "))
      complain("[fairlead: it is not what was asked for; it is another in: \(keys)]")
    }
    RawTerminal.enter()
    guard RawTerminal.isOutputTerminal else { return }
    _ = await output.write(ByteBuffer(string: Self.keepTitle))
  }

  private func show(_ condition: StreamCondition) async -> AttachOutcome? {
    switch condition {
    case .connecting: break
    case .live:
      (isLive, hasBeenLive) = (true, true)
      patience?.cancel()
      for waiter in liveWaiters { waiter.resume() }
      liveWaiters = []
      sign?.cancel()
      // If it still does, that is told again.
      stall = nil
      await removeSign()
    case .postponed(_, let reason):
      guard !hasBeenLive else {
        loseTouch()
        break
      }
      switch waiting.postponed(reason, at: .now) {
      case .silent: break
      case .say(let words): complain("[fairlead: \(printable(words))]")
      case .giveUp(let words): return .gaveUp(words)
      }
      giveUpInTime()
    case .paused: loseTouch()
    case .reconnecting(_, let reason, let code):
      guard hasBeenLive else { return .neverConnected(reason, code) }
      loseTouch()
    }
    return nil
  }

  /// The server may want to be asked again later than the user waits.
  private func giveUpInTime() {
    guard patience == nil, let end = waiting.end else { return }
    patience = Task {
      try? await Task.sleep(until: end, clock: .continuous)
      if !Task.isCancelled, !hasBeenLive { giveUp(.gaveUp(waiting.inVain(at: .now))) }
    }
  }

  // MARK: The sign

  private func loseTouch() {
    guard isLive else { return }
    isLive = false
    sign?.cancel()
    sign = Task {
      try? await Task.sleep(for: CommandLimits.signDelay)
      if !Task.isCancelled { await showSign() }
    }
  }

  private func showSign(_ words: String = "reconnecting") async {
    guard !isLive || stall != nil, !showsSign, RawTerminal.isOutputTerminal,
      model.isBetweenSequences
    else { return }
    showsSign = true
    _ = await output.write(
      ByteBuffer(string: "\u{1b}[22;2t\u{1b}]2;[\(words)] \(session)\u{1b}\\"))
  }

  private func show(stall reason: String?) async {
    stall = reason
    guard let reason else {
      if isLive { await removeSign() }
      return
    }
    if RawTerminal.isOutputTerminal {
      await showSign(printable(reason))
    } else {
      complain("[fairlead: \(printable(reason))]")
    }
  }

  private func removeSign() async {
    guard showsSign else { return }
    showsSign = false
    // Terminals without a stack of titles get the program's again.
    let known = title.map { "\u{1b}]2;\(printable($0))\u{1b}\\" } ?? "\u{1b}]2;\u{1b}\\"
    _ = await output.write(ByteBuffer(string: known + "\u{1b}[23;2t"))
  }

  func show(help lines: [String]) async {
    guard model.isBetweenSequences else { return }
    let text = lines.map { "\r\n" + $0 }.joined() + "\r\n"
    _ = await output.write(ByteBuffer(string: text))
  }

  private func note(_ text: String) async {
    guard RawTerminal.isOutputTerminal, model.isBetweenSequences else { return }
    _ = await output.write(ByteBuffer(string: "\r\n[fairlead: \(text)]\r\n"))
  }

  // MARK: For the input

  func waitUntilLive() async {
    if hasBeenLive { return }
    await withCheckedContinuation { liveWaiters.append($0) }
  }

  /// What was typed of `piece`; what has to be withheld comes through `late`, if it was typed after all.
  func filter(_ piece: [UInt8], late: @escaping @Sendable ([UInt8]) -> Void) -> [UInt8] {
    holding?.cancel()
    let typed = filter.filter(piece)
    if let time = filter.holdTime {
      holding = Task {
        try? await Task.sleep(for: .milliseconds(time))
        if !Task.isCancelled { late(filter.release()) }
      }
    }
    return typed
  }

  func waitForQuiet(of duration: Duration) async {
    while !Task.isCancelled {
      let left = duration - (ContinuousClock.now - lastOutput)
      guard left > .zero else { return }
      try? await Task.sleep(for: left)
    }
  }

  /// Gives the terminal back as a shell wants it.
  func restore() async {
    sign?.cancel()
    patience?.cancel()
    guard hasBeenLive, RawTerminal.isOutputTerminal else { return }
    let output = output
    let bytes = ByteBuffer(bytes: restoration + Array("\r\n\u{1b}[J".utf8))
    await within(CommandLimits.restoration) { [self] in
      await removeSign()
      _ = await output.write(bytes)
    }
  }
}

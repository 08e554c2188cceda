// Compares what one client was shown with what the process printed, byte for byte and offset by
// offset (promise P1).

public import Client
import NIOCore
public import Numbered
import Wire

public struct Witness: Sendable {
  private let name: String
  private let isDriver: Bool
  private let expected: ByteBuffer
  /// The offset after the last byte shown; nil: nothing yet.
  private var next: Int?
  public private(set) var differences: [String] = []
  /// Bytes of output shown, and snapshots.
  public private(set) var shown = 0
  public private(set) var snapshots = 0
  public private(set) var opened = 0
  /// For how long nothing was shown, around each time that the stream was opened again.
  public private(set) var pauses: [Duration] = []
  /// When its connection was lost, or could not be made.
  public private(set) var closures: [ContinuousClock.Instant] = []
  private var lastShown: ContinuousClock.Instant?
  private var isReopened = false
  public private(set) var isOver = false
  /// It was told that its session is lost, which may be.
  public private(set) var lost: ContinuousClock.Instant?
  private let mayBeLost: Bool
  /// It was told that the session was lost before anybody had seen anything of it: its node died as it began.
  public private(set) var hasNotBegun = false
  /// What the client was told last of its connection; when its position last moved, and how often it was
  /// opened since.
  private var state: StreamCondition?
  private var lastMoved = ContinuousClock.now
  private var openedInVain = 0
  /// Bytes of input that were put in doubt, with no word yet of a loss.
  private var doubted = 0

  /// - Parameters:
  ///   - name: of the client, for the report.
  ///   - isDriver: it has the session created.
  ///   - mayBeLost: its session may be lost, if that is told; what was typed into it then is nobody's.
  public init(
    _ name: String, of script: Script, isDriver: Bool = false, mayBeLost: Bool = false
  ) {
    self.name = name
    self.isDriver = isDriver
    self.mayBeLost = mayBeLost
    expected = ByteBuffer(bytes: script.printed)
  }

  public var hasOutput: Bool { (next ?? 0) > 0 }
  public var position: Int { next ?? 0 }

  public mutating func take(_ event: TerminalEvent) {
    guard lost == nil else { return }
    let before = next
    defer {
      if next != before { (lastMoved, openedInVain) = (.now, 0) }
    }
    if doubted > 0, !mayTellLoss(event) {
      report("\(doubted) bytes of input were put in doubt")
      doubted = 0
    }
    switch event {
    case .opened(let opened):
      self.opened += 1
      openedInVain += 1
      if opened.created || next == nil, opened.resumed == .new { next = 0 }
      isReopened = lastShown != nil
      if opened.inDoubt == true { report("its input was put in doubt") }
    case .output(let offset, let bytes): show(bytes, at: Int(offset))
    case .snapshot(let offset, _, let bytes):
      snapshots += 1
      noteShown()
      check(snapshot: bytes, at: Int(offset))
      next = Int(offset)
    case .inDoubt(let bytes): doubted += bytes.readableBytes
    case .notTyped(let bytes, _): report("\(bytes) bytes of input were dropped")
    case .lost where mayBeLost: lose()
    case .lost(let refusal): report("was lost: \(refusal.message)")
    case .refused(let refusal) where mayBeLost && refusal.code == .lost: lose()
    case .refused(let refusal) where refusal.code == .lost && opened == 0 && isDriver:
      (isOver, hasNotBegun) = (true, true)
    case .refused(let refusal): report("was refused: \(refusal.code.rawValue), \(refusal.message)")
    case .closed(let reason):
      report("was closed: \(reason), last \(state.map { "\($0)" } ?? "")")
    case .ended(let ended) where mayBeLost && ended.reason == .lost: lose()
    case .ended(let ended):
      isOver = true
      if ended.status != .exited(code: Script.exitCode) {
        report("was told that the process ended with \(ended)")
      }
      if next != expected.readableBytes {
        report("ended at \(position) of \(expected.readableBytes) bytes")
      }
    case .state(let state):
      self.state = state
      if case .reconnecting = state { closures.append(.now) }
    case .resized, .event: break
    }
  }

  /// A loss is told right behind what was typed into the session and is nobody's.
  private func mayTellLoss(_ event: TerminalEvent) -> Bool {
    switch event {
    case .lost, .inDoubt: mayBeLost
    case .refused(let refusal): mayBeLost && refusal.code == .lost
    case .ended(let ended): mayBeLost && ended.reason == .lost
    default: false
    }
  }

  private mutating func noteShown() {
    let now = ContinuousClock.now
    if isReopened, let lastShown { pauses.append(now - lastShown) }
    (lastShown, isReopened) = (now, false)
  }

  private mutating func lose() {
    isOver = true
    lost = .now
  }

  /// The client stopped before the end.
  public mutating func giveUp() {
    guard !isOver else { return }
    let seconds = Int((ContinuousClock.now - lastMoved) / .seconds(1))
    report(
      "never saw the end; it stands at \(position) for \(seconds) s, opened \(openedInVain) times in them, "
        + "\(opened) in all")
  }

  private mutating func show(_ bytes: ByteBuffer, at start: Int) {
    if start != next { report("was shown byte \(start) where \(position) was due") }
    let due = slice(start, bytes.readableBytes)
    if bytes != due {
      let at = zip(bytes.readableBytesView, due.readableBytesView).prefix { $0 == $1 }.count
      report(
        "differs at byte \(start + at): shown \(excerpt(bytes, at)), printed \(excerpt(due, at))")
    }
    next = start + bytes.readableBytes
    shown += bytes.readableBytes
    noteShown()
  }

  /// Without a screen a snapshot is a reset and the last of the log; a screen's own bytes cannot be
  /// compared with the stream.
  private mutating func check(snapshot: ByteBuffer, at offset: Int) {
    guard offset <= expected.readableBytes else { return report("got a snapshot of the future") }
    var tail = snapshot
    guard tail.readInteger(as: UInt16.self) == 0x1B63, tail.readableBytes == min(offset, 65_536)
    else { return }
    if tail != slice(offset - tail.readableBytes, tail.readableBytes) {
      report("got a snapshot at \(offset) that is not what was printed")
    }
  }

  /// As much as there is of what was printed.
  private func slice(_ start: Int, _ count: Int) -> ByteBuffer {
    let start = min(max(0, start), expected.readableBytes)
    return expected.getSlice(at: start, length: min(count, expected.readableBytes - start))
      ?? ByteBuffer()
  }

  public mutating func report(_ what: String) {
    // After the first ones the rest follows from them.
    if differences.count < 5 { differences.append("\(name) \(what)") }
  }

  private func excerpt(_ bytes: ByteBuffer, _ at: Int) -> String {
    String(decoding: bytes.readableBytesView.dropFirst(at).prefix(40), as: UTF8.self)
      .debugDescription
  }
}

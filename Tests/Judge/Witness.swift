// Compares what one client was shown with what the process printed, byte for byte and offset by
// offset (promise P1).

public import Client
import NIOCore
public import Numbered
import Wire

public struct Witness: Sendable {
  private let name: String
  private let expected: [UInt8]
  /// The offset after the last byte shown; nil: nothing yet.
  private var next: Int?
  public private(set) var differences: [String] = []
  /// Bytes of output shown, and snapshots.
  public private(set) var shown = 0
  public private(set) var snapshots = 0
  public private(set) var opened = 0
  public private(set) var isOver = false

  /// - Parameter name: of the client, for the report.
  public init(_ name: String, of script: Script) {
    self.name = name
    expected = script.printed
  }

  public var hasOutput: Bool { (next ?? 0) > 0 }
  public var position: Int { next ?? 0 }

  public mutating func take(_ event: TerminalEvent) {
    switch event {
    case .opened(let opened):
      self.opened += 1
      if opened.created || next == nil, opened.resumed == .new { next = 0 }
      if opened.inDoubt == true { report("its input was put in doubt") }
    case .output(let offset, let bytes): show(Array(bytes.readableBytesView), at: offset)
    case .snapshot(let offset, _, let bytes):
      snapshots += 1
      check(snapshot: Array(bytes.readableBytesView), at: Int(offset))
      next = Int(offset)
    case .inDoubt(let bytes): report("\(bytes.readableBytes) bytes of input were put in doubt")
    case .refused(let refusal): report("was refused: \(refusal.code.rawValue), \(refusal.message)")
    case .closed(let reason): report("was closed: \(reason)")
    case .ended(let ended):
      isOver = true
      if ended.status != .exited(code: Script.exitCode) {
        report("was told that the process ended with \(ended)")
      }
      if next != expected.count { report("ended at \(position) of \(expected.count) bytes") }
    case .state, .resized, .event: break
    }
  }

  private mutating func show(_ bytes: [UInt8], at offset: UInt64) {
    let start = Int(offset)
    if start != next { report("was shown byte \(start) where \(position) was due") }
    let end = min(start + bytes.count, expected.count)
    if start > end || !expected[start..<end].elementsEqual(bytes.prefix(end - start)) {
      let at = zip(bytes, expected[min(start, expected.count)...]).prefix { $0 == $1 }.count
      report(
        "differs at byte \(start + at): shown \(excerpt(bytes, at)), "
          + "printed \(excerpt(expected, start + at))")
    } else if end < start + bytes.count {
      report(
        "was shown \(start + bytes.count - end) bytes too many: \(excerpt(bytes, end - start))")
    }
    next = start + bytes.count
    shown += bytes.count
  }

  /// Without a screen a snapshot is a reset and the last of the log; a screen's own bytes cannot be
  /// compared with the stream.
  private mutating func check(snapshot: [UInt8], at offset: Int) {
    guard offset <= expected.count else { return report("got a snapshot from the future") }
    guard snapshot.starts(with: [0x1B, UInt8(ascii: "c")]) else { return }
    let tail = snapshot.dropFirst(2)
    guard tail.count == min(offset, 65_536) else { return }
    if !expected[(offset - tail.count)..<offset].elementsEqual(tail) {
      report("got a snapshot at \(offset) that is not what was printed")
    }
  }

  public mutating func report(_ what: String) {
    // After the first ones the rest follows from them.
    if differences.count < 5 { differences.append("\(name) \(what)") }
  }

  private func excerpt(_ bytes: [UInt8], _ at: Int) -> String {
    String(decoding: bytes.dropFirst(max(0, at)).prefix(40), as: UTF8.self).debugDescription
  }
}

/// What a trial, or many, came to.
public struct Verdict: Sendable {
  /// Empty: everything was exact.
  public var differences: [String] = []
  public var sessions = 0
  public var clients = 0
  /// Bytes shown to clients, and typed by them.
  public var shown = 0
  public var typed = 0
  public var snapshots = 0
  /// Times that a client's stream was opened after the first.
  public var resumed = 0

  public init() {}

  public static func += (a: inout Verdict, b: Verdict) {
    a.differences += b.differences
    a.sessions += b.sessions
    a.clients += b.clients
    a.shown += b.shown
    a.typed += b.typed
    a.snapshots += b.snapshots
    a.resumed += b.resumed
  }

  mutating func add(_ witness: Witness) {
    differences += witness.differences
    clients += 1
    shown += witness.shown
    snapshots += witness.snapshots
    resumed += max(0, witness.opened - 1)
  }
}

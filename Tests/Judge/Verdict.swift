// What trials came to.

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
  /// When clients were told that their sessions are lost, which might be.
  public var losses: [ContinuousClock.Instant] = []
  /// Times that a client's stream was opened after the first.
  public var resumed = 0
  /// For how long nothing was shown around each of these times; where the process was silent, that counts too.
  public var pauses: [Duration] = []
  /// When connections were lost, by the URL that they led to.
  public var closures: [(url: String, at: ContinuousClock.Instant)] = []

  public init() {}

  public static func += (a: inout Verdict, b: Verdict) {
    a.differences += b.differences
    a.sessions += b.sessions
    a.clients += b.clients
    a.shown += b.shown
    a.typed += b.typed
    a.snapshots += b.snapshots
    a.resumed += b.resumed
    a.losses += b.losses
    a.pauses += b.pauses
    a.closures += b.closures
  }

  /// The longest time from one of these to the first word of a loss that came of it; nil: there was no loss.
  public func slowestLoss(after deaths: [ContinuousClock.Instant]) -> Duration? {
    losses.compactMap { loss in deaths.filter { $0 <= loss }.max().map { loss - $0 } }.max()
  }

  /// Half of the pauses, nineteen of twenty, and all of them were no longer than these; nil: there was none.
  public var pausesInOrder: (half: Duration, most: Duration, all: Duration)? {
    let sorted = pauses.sorted()
    guard let last = sorted.last else { return nil }
    return (sorted[sorted.count / 2], sorted[sorted.count * 19 / 20], last)
  }

  mutating func add(_ witness: Witness, at url: String) {
    differences += witness.differences
    pauses += witness.pauses
    closures += witness.closures.map { (url, $0) }
    clients += 1
    shown += witness.shown
    snapshots += witness.snapshots
    resumed += max(0, witness.opened - 1)
    if let lost = witness.lost { losses.append(lost) }
  }
}

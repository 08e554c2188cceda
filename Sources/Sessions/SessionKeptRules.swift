// What a session does differently since a holder keeps it: the holder tells when its size has changed, and what the
// session leaves there, and no node can read from its output, is noted whenever it changes.

import DequeModule
public import NIOCore
import Screen
public import Wire

extension SessionCore {
  /// What is to be kept beside the checkpoint.
  public var state: KeptState {
    KeptState(
      sizeOwner: sizeRule.sizeOwner, colors: kept?.colors, endCause: endCause,
      history: history.count > 1 ? history : nil)
  }

  /// Notes that a node has the session from now on.
  public mutating func begin(_ tenure: Tenure) {
    history = history.followed(by: tenure)
    noteState()
  }

  /// Whether all output is read that there was when the session was made again. Only then may its clients come back:
  /// they may have seen all of it.
  public var isUpToDate: Bool { log.end >= kept?.end ?? 0 }

  /// Its holder is not heard of, and why; nil: it is again.
  public mutating func pipeDidStall(_ reason: String?) {
    guard stall != reason else { return }
    stall = reason
    for stream in streams.list { send(.event(.stalled(reason)), to: stream.id) }
  }

  // MARK: The size

  /// From here on among the output the terminal has this size.
  public mutating func pipeDidResize(_ size: TerminalSize, now: NIODeadline) {
    guard let kept, size.isValid else { return }
    if kept.isSizeUnderWay { self.kept?.isSizeUnderWay = false } else { sizeRule.follow(size) }
    self.kept?.sizes.append((unread.readableBytes, size))
    actions.append(.work)
  }

  /// Whether the size has to change, and may: one change is under way at a time.
  var isSizeDue: Bool { isRunning && sizeRule.isDue && kept?.isSizeUnderWay != true }

  /// How much of the unread output comes before the next change of size; nil: there is none.
  var unreadBeforeSize: Int? { kept?.sizes.first?.after }

  /// Notes that so much of the unread output was read.
  mutating func advanceSizes(by count: Int) {
    guard kept?.sizes.isEmpty == false else { return }
    for index in kept?.sizes.indices ?? 0..<0 { kept?.sizes[index].after -= count }
  }

  /// Takes in the next change of size: all output before it is read.
  mutating func takeInNextSize(work: Int) {
    if let next = kept?.sizes.popFirst() { takeInSize(next.size, work: work) }
  }

  mutating func noteState() { if kept != nil { actions.append(.keepState) } }
}

// What holders say they keep, when sessions are taken over: one look at a holder serves all sessions that wait for its
// word. When a node dies that had thousands in one container, each look tells of them all.

import NIOCore
import Wire

/// Confined to its event loop.
final class HolderLooks<Kept: Sendable> {
  struct Answer: Sendable {
    var kept: [SessionID: Kept]
    /// False: there may be others.
    var isWhole: Bool
  }

  enum Found: Sendable {
    case kept(Kept)
    case nothing
    /// The holder could not be asked, or only in part.
    case unknown
  }

  private struct Look {
    let number: Int
    let answer: EventLoopFuture<Answer>
  }

  private let eventLoop: any EventLoop
  private let ask: (String) -> EventLoopFuture<Answer>
  /// Of each holder the latest, until it is too old.
  private var looks: [String: Look] = [:]
  private var count = 0

  /// - Parameter ask: looks at the holder of that name.
  init(eventLoop: any EventLoop, _ ask: @escaping (String) -> EventLoopFuture<Answer>) {
    self.eventLoop = eventLoop
    self.ask = ask
  }

  /// What the holder has of the session. That it has nothing is only believed of a look that began after this call: when
  /// it was asked before, the session may have been there.
  func find(_ session: SessionID, by holder: String) -> EventLoopFuture<Found> {
    guard let latest = looks[holder] else { return look(for: session, by: holder, after: count) }
    let before = count
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    return latest.answer.map { $0.kept[session] }.recover { _ in nil }.flatMap { kept in
      let looks = bound.value
      return kept.map { looks.eventLoop.makeSucceededFuture(.kept($0)) }
        ?? looks.look(for: session, by: holder, after: before)
    }
  }

  private func look(for session: SessionID, by holder: String, after number: Int)
    -> EventLoopFuture<Found>
  {
    // Another that waited for the last one has begun it already.
    let latest = looks[holder].flatMap { $0.number > number ? $0 : nil } ?? begin(holder)
    return latest.answer.map { answer in
      answer.kept[session].map(Found.kept) ?? (answer.isWhole ? .nothing : .unknown)
    }
  }

  private func begin(_ holder: String) -> Look {
    count += 1
    let number = count
    let look = Look(number: number, answer: ask(holder))
    looks[holder] = look
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    look.answer.whenComplete { _ in
      bound.value.eventLoop.scheduleTask(in: NodeLimits.lookAge) {
        if bound.value.looks[holder]?.number == number { bound.value.looks[holder] = nil }
      }
    }
    return look
  }
}

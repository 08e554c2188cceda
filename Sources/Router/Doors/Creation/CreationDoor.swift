// The door of who creates a session by the HTTP API: a client of one OPEN, which leaves with the answer.

import APIServer
import NIOCore
import Wire

enum CreationAnswer: Sendable {
  case opened(Opened)
  case refused(Refused)
}

final class CreationDoor: Door {
  private let promise: EventLoopPromise<CreationAnswer>
  private weak var client: ConnectedClient?
  private var answer: CreationAnswer?
  private static let stream: UInt64 = 1

  private init(_ promise: EventLoopPromise<CreationAnswer>) { self.promise = promise }

  /// To be called on the loop.
  static func create(
    _ open: Open, for caller: Caller, on loop: RouterLoop
  ) -> EventLoopFuture<CreationAnswer> {
    let promise = loop.eventLoop.makePromise(of: CreationAnswer.self)
    let door = CreationDoor(promise)
    // The loop keeps it until it leaves.
    let client = ConnectedClient(loop: loop, from: caller.from, as: caller.principal, door: door)
    door.client = client
    client.receive(.open(open), stream: stream)
    return promise.futureResult
  }

  var isWritable: Bool { true }

  /// Frames that were written and not flushed.
  private(set) var unflushed = 0

  func write(_ frame: Frame, stream: UInt64) {
    unflushed += 1
    guard answer == nil else { return }
    switch frame {
    case .opened(let opened): answer = .opened(opened)
    case .refused(let refusal): answer = .refused(refusal)
    default: break
    }
  }

  func flush(isLast: Bool) {
    unflushed = 0
    guard let answer, let client else { return }
    promise.succeed(answer)
    client.receive(.close(.done), stream: Self.stream)
    client.doorDidClose()
  }

  // One OPEN for each HTTP request is no flood.
  func readingDidChange() {}

  func close(_ parting: Parting) {
    promise.succeed(.refused(Refused(.unavailable, "the session could not be created")))
  }
}

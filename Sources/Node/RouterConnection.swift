// The connection of one loop of a router to this loop of the node: the node's end of a link. It knows which session
// each stream goes to, hands frames on to the sessions, and gives the streams their turns to send, so that an echo
// does not wait behind a flood.

import DequeModule
import Links
import NIOCore
import Sessions
import Wire

/// What a connection asks of the loop it has reached.
protocol RouterConnectionDelegate: AnyObject {
  func connection(_ connection: RouterConnection, didReceive request: LinkOpen, stream: UInt64)
  func connection(_ connection: RouterConnection, didReceive question: LinkRequest)
  func connection(_ connection: RouterConnection, wasRefused problem: String)
  func connectionDidClose(_ connection: RouterConnection)
  /// Who the node is, for a router that greets it.
  var greeting: NodeGreeting { get }
}

final class RouterConnection: LinkPeer, SessionConnection {
  /// Tells it apart from the other connections of its loop.
  let number: UInt64
  /// The router's address, for the log.
  private let address: String
  var peer: (router: String?, address: String) { (greeting.router, address) }
  private var link: Link?
  private weak var delegate: (any RouterConnectionDelegate)?
  private var greeting: NodeGreeting
  private var streams: [UInt64: Stream] = [:]
  /// Streams that may have something to send.
  private var turns = TurnQueue<UInt64>()
  /// Streams whose output waits, or waited a moment ago, for more of it. While there are any, a timer runs.
  private var waitingForMore: [UInt64] = []
  /// Answers to the HTTP API, whose parts take turns with the streams.
  private var answers: Deque<any LinkAnswer> = []

  private struct Stream {
    /// Nil: it waits for its session to start.
    var session: Session?
    /// Since when its output waits for more; nil: it does not.
    var waitsSince: NIODeadline?
    /// It is among `waitingForMore`.
    var isTimed = false
  }

  init(number: UInt64, from address: String, delegate: any RouterConnectionDelegate) {
    self.number = number
    self.address = address
    self.delegate = delegate
    greeting = delegate.greeting
  }

  func start(_ link: Link) {
    self.link = link
    link.keepAlive()
  }

  func close() { link?.close() }

  private func id(_ stream: UInt64) -> StreamID { StreamID(connection: number, number: stream) }

  // MARK: Streams

  /// Whether the router still waits for the answer to this OPEN.
  func isOpening(_ stream: UInt64) -> Bool {
    if let stream = streams[stream] { stream.session == nil } else { false }
  }

  /// Attaches the stream to its session, if it has not left meanwhile.
  func open(_ stream: UInt64, _ request: LinkOpen, of session: Session, isFirst: Bool) {
    guard isOpening(stream) else { return }
    streams[stream]?.session = session
    session.open(id(stream), request, isFirst: isFirst)
  }

  /// Sends the stream's last frame and forgets it.
  func close(stream: UInt64, last frame: Frame) {
    guard streams.removeValue(forKey: stream) != nil else { return }
    turns.remove(stream)
    send(frame, stream: stream)
  }

  /// Refuses an OPEN that no session has seen.
  func refuse(_ refusal: Refused, stream: UInt64) {
    if isOpening(stream) { close(stream: stream, last: .refused(refusal)) }
  }

  // MARK: Out

  func send(_ frame: Frame, stream: UInt64) { link?.send(frame, stream: stream) }

  func giveTurn(_ stream: UInt64) {
    if turns.enqueue(stream) { link?.setNeedsFlush() }
  }

  /// What the stream has to send may wait to become a whole frame: ``NodeLimits/waitForMore``.
  func giveTurnSoon(_ stream: UInt64) {
    guard let link, !turns.contains(stream), let index = streams.index(forKey: stream),
      streams.values[index].waitsSince == nil
    else { return }
    streams.values[index].waitsSince = link.eventLoop.now
    guard !streams.values[index].isTimed else { return }
    streams.values[index].isTimed = true
    if waitingForMore.isEmpty { startTimer(on: link.eventLoop) }
    waitingForMore.append(stream)
  }

  /// One timer for all streams, since it costs as much as a frame: output waits for one to two of its periods.
  private func startTimer(on loop: any EventLoop) {
    let bound = NIOLoopBound(self, eventLoop: loop)
    loop.scheduleTask(in: NodeLimits.waitForMore) { bound.value.endWaiting(on: loop) }
  }

  private func endWaiting(on loop: any EventLoop) {
    let now = loop.now
    waitingForMore.removeAll { stream in
      guard let index = streams.index(forKey: stream) else { return true }
      if let since = streams.values[index].waitsSince {
        guard now - since >= NodeLimits.waitForMore else { return false }
        giveTurn(stream)
      }
      streams.values[index].isTimed = false
      return true
    }
    if !waitingForMore.isEmpty { startTimer(on: loop) }
  }

  func answer(_ answer: any LinkAnswer) {
    answers.append(answer)
    link?.setNeedsFlush()
  }

  /// Whether more answers wait than the link can soon carry.
  var isBusy: Bool { answers.count >= NodeLimits.waitingAnswers }

  func linkFill(_ buffer: inout ByteBuffer) -> Bool {
    while buffer.readableBytes < LinkLimits.queued, !turns.isEmpty || !answers.isEmpty {
      if var answer = answers.popFirst() {
        let part = answer.next()
        buffer.writeFrame(.response(part), stream: 0)
        if !part.isLast { answers.append(answer) }
      }
      if let stream = turns.popFirst() { takeTurn(stream, into: &buffer) }
    }
    return !turns.isEmpty || !answers.isEmpty
  }

  private func takeTurn(_ stream: UInt64, into buffer: inout ByteBuffer) {
    guard let index = streams.index(forKey: stream), let session = streams.values[index].session
    else { return }
    streams.values[index].waitsSince = nil
    switch session.writeNext(of: id(stream), into: &buffer) {
    case .over: break
    case .hasMore: turns.enqueue(stream)
    case .mayWait: giveTurnSoon(stream)
    }
  }

  // MARK: In

  func linkDidReceive(_ frame: Frame, stream: UInt64) {
    guard greeting.isDone else { return greet(frame) }
    switch frame {
    case .linkOpen(let request):
      guard streams[stream] == nil else {
        link?.close(WireError(.unexpected, "stream \(stream) is open already"))
        return
      }
      streams[stream] = Stream()
      switch request.open.kind {
      case .terminal: delegate?.connection(self, didReceive: request, stream: stream)
      default: refuse(.unknown(request.open.kind), stream: stream)
      }
    case .request(let question):
      delegate?.connection(self, didReceive: question)
    case .close(let close):
      let closed = streams.removeValue(forKey: stream)
      turns.remove(stream)
      closed?.session?.leave(id(stream), isDone: close == .done)
    default:
      guard let session = streams[stream]?.session else { return }
      if !session.receive(frame, from: id(stream)) {
        link?.close(WireError(.unexpected, "\(frame.type) is not for a node"))
      }
    }
  }

  private func greet(_ frame: Frame) {
    let answer = greeting.receive(frame)
    if let problem = answer.problem { delegate?.connection(self, wasRefused: problem) }
    if let reply = answer.reply { send(reply, stream: 0) }
    switch answer.end {
    case .none: break
    case .orderly: link?.close()
    case .error(let error): link?.close(error)
    }
  }

  /// A session's frames wait for their windows, and nothing else that a node sends comes in floods.
  func linkDidDrain() {}

  func linkParting(after error: any Error) -> Frame? { greeting.parting(after: error) }

  func linkDidClose(_ error: (any Error)?) {
    if let problem = greeting.problem(endedBy: error) {
      delegate?.connection(self, wasRefused: problem)
    }
    let left = streams
    streams = [:]
    turns.removeAll()
    answers = []
    waitingForMore = []
    for (stream, state) in left { state.session?.leave(id(stream)) }
    delegate?.connectionDidClose(self)
  }
}

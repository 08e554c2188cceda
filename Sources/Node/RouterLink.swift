// The node's end of a link: the streams that one router loop has open on sessions of this loop.
// Frames in go to their session; frames out are filled in by turns, so that an echo does not wait
// behind a flood.

import Auth
import DequeModule
import Link
import NIOCore
import Wire

/// Who a client is to a session. The ClientID alone would not do: it is told to every viewer, and must not let
/// one of them pass for another (promise P9).
struct ClientIdentity: Hashable {
  var client: ClientID
  /// Whom its token proves.
  var subject: String?
}

extension ClientIdentity {
  init(_ request: LinkOpen) {
    self.init(client: request.client, subject: request.access.subject)
  }
}

/// One client's attachment to one session, over one link. Confined to its loop.
final class SessionStream {
  let number: UInt64
  let identity: ClientIdentity
  var client: ClientID { identity.client }
  let mode: StreamMode
  let from: String
  /// Which of the client's OPENs this is; nil: it does not count them.
  private let attempt: UInt64?
  /// Ending the session is allowed: by an `admin`, or by its owner who may type.
  let mayKill: Bool
  /// It is told who the others are.
  let seesNames: Bool
  weak var session: Session?
  var state: StreamState
  var wantedSize: TerminalSize
  var colors: ThemeColors?
  private weak var link: RouterLink?
  fileprivate var isQueued = false
  /// Since when its output waits for more; nil: it does not.
  fileprivate var gathersSince: NIODeadline?
  fileprivate var isInGathering = false
  fileprivate var inputAcknowledgement: UInt64?
  fileprivate(set) var presence = Presence.none
  fileprivate var isTitleDue = false

  /// What the client has yet to be told of the others. Told at the stream's next turn, once, however
  /// much has changed by then: two hundred viewers who come back at once are not two hundred events
  /// to each.
  enum Presence: Int { case none, sizeOwner, viewers }

  /// - Parameters:
  ///   - rights: what the request gives to this session.
  ///   - owner: whose the session is.
  init(number: UInt64, request: LinkOpen, rights: Rights, owner: String?, link: RouterLink) {
    self.number = number
    self.identity = ClientIdentity(request)
    self.mode = rights >= .write ? request.open.mode : .watcher
    self.mayKill = request.access.mayKill(owner: owner)
    self.seesNames = request.access.mayName(owner: owner)
    self.from = request.from
    self.attempt = request.open.attempt
    self.wantedSize = request.open.size
    self.link = link
    self.state = StreamState(cursor: 0, log: OutputLog(), now: .now())
  }

  func isNewer(than other: SessionStream) -> Bool {
    guard let attempt, let theirs = other.attempt else { return false }
    return attempt > theirs
  }

  func send(_ frame: Frame) { link?.send(frame, stream: number) }

  /// The last frame of the stream.
  func end(with frame: Frame) { link?.end(self, with: frame) }

  func setNeedsFlush() { link?.queue(self) }

  /// There is output that may wait for more: ``NodeLimits/gathering``.
  func gather() { link?.gather(self) }

  /// The viewers, or the owner of the size, have changed.
  func tell(_ news: Presence) {
    if news.rawValue > presence.rawValue { presence = news }
    link?.queue(self)
  }

  /// The program named its window; told like `tell`.
  func tellTitle() {
    isTitleDue = true
    link?.queue(self)
  }

  /// Acknowledgements of one tick become one frame.
  func acknowledgeInput(_ offset: UInt64) {
    inputAcknowledgement = offset
    link?.queue(self)
  }
}

/// What a link asks of the loop it has reached.
protocol RouterLinkOwner: AnyObject {
  func routerLink(_ link: RouterLink, open request: LinkOpen, stream: UInt64)
  func routerLink(_ link: RouterLink, request: LinkRequest)
  func routerLinkDidClose(_ link: RouterLink)
  var welcome: Welcome { get }
  var clusterName: String { get }
  /// Nil: any router of the cluster's name is taken.
  var linkKey: LinkKey? { get }
  func routerLink(_ link: RouterLink, refused problem: String)
}

final class RouterLink: LinkPeer {
  private(set) var link: Link?
  private weak var owner: (any RouterLinkOwner)?
  private var streams: [UInt64: SessionStream] = [:]
  /// Streams that may have something to send, in the order of their turns.
  private var turns: Deque<SessionStream> = []
  /// Streams whose output waits, or waited a moment ago, for more of it. While there are any, a timer runs.
  private var gathering: [SessionStream] = []
  /// Answers to the admin API, whose parts take turns with the streams.
  private var answers: Deque<any LinkAnswer> = []
  private var greeting = Greeting.awaited

  private enum Greeting {
    case awaited
    /// WELCOME has gone out with our proof; the router's comes in its second HELLO.
    case challenged(LinkKey, LinkKey.Greeting)
    case done
  }
  /// Opens that wait for a session to start; a CLOSE takes them out.
  private var opening: Set<UInt64> = []

  init(owner: any RouterLinkOwner) { self.owner = owner }

  func start(_ link: Link) {
    self.link = link
    link.keepAlive()
  }

  func close() { link?.close() }

  // MARK: Out

  func send(_ frame: Frame, stream: UInt64) { link?.send(frame, stream: stream) }

  func queue(_ stream: SessionStream) {
    guard !stream.isQueued else { return }
    stream.isQueued = true
    turns.append(stream)
    link?.setNeedsFlush()
  }

  func gather(_ stream: SessionStream) {
    guard !stream.isQueued, stream.gathersSince == nil, let link else { return }
    stream.gathersSince = link.eventLoop.now
    guard !stream.isInGathering else { return }
    stream.isInGathering = true
    if gathering.isEmpty { timeGathering(on: link.eventLoop) }
    gathering.append(stream)
  }

  /// One timer for all streams, since it costs as much as a frame: output waits for one to two of its periods.
  private func timeGathering(on loop: any EventLoop) {
    let bound = NIOLoopBound(self, eventLoop: loop)
    loop.scheduleTask(in: NodeLimits.gathering) { bound.value.endGathering(on: loop) }
  }

  private func endGathering(on loop: any EventLoop) {
    let now = loop.now
    gathering.removeAll { stream in
      if let since = stream.gathersSince {
        guard now - since >= NodeLimits.gathering else { return false }
        queue(stream)
      }
      stream.isInGathering = false
      return true
    }
    if !gathering.isEmpty { timeGathering(on: loop) }
  }

  func answer(_ answer: any LinkAnswer) {
    answers.append(answer)
    link?.setNeedsFlush()
  }

  /// More answers wait than the link can soon carry.
  var isBusy: Bool { answers.count >= NodeLimits.waitingAnswers }

  func linkFill(_ buffer: inout ByteBuffer) -> Bool {
    while buffer.readableBytes < LinkLimits.queued, !turns.isEmpty || !answers.isEmpty {
      if var answer = answers.popFirst() {
        let part = answer.next()
        buffer.writeFrame(.response(part), stream: 0)
        if !part.isLast { answers.append(answer) }
      }
      guard let stream = turns.popFirst() else { continue }
      if streams[stream.number] === stream {
        if let offset = stream.inputAcknowledgement {
          buffer.writeFrame(.inputAck(offset: offset), stream: stream.number)
        }
        if let event = stream.session?.event(for: stream) {
          buffer.writeFrame(.event(event), stream: stream.number)
        }
        if stream.isTitleDue, let event = stream.session?.titleEvent {
          buffer.writeFrame(.event(event), stream: stream.number)
        }
      }
      stream.gathersSince = nil
      stream.inputAcknowledgement = nil
      stream.presence = .none
      stream.isTitleDue = false
      guard let session = stream.session, session.writeNext(of: stream, into: &buffer) else {
        stream.isQueued = false
        continue
      }
      if session.mayGather(stream) {
        stream.isQueued = false
        gather(stream)
      } else {
        turns.append(stream)
      }
    }
    return !turns.isEmpty || !answers.isEmpty
  }

  func add(_ stream: SessionStream) {
    opening.remove(stream.number)
    streams[stream.number] = stream
  }

  /// Whether the router still waits for the answer to this OPEN.
  func isOpening(_ stream: UInt64) -> Bool { opening.contains(stream) }

  func refuse(_ refusal: Refused, stream: UInt64) {
    guard opening.remove(stream) != nil else { return }
    send(.refused(refusal), stream: stream)
  }

  func end(_ stream: SessionStream, with frame: Frame) {
    guard streams.removeValue(forKey: stream.number) != nil else { return }
    send(frame, stream: stream.number)
  }

  // MARK: In

  func linkDidReceive(_ frame: Frame, stream number: UInt64) {
    switch greeting {
    case .awaited: return greet(frame)
    case .challenged(let key, let terms): return check(frame, key, terms)
    case .done: break
    }
    switch frame {
    case .linkOpen(let request):
      guard streams[number] == nil, opening.insert(number).inserted else {
        link?.close(WireError(.unexpected, "stream \(number) is open already"))
        return
      }
      switch request.open.kind {
      case .terminal: owner?.routerLink(self, open: request, stream: number)
      default: refuse(.unknown(request.open.kind), stream: number)
      }
    case .request(let request):
      owner?.routerLink(self, request: request)
    case .close:
      opening.remove(number)
      if let stream = streams.removeValue(forKey: number) { stream.session?.leave(stream) }
    default:
      guard let stream = streams[number], let session = stream.session else { return }
      receive(frame, stream, session)
    }
  }

  private func receive(_ frame: Frame, _ stream: SessionStream, _ session: Session) {
    switch frame {
    case .input(let offset, let bytes): session.receive(stream, offset: offset, bytes: bytes)
    case .outputAck(_, let consumed): session.acknowledge(stream, consumed: consumed)
    case .resize(let size): session.resize(stream, to: size)
    case .take: session.own(by: stream)
    case .colors(let colors): session.recolor(stream, colors)
    case .kill:
      if stream.mayKill {
        session.terminate(.killed)
      } else {
        stream.send(.event(.refused("this token may not end session \(session.id)")))
      }
    default: link?.close(WireError(.unexpected, "\(frame.type) is not for a node"))
    }
  }

  private func greet(_ frame: Frame) {
    guard case .hello(let hello) = frame, hello.versions.contains(1), let owner else {
      link?.close(WireError(.unexpected, "a link begins with a HELLO of version 1"))
      return
    }
    guard hello.cluster == owner.clusterName else {
      return sendAway("this node is of cluster \(owner.clusterName)")
    }
    var welcome = owner.welcome
    guard let key = owner.linkKey else {
      greeting = .done
      if hello.nonce != nil {
        owner.routerLink(
          self,
          refused: "the router asks for proof of a cluster's key, and this node was given none "
            + "(--cluster-key-file)")
      }
      send(.welcome(welcome), stream: 0)
      return
    }
    guard let nonce = hello.nonce, (16...64).contains(nonce.utf8.count) else {
      return sendAway("this node asks for the cluster's key (--cluster-key-file)")
    }
    let mine = LinkKey.nonce()
    let terms = LinkKey.Greeting(
      cluster: owner.clusterName, router: hello.router ?? "", routerNonce: nonce,
      node: welcome.node ?? "", incarnation: welcome.incarnation?.description ?? "",
      nodeNonce: mine)
    welcome.nonce = mine
    welcome.proof = key.proof(of: .node, terms)
    greeting = .challenged(key, terms)
    send(.welcome(welcome), stream: 0)
  }

  private func check(_ frame: Frame, _ key: LinkKey, _ terms: LinkKey.Greeting) {
    guard case .hello(let hello) = frame, key.isProof(hello.proof, of: .router, terms) else {
      return sendAway("the router does not know this cluster's key (--cluster-key-file)")
    }
    greeting = .done
  }

  private func sendAway(_ reason: String) {
    owner?.routerLink(self, refused: reason)
    greeting = .done
    send(.goAway(GoAway(reason: reason, within: 0, spread: 0)), stream: 0)
    link?.close()
  }

  /// A router that leaves before it is greeted has another key, or TLS where this node has none, or the other way
  /// round. One that only connects asks whether the port is open.
  private func tellOwner(whyGreetingEndedBy error: (any Error)?) {
    switch (greeting, error) {
    case (.challenged, nil):
      owner?.routerLink(
        self, refused: "a router left when it saw this node's proof: has it another key?")
    case (.awaited, let error?), (.challenged, let error?):
      owner?.routerLink(self, refused: "a router's link failed before its HELLO: \(error)")
    case (.awaited, nil), (.done, _): break
    }
  }

  /// A session's frames wait for their windows, and nothing else that a node sends comes in floods.
  func linkDidDrain() {}

  func linkDidClose(_ error: (any Error)?) {
    tellOwner(whyGreetingEndedBy: error)
    let left = streams.values
    streams = [:]
    opening = []
    turns = []
    answers = []
    gathering = []
    for stream in left { stream.session?.leave(stream) }
    owner?.routerLinkDidClose(self)
  }
}

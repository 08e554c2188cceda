// A loop of a node, as a loop of this router reaches it: the router's end of the link between them. It connects,
// greets, carries the streams of this loop's clients, and asks the HTTP API's questions. Once the link is broken it is
// not used again: its streams look for their nodes anew.

import Links
import Logging
import NIOCore
import Registry
import TLS
import Transport
import Wire

/// Who has streams open on a link. `stream` is the number by which the user knows its stream.
protocol LinkUser: AnyObject {
  func nodeDidSend(_ frame: Frame, to stream: UInt64)
  /// The link is gone, and with it what was open on it.
  /// - Parameters:
  ///   - isRestart: another start of the node answers in its place.
  ///   - isFinal: no link comes to stand before somebody changes a key, a name or a certificate.
  func linkDidBreak(_ stream: UInt64, because reason: String, isRestart: Bool, isFinal: Bool)
  /// The node does not answer, though the link to it stands.
  func nodeHangs(_ stream: UInt64, because reason: String)
  /// More waits for the link than it can take: whoever can sends no more until it has drained.
  func linkDidFill(_ link: LinkedNode)
}

final class LinkedNode: LinkPeer {
  let route: Route
  private let context: RouterContext
  private let eventLoop: any EventLoop
  private var link: Link?
  private var state = State.connecting
  private let nonce = ClusterKey.nonce()
  private var streams: [UInt64: Stream] = [:]
  private var nextStream: UInt64 = 1
  private var questions: [UInt64: (promise: EventLoopPromise<NodeAnswer>, answer: NodeAnswer)] = [:]
  private var nextQuestion: UInt64 = 1
  /// Frames that wait for the WELCOME, by stream. A stream that leaves before takes its OPEN with it.
  private var waiting: [UInt64: [Frame]] = [:]
  /// Clients that are not read from until this link has written what waits for it, so that no
  /// client's flood can make the link break for the others.
  private var whenDrainedActions: [() -> Void] = []
  private var deadline: Scheduled<Void>?
  /// The later keys of `create` that the node obeys.
  private var creates: Set<Welcome.CreateKey> = []
  /// Whether this end leaves, which is no fault of the node's.
  private var isLeaving = false

  private enum State { case connecting, greeting, ready, closed }

  private struct Stream {
    let user: any LinkUser
    /// The number by which the user knows it.
    let number: UInt64
    let session: SessionID?
    /// The epoch under which the node has the session; nil: it has not said so.
    var epoch: Epoch?
  }

  init(route: Route, context: RouterContext, eventLoop: any EventLoop) {
    self.route = route
    self.context = context
    self.eventLoop = eventLoop
  }

  var isUsable: Bool { state != .closed }

  /// When the node was heard over it, if that was a moment ago.
  var heard: NIODeadline? {
    guard state == .ready, let silence = link?.silence, silence < RouterLimits.lately else {
      return nil
    }
    return eventLoop.now - silence
  }

  // MARK: Connecting

  func connect() {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    deadline = eventLoop.scheduleTask(in: RouterLimits.connectDeadline) {
      bound.value.fail(WireError(.unexpected, "no WELCOME in time"))
    }
    if let connectLocally = context.connectLocally {
      let transport = connectLocally(eventLoop, route.loop)
      let link = Link(eventLoop: eventLoop, peer: self, transport: transport)
      transport.attach(link)
      return greet(over: link)
    }
    let eventLoop = eventLoop
    // A node's certificate may name its address or the node.
    let connector = Connector(
      .tcp(host: route.address.host, port: route.address.port), context.linkTLS,
      serverNames: [route.address.host, route.node.rawValue])
    connector.connect(on: eventLoop, within: RouterLimits.connectDeadline) { channel in
      try SocketTransport.configure(channel)
      let transport = SocketTransport()
      try channel.pipeline.syncOperations.addHandler(transport)
      let link = Link(eventLoop: eventLoop, peer: bound.value, transport: transport)
      transport.attach(link)
      return NIOLoopBound(link, eventLoop: eventLoop)
    }.whenComplete { result in
      switch result {
      case .success(let link): bound.value.greet(over: link.value)
      case .failure(let error): bound.value.fail(error)
      }
    }
  }

  private func greet(over link: Link) {
    guard state == .connecting else { return link.close() }
    self.link = link
    state = .greeting
    link.send(
      .hello(
        Hello(
          router: context.name, cluster: context.cluster,
          nonce: context.clusterKey == nil ? nil : nonce)), stream: 0)
  }

  private func welcomed(_ welcome: Welcome) {
    guard state == .greeting else { return }
    guard welcome.node == route.node.rawValue, let incarnation = welcome.incarnation else {
      return fail(LinkRefused(reason: "another node answers at its address", isFinal: false))
    }
    guard prove(to: welcome) else {
      return fail(LinkRefused(reason: "it does not know this cluster's key (--cluster-key-file)"))
    }
    guard incarnation == route.incarnation else {
      context.restarts.note(route.node, was: route.incarnation, is: incarnation)
      return fail(NodeRestarted())
    }
    deadline?.cancel()
    state = .ready
    creates = Set(welcome.creates ?? [])
    context.health.answered(route, heard: eventLoop.now)
    for (stream, frames) in waiting {
      for frame in frames { pass(frame, stream) }
    }
    waiting = [:]
    link?.keepAlive()
  }

  /// With a cluster key: whether the node has proved that it knows the key; then we prove it too.
  private func prove(to welcome: Welcome) -> Bool {
    guard let key = context.clusterKey, context.connectLocally == nil else { return true }
    let terms = ClusterKey.Greeting(
      cluster: context.cluster, router: context.name, routerNonce: nonce,
      node: route.node.rawValue, incarnation: welcome.incarnation?.description ?? "",
      nodeNonce: welcome.nonce ?? "")
    guard key.isProof(welcome.proof, of: .node, terms) else { return false }
    link?.send(.hello(Hello(proof: key.proof(of: .router, terms))), stream: 0)
    return true
  }

  private func fail(_ error: any Error) {
    if let link, link.isOpen { link.close(error) } else { linkDidClose(error) }
  }

  func close() {
    isLeaving = true
    if let link { link.close() } else { linkDidClose(nil) }
  }

  /// Why the node cannot be used, as far as the way in which the link ended tells.
  private func trouble(
    _ error: (any Error)?, was state: State
  ) -> (kind: NodeHealth.Trouble.Kind, reason: String) {
    switch error {
    case let error as LinkRefused: return (error.isFinal ? .mismatch : .refusal, error.reason)
    case let error as TLSError:
      return (
        error.isOfConfiguration ? .mismatch : .refusal,
        "TLS failed: \(error); do both ends have --link-cert, --link-key and --link-ca?"
      )
    case let error as WireError: return (.silence, error.message)
    case let error?: return (.silence, cause(of: error))
    case nil where state == .ready: return (.silence, "its link has ended")
    case nil:
      let hint =
        !context.linkTLS.isEncrypted
        ? "; if it takes links by TLS, give this router --link-cert, --link-key and --link-ca" : ""
      return (.refusal, "it ends links before WELCOME" + hint)
    }
  }

  // MARK: Streams

  /// The sessions of its streams, and under which epoch the node has each.
  var sessions: [SessionID: Epoch] {
    streams.values.reduce(into: [:]) { sessions, stream in
      if let session = stream.session, let epoch = stream.epoch { sessions[session] = epoch }
    }
  }

  /// Opens a stream on the route's node and returns its number.
  func open(_ request: LinkOpen, for user: any LinkUser, stream: UInt64) -> UInt64 {
    let number = nextStream
    nextStream += 1
    streams[number] = Stream(user: user, number: stream, session: request.open.session)
    send(.linkOpen(request), stream: number)
    // A session that is yet to be created can be created elsewhere.
    if state == .ready, request.epoch == nil, request.open.create != nil { watchCreation(number) }
    return number
  }

  /// Sends a PING, which every node answers at once. If nothing at all comes, the node hangs, and the new session does
  /// not wait until the link is given up.
  private func watchCreation(_ number: UInt64) {
    let asked = eventLoop.now
    link?.send(.ping(asked.uptimeNanoseconds), stream: 0)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: RouterLimits.createSilence) {
      bound.value.checkCreation(number, asked: asked)
    }
  }

  private func checkCreation(_ number: UInt64, asked: NIODeadline) {
    guard let stream = streams[number], let link, state == .ready,
      eventLoop.now - link.silence < asked
    else { return }
    context.health.failed(
      route, .silence,
      reason: "nothing was heard for \(RouterLimits.createSilence.nanoseconds / 1_000_000_000) s",
      at: eventLoop.now)
    stream.user.nodeHangs(stream.number, because: "node \(route.node) does not answer")
  }

  func leave(_ number: UInt64, telling close: Close?) {
    guard streams.removeValue(forKey: number) != nil else { return }
    if waiting.removeValue(forKey: number) != nil { return }
    if let close { send(.close(close), stream: number) }
  }

  func send(_ frame: Frame, stream: UInt64) {
    switch state {
    case .ready:
      pass(frame, stream)
      if link?.isCongested == true { streams[stream]?.user.linkDidFill(self) }
    case .connecting, .greeting: waiting[stream, default: []].append(frame)
    case .closed: break
    }
  }

  /// Sends the frame, but for an OPEN of which the node would pass over a part, and start something else than was asked
  /// for.
  private func pass(_ frame: Frame, _ number: UInt64) {
    guard case .linkOpen(let request) = frame, request.open.create?.user != nil,
      !creates.contains(.user)
    else {
      link?.send(frame, stream: number)
      return
    }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute { bound.value.refuse(number) }
  }

  /// Refuses the OPEN in the node's stead.
  private func refuse(_ number: UInt64) {
    guard let stream = streams[number] else { return }
    stream.user.nodeDidSend(
      .refused(
        Refused(
          .noCapacity,
          "node \(route.node) is of an earlier version, which starts nothing as another user",
          retry: RouterLimits.retryLater)), to: stream.number)
  }

  /// Calls `resume` once the link is no longer congested, or is closed.
  func whenDrained(_ resume: @escaping () -> Void) { whenDrainedActions.append(resume) }

  func linkDidDrain() {
    let actions = whenDrainedActions
    whenDrainedActions = []
    for resume in actions { resume() }
  }

  /// Frames towards a node are small and bounded by the clients' input windows; all leave at the
  /// tick's end.
  func linkFill(_ buffer: inout ByteBuffer) -> Bool { false }

  func linkDidReceive(_ frame: Frame, stream number: UInt64) {
    switch frame {
    case .welcome(let welcome): welcomed(welcome)
    case .goAway(let reason): fail(LinkRefused(reason: reason.reason))
    // Before its WELCOME, and the proof in it, nobody knows whether that is the node.
    case _ where state != .ready: fail(WireError(.unexpected, "\(frame.type) before WELCOME"))
    case .response(let response): answered(response)
    default:
      if case .opened(let opened) = frame { streams[number]?.epoch = opened.epoch }
      guard let stream = streams[number] else { return }
      stream.user.nodeDidSend(frame, to: stream.number)
    }
  }

  func linkDidClose(_ error: (any Error)?) {
    guard state != .closed else { return }
    let trouble = trouble(error, was: state)
    state = .closed
    deadline?.cancel()
    // Within this process a link ends with the node, and with the process. One that was started anew is in no trouble.
    if !isLeaving, !(error is NodeRestarted), context.connectLocally == nil {
      context.health.failed(
        route, trouble.kind, reason: trouble.reason, at: eventLoop.now)
    }
    let broken = streams.values
    streams = [:]
    waiting = [:]
    linkDidDrain()
    let unanswered = questions.values
    questions = [:]
    for question in unanswered {
      question.promise.fail(error ?? WireError(.unexpected, "the link closed"))
    }
    for stream in broken {
      stream.user.linkDidBreak(
        stream.number,
        because: "node \(route.node) "
          + (trouble.kind == .silence ? "does not answer: " : "refuses this router's link: ")
          + trouble.reason.clipped(to: RouterLimits.reason),
        isRestart: error is NodeRestarted, isFinal: trouble.kind == .mismatch)
    }
  }

  // MARK: Questions

  /// Sends the request under a number of this link.
  func ask(_ request: LinkRequest, within limit: TimeAmount) -> EventLoopFuture<NodeAnswer> {
    let promise = eventLoop.makePromise(of: NodeAnswer.self)
    guard state != .closed else {
      promise.fail(WireError(.unexpected, "the link closed"))
      return promise.futureResult
    }
    let id = nextQuestion
    nextQuestion += 1
    questions[id] = (promise, NodeAnswer())
    var request = request
    request.id = id
    send(.request(request), stream: 0)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: limit) {
      bound.value.questions.removeValue(forKey: id)?.promise.fail(
        WireError(.unexpected, "no answer in time"))
    }
    return promise.futureResult
  }

  private func answered(_ response: LinkResponse) {
    guard let parts = questions[response.id]?.answer.parts, parts < RouterLimits.answerParts else {
      questions.removeValue(forKey: response.id)?.promise.fail(
        WireError(.unexpected, "an answer has too many parts"))
      return
    }
    // In place: an answer comes in many parts.
    questions[response.id]?.answer.parts += 1
    questions[response.id]?.answer.sessions += response.sessions ?? []
    questions[response.id]?.answer.text += response.text ?? ""
    questions[response.id]?.answer.epoch = response.epoch
    questions[response.id]?.answer.error = response.error
    guard response.isLast, let question = questions.removeValue(forKey: response.id) else { return }
    question.promise.succeed(question.answer)
  }
}

/// The node, or this router, will not have the link: a matter of keys, names or certificates. No
/// ``Failure``: it has one kind, which its type says.
private struct LinkRefused: Error, CustomStringConvertible {
  var reason: String
  /// Nothing changes this but somebody who changes a key, a name or a certificate.
  var isFinal = true
  var description: String { reason }
}

/// The whole answer of a node's loop to a question.
struct NodeAnswer: Sendable {
  var sessions: [SessionSummary] = []
  var text = ""
  var epoch: Epoch?
  var error: LinkResponse.Problem?
  /// RESPONSE frames that it came in.
  var parts = 0
}

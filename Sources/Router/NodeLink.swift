// The router's end of a link: connects, greets, carries the streams of this loop's clients, and asks
// the admin API's questions. When it breaks it is done with: its streams find their way anew.

import Auth
import Cluster
import ConnectionErrors
import Link
import Logging
import NIOCore
import NIOPosix
import TLS
import Wire

final class NodeLink: LinkPeer {
  let route: Route
  private let context: RouterContext
  private let eventLoop: any EventLoop
  private var link: Link?
  private var state = State.connecting
  private let nonce = LinkKey.nonce()
  private var streams: [UInt64: RoutedStream] = [:]
  private var nextStream: UInt64 = 1
  private var questions: [UInt64: (promise: EventLoopPromise<NodeAnswer>, answer: NodeAnswer)] = [:]
  private var nextQuestion: UInt64 = 1
  /// What was sent before the WELCOME, by stream: what has left by then takes its OPEN with it.
  private var waiting: [UInt64: [Frame]] = [:]
  /// Clients that are not read from until this link has written what waits for it, so that no
  /// client's flood can make the link break for the others.
  private var held: [() -> Void] = []
  private var deadline: Scheduled<Void>?

  private enum State { case connecting, greeting, ready, closed }

  init(route: Route, context: RouterContext, eventLoop: any EventLoop) {
    self.route = route
    self.context = context
    self.eventLoop = eventLoop
  }

  var isUsable: Bool { state != .closed }

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
    let tls = context.linkTLS
    // A node that is known by its address alone may prove its name instead.
    let names = [route.address.host, route.node.rawValue]
    ClientBootstrap(group: eventLoop)
      .connectTimeout(RouterLimits.connectDeadline)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try SocketTransport.configure(channel)
          if let tls {
            try channel.pipeline.syncOperations.addHandler(tls.handler(serverNames: names))
          }
          let transport = SocketTransport()
          try channel.pipeline.syncOperations.addHandler(transport)
          let link = Link(eventLoop: eventLoop, peer: bound.value, transport: transport)
          transport.attach(link)
          bound.value.link = link
        }
      }
      .connect(host: route.address.host, port: route.address.port)
      .whenComplete { result in
        let end = bound.value
        switch result {
        case .success: if let link = end.link { end.greet(over: link) }
        case .failure(let error): end.fail(error)
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
          nonce: context.linkKey == nil ? nil : nonce)), stream: 0)
  }

  private func welcomed(_ welcome: Welcome) {
    guard state == .greeting else { return }
    guard welcome.node == route.node.rawValue, welcome.incarnation == route.incarnation else {
      return fail(WireError(.unexpected, "another node answers at \(route.address)"))
    }
    guard prove(to: welcome) else {
      return fail(
        AuthError(
          .clusterKey, "node \(route.node) does not know the cluster's key (--cluster-key-file)"))
    }
    deadline?.cancel()
    state = .ready
    for (stream, frames) in waiting {
      for frame in frames { link?.send(frame, stream: stream) }
    }
    waiting = [:]
    link?.keepAlive()
  }

  /// With a cluster key: whether the node has proved that it knows the key; then we prove it too.
  private func prove(to welcome: Welcome) -> Bool {
    guard let key = context.linkKey, context.connectLocally == nil else { return true }
    let terms = LinkKey.Greeting(
      cluster: context.cluster, router: context.name, routerNonce: nonce,
      node: route.node.rawValue, incarnation: route.incarnation.description,
      nodeNonce: welcome.nonce ?? "")
    guard key.isProof(welcome.proof, of: .node, terms) else { return false }
    link?.send(.hello(Hello(proof: key.proof(of: .router, terms))), stream: 0)
    return true
  }

  private func fail(_ error: any Error) {
    if let link, link.isOpen { link.close(error) } else { linkDidClose(error) }
  }

  func close() { link?.close() }

  // MARK: Streams

  /// The sessions that streams are open on, and under which epoch their node has them.
  var sessions: [SessionID: Epoch] {
    streams.values.reduce(into: [:]) { $0[$1.session] = $1.epoch }
  }

  /// Opens a stream on the route's node and returns its number.
  func open(_ stream: RoutedStream, _ request: LinkOpen) -> UInt64 {
    let number = nextStream
    nextStream += 1
    streams[number] = stream
    send(.linkOpen(request), stream: number)
    return number
  }

  func leave(_ number: UInt64, telling close: Close?) {
    guard streams.removeValue(forKey: number) != nil else { return }
    if waiting.removeValue(forKey: number) != nil { return }
    if let close { send(.close(close), stream: number) }
  }

  func send(_ frame: Frame, stream: UInt64) {
    switch state {
    case .ready: link?.send(frame, stream: stream)
    case .connecting, .greeting: waiting[stream, default: []].append(frame)
    case .closed: break
    }
  }

  var isCongested: Bool { link?.isCongested ?? false }

  /// Calls `resume` once the link is no longer congested, or is closed.
  func whenDrained(_ resume: @escaping () -> Void) { held.append(resume) }

  func linkDidDrain() {
    let held = held
    self.held = []
    for resume in held { resume() }
  }

  /// Frames towards a node are small and bounded by the clients' input windows; all leave at the
  /// tick's end.
  func linkFill(_ buffer: inout ByteBuffer) -> Bool { false }

  func linkDidReceive(_ frame: Frame, stream number: UInt64) {
    switch frame {
    case .welcome(let welcome): welcomed(welcome)
    case .goAway(let reason): fail(WireError(.unexpected, reason.reason))
    // Before its WELCOME, and the proof in it, nobody knows whether that is the node.
    case _ where state != .ready: fail(WireError(.unexpected, "\(frame.type) before WELCOME"))
    case .response(let response): answered(response)
    default: streams[number]?.nodeDidSend(frame)
    }
  }

  func linkDidClose(_ error: (any Error)?) {
    guard state != .closed else { return }
    state = .closed
    deadline?.cancel()
    if let error {
      context.logger.info(
        "a link closed", metadata: ["node": "\(route.node)", "error": "\(cause(of: error))"])
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
    for stream in broken { stream.linkDidBreak() }
  }

  // MARK: Questions

  /// Sends the request under a number of this link.
  func ask(_ request: LinkRequest) -> EventLoopFuture<NodeAnswer> {
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
    eventLoop.scheduleTask(in: RouterLimits.requestDeadline) {
      bound.value.questions.removeValue(forKey: id)?.promise.fail(
        WireError(.unexpected, "node \(bound.value.route.node) did not answer in time"))
    }
    return promise.futureResult
  }

  private func answered(_ response: LinkResponse) {
    // In place: an answer comes in many parts.
    questions[response.id]?.answer.sessions += response.sessions ?? []
    questions[response.id]?.answer.text += response.text ?? ""
    questions[response.id]?.answer.error = response.error
    guard response.isLast, let question = questions.removeValue(forKey: response.id) else { return }
    question.promise.succeed(question.answer)
  }
}

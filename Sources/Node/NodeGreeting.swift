// How a node greets a router: HELLO and WELCOME, and with a cluster's key each proves to the other that it knows it.
// Pure.

import Links
import NIOCore
import Wire

struct NodeGreeting {
  let cluster: String
  let welcome: Welcome
  /// Nil: any router of the cluster's name is taken.
  let key: ClusterKey?
  /// The name that the router gives itself.
  private(set) var router: String?
  private var state = State.awaited

  private enum State {
    case awaited
    /// WELCOME has gone out with our proof; the router's comes in its second HELLO.
    case challenged(ClusterKey, ClusterKey.Greeting)
    case done
  }

  /// What a frame leads to.
  struct Answer {
    var reply: Frame?
    /// What the log says about it.
    var problem: String?
    var end = End.none

    enum End {
      case none
      /// The reply tells the router why.
      case orderly
      case error(WireError)
    }
  }

  init(cluster: String, welcome: Welcome, key: ClusterKey?) {
    self.cluster = cluster
    self.welcome = welcome
    self.key = key
  }

  var isDone: Bool { if case .done = state { true } else { false } }

  mutating func receive(_ frame: Frame) -> Answer {
    switch state {
    case .awaited: return receiveHello(frame)
    case .challenged(let key, let terms): return receiveProof(frame, key, terms)
    case .done: return Answer()
    }
  }

  private mutating func receiveHello(_ frame: Frame) -> Answer {
    guard case .hello(let hello) = frame, hello.versions.contains(1) else {
      return Answer(
        end: .error(WireError(.unexpected, "a link begins with a HELLO of version 1")))
    }
    router = hello.router
    guard hello.cluster == cluster else { return turnAway("this node is of cluster \(cluster)") }
    guard let key else {
      state = .done
      let problem =
        "the router asks for proof of a cluster's key, and this node was given none "
        + "(--cluster-key-file)"
      return Answer(reply: .welcome(welcome), problem: hello.nonce == nil ? nil : problem)
    }
    guard let nonce = hello.nonce, LinkLimits.nonces.contains(nonce.utf8.count) else {
      return turnAway("this node asks for the cluster's key (--cluster-key-file)")
    }
    let mine = ClusterKey.nonce()
    let terms = ClusterKey.Greeting(
      cluster: cluster, router: hello.router ?? "", routerNonce: nonce, node: welcome.node ?? "",
      incarnation: welcome.incarnation?.description ?? "", nodeNonce: mine)
    var reply = welcome
    reply.nonce = mine
    reply.proof = key.proof(of: .node, terms)
    state = .challenged(key, terms)
    return Answer(reply: .welcome(reply))
  }

  private mutating func receiveProof(
    _ frame: Frame, _ key: ClusterKey, _ terms: ClusterKey.Greeting
  ) -> Answer {
    guard case .hello(let hello) = frame, key.isProof(hello.proof, of: .router, terms) else {
      return turnAway("the router does not know this cluster's key (--cluster-key-file)")
    }
    state = .done
    return Answer()
  }

  private mutating func turnAway(_ reason: String) -> Answer {
    state = .done
    return Answer(reply: Self.goAway(reason), problem: reason, end: .orderly)
  }

  private static func goAway(_ reason: String) -> Frame {
    .goAway(GoAway(reason: reason, within: 0, spread: 0))
  }

  /// A node that takes links by TLS says this to a router that greets without TLS.
  static let answerInClear = {
    let reason =
      "this node takes links by TLS: give the router --link-cert, --link-key and --link-ca"
    var bytes = ByteBuffer()
    bytes.writeFrame(goAway(reason), stream: 0)
    return bytes
  }()

  /// The node says this to a peer whose first bytes are no greeting. A router that begins TLS learns by any answer that
  /// this node speaks none.
  func parting(after error: any Error) -> Frame? {
    isDone ? nil : Self.goAway("\(error)")
  }

  /// A router that leaves before it is greeted has another key, or TLS where this node has none, or the other way
  /// round. One that only connects asks whether the port is open.
  func problem(endedBy error: (any Error)?) -> String? {
    switch (state, error) {
    case (.challenged, nil):
      "a router left when it saw this node's proof: it knows another process as this node yet, or it has another key"
    case (.awaited, let error?), (.challenged, let error?):
      "a router's link failed before its HELLO: \(error)"
    case (.awaited, nil), (.done, _): nil
    }
  }
}

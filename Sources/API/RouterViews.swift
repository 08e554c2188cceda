// Routers and their clients, as an operator sees them.

public import Registry
public import Wire

public struct RouterView: Sendable, Equatable, Codable {
  public enum State: String, Sendable, Codable {
    case live
    /// Its record is no longer good: it has died, or is cut off from the registry.
    case silent
  }
  public var id: NodeID
  public var state: State
  /// Where this router itself is reached.
  public var url: String
  public var version: String
  public var incarnation: Incarnation
  /// Milliseconds since 1970.
  public var started: UInt64
  public var clients: Int
  public var streams: Int
  /// Sessions whose owner it remembers.
  public var routes: Int
  public var loops: Int
  /// Percent of one core.
  public var processor: Double
  /// Bytes.
  public var memory: UInt64
  /// Milliseconds until its record is no longer good; negative: since.
  public var lease: Int

  public init(_ entry: RouterEntry) {
    let record = entry.record
    id = record.id
    state = entry.isLive ? .live : .silent
    url = record.url
    version = record.version
    incarnation = record.incarnation
    started = record.started
    clients = record.clients
    streams = record.streams
    routes = record.routes
    loops = record.loops
    processor = record.processor
    memory = record.memory
    lease = entry.leaseMilliseconds
  }
}

public struct RoutersAnswer: Sendable, Codable {
  public var routers: [RouterView]
  /// Which of them answers.
  public var answering: Incarnation
  /// The registry does not answer, and others than the one that answers are not known; absent: it does.
  public var registry: RegistryGap?

  public init(routers: [RouterView], answering: Incarnation, registry: RegistryGap? = nil) {
    self.routers = routers
    self.answering = answering
    self.registry = registry
  }
}

/// A client's connection to a router.
public struct ClientView: Sendable, Equatable, Codable {
  /// Absent: it has yet to say HELLO.
  public var client: ClientID?
  /// The subject of its token; absent: authentication is off.
  public var subject: String?
  /// Its address.
  public var from: String
  public var router: NodeID
  /// Of the router.
  public var incarnation: Incarnation
  /// When it came, in milliseconds since 1970.
  public var since: UInt64
  public var sessions: [SessionID]
  public var streams: Int
  /// Frames, and bytes of terminals, that wait for it to read.
  public var waitingFrames: Int
  public var waitingBytes: Int

  public init(
    client: ClientID?, subject: String?, from: String, router: NodeID, incarnation: Incarnation,
    since: UInt64, sessions: [SessionID], streams: Int, waitingFrames: Int, waitingBytes: Int
  ) {
    self.client = client
    self.subject = subject
    self.from = from
    self.router = router
    self.incarnation = incarnation
    self.since = since
    self.sessions = sessions
    self.streams = streams
    self.waitingFrames = waitingFrames
    self.waitingBytes = waitingBytes
  }
}

public struct ClientsAnswer: Sendable, Codable {
  public var clients: [ClientView]
  public init(clients: [ClientView]) { self.clients = clients }
}

public struct KickAnswer: Sendable, Codable {
  /// Connections that were ended.
  public var kicked: Int
  public init(kicked: Int) { self.kicked = kicked }
}

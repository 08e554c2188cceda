// A router as it describes itself, for operators. Nothing is routed by it.

public import Wire

/// What a router says of itself.
public struct RouterRecord: Hashable, Sendable, Codable {
  /// Its name. Several routers of a machine may have the same: `incarnation` tells them apart.
  public var id: NodeID
  /// Of this start of it.
  public var incarnation: Incarnation
  /// Where this router itself is reached, without what is before it: `http://10.0.0.3:7070`.
  public var url: String
  public var version: String
  /// Milliseconds since 1970.
  public var started: UInt64
  /// Connections of clients.
  public var clients: Int
  /// Their streams, each of one session.
  public var streams: Int
  /// Sessions whose owner it remembers.
  public var routes: Int
  /// Event loops.
  public var loops: Int
  /// Processor time of its process since it wrote the last record, in percent of one core.
  public var processor: Double
  /// Bytes of its process in memory.
  public var memory: UInt64

  public init(
    id: NodeID, incarnation: Incarnation, url: String, version: String, started: UInt64,
    clients: Int = 0, streams: Int = 0, routes: Int = 0, loops: Int = 0, processor: Double = 0,
    memory: UInt64 = 0
  ) {
    self.id = id
    self.incarnation = incarnation
    self.url = url
    self.version = version
    self.started = started
    self.clients = clients
    self.streams = streams
    self.routes = routes
    self.loops = loops
    self.processor = processor
    self.memory = memory
  }
}

/// A router as the registry knows it.
public struct RouterEntry: Hashable, Sendable {
  public var record: RouterRecord
  /// Milliseconds until its record is no longer good; negative: since.
  public var leaseMilliseconds: Int

  public init(record: RouterRecord, leaseMilliseconds: Int) {
    self.record = record
    self.leaseMilliseconds = leaseMilliseconds
  }

  public var isLive: Bool { leaseMilliseconds > 0 }

  /// Which start of which router.
  struct Key: Hashable {
    var id: NodeID
    var incarnation: Incarnation

    init(id: NodeID, incarnation: Incarnation) {
      self.id = id
      self.incarnation = incarnation
    }

    init(_ record: RouterRecord) { self.init(id: record.id, incarnation: record.incarnation) }

    var text: String { "\(id) \(incarnation)" }
  }

  static func precedes(_ a: RouterEntry, _ b: RouterEntry) -> Bool {
    (a.record.id.rawValue, a.record.started) < (b.record.id.rawValue, b.record.started)
  }
}

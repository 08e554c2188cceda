// The JSON bodies of the frames that end a stream, or keep it from beginning.

/// ← OPEN failed; the stream is closed.
public struct Refused: Sendable, Equatable, Codable {
  /// An open set: a client treats an unknown code as final unless `retry` is there.
  public struct Code: RawRepresentable, Sendable, Hashable, Codable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The OPEN contradicts itself or a bound.
    public static let badRequest = Code(rawValue: "bad_request")
    /// No such session, and nothing to create.
    public static let notFound = Code(rawValue: "not_found")
    /// It was there; its process has ended (`status`) or it is another life's past.
    public static let gone = Code(rawValue: "gone")
    /// Its node died and its process with it.
    public static let lost = Code(rawValue: "lost")
    /// Links only: it is not this node's (any more).
    public static let notOwner = Code(rawValue: "not_owner")
    /// The command could not be started.
    public static let startFailed = Code(rawValue: "start_failed")
    /// No node fits, or all are full or draining.
    public static let noCapacity = Code(rawValue: "no_capacity")
    /// The registry or the owner cannot be reached just now.
    public static let unavailable = Code(rawValue: "unavailable")
    /// The client may not do this.
    public static let forbidden = Code(rawValue: "forbidden")
    /// The OPEN was to create a session that exists (`exclusive`); it is another in `differs`.
    public static let exists = Code(rawValue: "exists")
    /// The server does not know streams of this kind.
    public static let unknownKind = Code(rawValue: "unknown_kind")
    /// Too many streams on this connection or this session.
    public static let tooMany = Code(rawValue: "too_many")
  }
  public var code: Code
  public var message: String
  /// Milliseconds after which it is worth trying again; absent: it is final.
  public var retry: Int?
  public var status: ExitStatus?
  /// With `exists`.
  public var state: SessionState?
  public var differs: [String]?

  public init(
    _ code: Code, _ message: String, retry: Int? = nil, status: ExitStatus? = nil,
    state: SessionState? = nil, differs: [String]? = nil
  ) {
    self.code = code
    self.message = message.clipped(to: WireLimits.message)
    self.retry = retry
    self.status = status
    self.state = state
    self.differs = differs
  }

  public static func unknown(_ kind: StreamKind) -> Refused {
    Refused(
      .unknownKind,
      "no streams of kind \"\(kind.rawValue.clipped(to: WireLimits.quoted).escaped)\" here")
  }
}

/// ↔ Leaves the stream, not the session.
public struct Close: Sendable, Equatable, Codable {
  public struct Reason: Word {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
  }
  public var reason: Reason
  public init(_ reason: Reason) { self.reason = reason }
  private init(reason: String) { self.reason = Reason(rawValue: reason) }

  /// A newer stream of the same client took its place.
  public static let superseded = Close(reason: "superseded")
  /// The client leaves.
  public static let done = Close(reason: "done")
  /// Links only: the client's connection has ended.
  public static let disconnected = Close(reason: "disconnected")
  /// Input at an offset that leaves a gap.
  public static let inputGap = Close(reason: "input_gap")
  /// More than 64 KiB of input unacknowledged.
  public static let inputOverflow = Close(reason: "input_overflow")
  /// Input before the session answered.
  public static let inputBeforeOpened = Close(reason: "input_before_opened")
  /// An acknowledgement of what was never sent.
  public static let badAck = Close(reason: "bad_ack")
  /// A size outside 1x1 to 1000x1000.
  public static let badSize = Close(reason: "bad_size")
  /// The session ended long ago and is forgotten, and its client has not read to its end.
  public static let notRead = Close(reason: "not_read")
}

/// ← After the last output byte: the process has ended.
public struct Ended: Sendable, Equatable, Codable {
  public var reason: EndReason
  public var status: ExitStatus?
  public var message: String?
  public init(reason: EndReason, status: ExitStatus?, message: String? = nil) {
    self.reason = reason
    self.status = status
    self.message = message?.clipped(to: WireLimits.message)
  }
}

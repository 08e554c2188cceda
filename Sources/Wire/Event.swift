// EVENT: something that is worth showing. Nothing of a stream depends on one but `paused`.

/// ← As JSON it is an object: the kind under `event`, and beside it what goes with the kind.
public enum Event: Sendable, Equatable {
  public struct Viewer: Sendable, Equatable, Codable {
    public var client: ClientID
    public var mode: StreamMode
    /// Whom its token proves, for who may be told.
    public var sub: String?
    public init(client: ClientID, mode: StreamMode, sub: String? = nil) {
      self.client = client
      self.mode = mode
      self.sub = sub
    }
  }

  /// The link to the session's node is down; an OPENED or ENDED follows on the same stream.
  case paused
  /// Who is attached, and whose size the terminal has.
  case viewers([Viewer], sizeOwner: ClientID?)
  /// Another client's size is now the terminal's.
  case sizeOwner(ClientID?)
  /// The program named its window.
  case title(String)
  /// The terminal stands still, since what holds it does not answer the node; says why. Nil: it answers again.
  case stalled(String?)
  /// What the client asked for on this stream may not be done; the stream goes on.
  case refused(String)
  /// A kind that only a newer peer knows; what goes with it is dropped.
  case unknown(kind: String)
}

extension Event: Codable {
  private enum Kind: String {
    case paused, viewers, title, stalled, refused
    case sizeOwner = "size_owner"
  }
  private enum CodingKeys: String, CodingKey { case event, viewers, owner, title, message }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let name = try container.decode(String.self, forKey: .event)
    func text(_ key: CodingKeys) throws -> String {
      try container.decodeIfPresent(String.self, forKey: key) ?? ""
    }
    func owner() throws -> ClientID? {
      try container.decodeIfPresent(ClientID.self, forKey: .owner)
    }
    switch Kind(rawValue: name) {
    case .paused: self = .paused
    case .viewers:
      self = .viewers(
        try container.decodeIfPresent([Viewer].self, forKey: .viewers) ?? [],
        sizeOwner: try owner())
    case .sizeOwner: self = .sizeOwner(try owner())
    case .title: self = .title(try text(.title))
    case .stalled:
      self = .stalled(try container.decodeIfPresent(String.self, forKey: .message))
    case .refused: self = .refused(try text(.message))
    case nil: self = .unknown(kind: name)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(kind, forKey: .event)
    switch self {
    case .viewers(let viewers, let owner):
      try container.encode(viewers, forKey: .viewers)
      try container.encodeIfPresent(owner, forKey: .owner)
    case .sizeOwner(let owner): try container.encodeIfPresent(owner, forKey: .owner)
    case .title(let title): try container.encode(title, forKey: .title)
    case .stalled(let reason): try container.encodeIfPresent(reason, forKey: .message)
    case .refused(let message): try container.encode(message, forKey: .message)
    case .paused, .unknown: break
    }
  }

  private var kind: String {
    switch self {
    case .paused: Kind.paused.rawValue
    case .viewers: Kind.viewers.rawValue
    case .sizeOwner: Kind.sizeOwner.rawValue
    case .title: Kind.title.rawValue
    case .stalled: Kind.stalled.rawValue
    case .refused: Kind.refused.rawValue
    case .unknown(let kind): kind
    }
  }
}

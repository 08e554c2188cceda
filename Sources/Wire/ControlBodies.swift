// The JSON bodies of control frames between client and server. Unknown keys are ignored; absent
// ones take the default given here.

/// A body with offsets in it. They count bytes and travel as varints elsewhere, so that one beyond those is
/// a lie; refused where it comes in, it lets everyone behind add a length to an offset.
protocol OffsetBody {
  var offsets: [UInt64?] { get }
}

extension OffsetBody {
  var hasSoundOffsets: Bool { offsets.allSatisfy { ($0 ?? 0) <= Varint.maximum } }
}

/// → The first frame of a connection.
public struct Hello: Sendable, Equatable, Codable {
  /// Protocol versions the sender speaks; 1 is the only one.
  public var versions: [Int]
  /// Absent on links.
  public var client: ClientID?
  public var token: String?
  /// Links only: who calls, in which cluster.
  public var router: String?
  public var cluster: String?
  /// Links with a cluster key only: the router's nonce, and in its second HELLO its proof.
  public var nonce: String?
  public var proof: String?

  public init(
    versions: [Int] = [1], client: ClientID? = nil, token: String? = nil, router: String? = nil,
    cluster: String? = nil, nonce: String? = nil, proof: String? = nil
  ) {
    self.versions = versions
    self.client = client
    self.token = token
    self.router = router
    self.cluster = cluster
    self.nonce = nonce
    self.proof = proof
  }
}

/// ← The answer to HELLO.
public struct Welcome: Sendable, Equatable, Codable {
  public struct Limits: Sendable, Equatable, Codable {
    public var frameBody = WireLimits.frameBody
    public var inputInFlight = WireLimits.inputInFlight
    public var streams = WireLimits.streamsPerConnection
    public init() {}
  }
  public var version = 1
  /// Milliseconds since 1970, by the server's clock.
  public var time: UInt64
  public var limits = Limits()
  /// Links only: who answers.
  public var node: String?
  public var incarnation: Incarnation?
  /// Links with a cluster key only: the node's nonce, and its proof.
  public var nonce: String?
  public var proof: String?
  /// Links only: what the node obeys of the later keys of `create`; absent: nothing. It is not sent what it would pass
  /// over, to start something else than was asked for.
  public var creates: [CreateKey]?

  /// A key of `create` that nodes of the first build do not know, and without which a process must not start.
  public struct CreateKey: Word {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let user = CreateKey(rawValue: "user")
  }

  public static let laterKeys = [CreateKey.user]

  public init(
    time: UInt64, node: String? = nil, incarnation: Incarnation? = nil, nonce: String? = nil,
    proof: String? = nil
  ) {
    self.time = time
    self.node = node
    self.incarnation = incarnation
    self.nonce = nonce
    self.proof = proof
    creates = node == nil ? nil : Self.laterKeys
  }
}

/// ↔ A token in an open connection: ← the server asks for another one, or says until when the new one
/// is good; → the client's answer.
public struct Renewal: Sendable, Equatable, Codable {
  public var token: String?
  /// ← Milliseconds until the connection is closed unless a token comes.
  public var within: Int?
  /// ← The new token was taken, and is good until then: milliseconds since 1970.
  public var expires: UInt64?

  public init(token: String? = nil, within: Int? = nil, expires: UInt64? = nil) {
    self.token = token
    self.within = within
    self.expires = expires
  }
}

/// ← The server asks the client to leave and come back.
public struct GoAway: Sendable, Equatable, Codable {
  public var reason: String
  /// Milliseconds within which to reconnect, at a random moment of `spread` milliseconds.
  public var within: Int
  public var spread: Int
  public init(reason: String, within: Int, spread: Int) {
    self.reason = reason
    self.within = within
    self.spread = spread
  }
}

public enum StreamMode: String, Sendable, Codable {
  /// May type.
  case driver
  /// May only look.
  case watcher
}

/// Where a client left off.
public struct Resume: Sendable, Equatable, Codable {
  public var life: Life
  /// The next output offset it needs; absent: it has no screen (a reloaded page).
  public var next: UInt64?
  /// Its input is acknowledged up to here; absent: it does not remember.
  public var input: UInt64?
  public init(life: Life, next: UInt64? = nil, input: UInt64? = nil) {
    self.life = life
    self.next = next
    self.input = input
  }
}

/// Theme colours as `#rrggbb`, for the answers to colour queries. Also → the client's theme has changed.
public struct ThemeColors: Sendable, Equatable, Codable {
  public var foreground: String?
  public var background: String?
  public var cursor: String?
  public init(foreground: String? = nil, background: String? = nil, cursor: String? = nil) {
    self.foreground = foreground
    self.background = background
    self.cursor = cursor
  }

  /// Without what is no colour: this is kept, and sent on with an OPEN that may be full already.
  public var wellFormed: ThemeColors {
    func checked(_ text: String?) -> String? {
      guard let text, text.utf8.count == 7, text.utf8.first == UInt8(ascii: "#"),
        text.utf8.dropFirst().allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
      else { return nil }
      return text
    }
    return ThemeColors(
      foreground: checked(foreground), background: checked(background), cursor: checked(cursor))
  }
}

/// → Attach to a session, or create one.
public struct Open: Sendable, Equatable, Codable {
  public var kind: StreamKind
  /// Absent: a random one, which needs `create`.
  public var session: SessionID?
  /// What to start if the session does not exist. Not together with `resume`. Who takes it away, since the
  /// session is open by now, takes `exclusive` with it.
  public var create: Creation? {
    didSet { if create == nil { exclusive = nil } }
  }
  public var resume: Resume?
  public var size: TerminalSize
  public var mode: StreamMode
  public var colors: ThemeColors?
  /// Which of this client's OPENs of this session it is; only rises. An OPEN that comes late, from a
  /// connection that its client has given up, must not supersede a newer one.
  public var attempt: UInt64?
  /// With `create`: the session must not exist yet. Absent: one that does is attached to.
  public var exclusive: Bool?

  public init(
    kind: StreamKind = .terminal, session: SessionID?, create: Creation? = nil,
    resume: Resume? = nil, size: TerminalSize, mode: StreamMode = .driver,
    colors: ThemeColors? = nil, exclusive: Bool? = nil
  ) {
    self.kind = kind
    self.session = session
    self.create = create
    self.resume = resume
    self.size = size
    self.mode = mode
    self.colors = colors
    self.exclusive = exclusive
  }

  private enum CodingKeys: String, CodingKey {
    case kind, session, create, resume, size, mode, colors, attempt, exclusive
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let kind = try container.decodeIfPresent(StreamKind.self, forKey: .kind) ?? .terminal
    guard kind == .terminal else {
      // Its other keys are its own: it is refused for its kind, and not for what they hold.
      self = Open(kind: kind, session: nil, size: .standard)
      return
    }
    self.kind = kind
    session = try container.decodeIfPresent(SessionID.self, forKey: .session)
    create = try container.decodeIfPresent(Creation.self, forKey: .create)
    resume = try container.decodeIfPresent(Resume.self, forKey: .resume)
    size = try container.decodeIfPresent(TerminalSize.self, forKey: .size) ?? .standard
    mode = try container.decodeIfPresent(StreamMode.self, forKey: .mode) ?? .driver
    colors = try container.decodeIfPresent(ThemeColors.self, forKey: .colors)
    attempt = try container.decodeIfPresent(UInt64.self, forKey: .attempt)
    exclusive = try container.decodeIfPresent(Bool.self, forKey: .exclusive)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    if kind != .terminal { try container.encode(kind, forKey: .kind) }
    try container.encodeIfPresent(session, forKey: .session)
    try container.encodeIfPresent(create, forKey: .create)
    try container.encodeIfPresent(resume, forKey: .resume)
    try container.encode(size, forKey: .size)
    try container.encode(mode, forKey: .mode)
    try container.encodeIfPresent(colors, forKey: .colors)
    try container.encodeIfPresent(attempt, forKey: .attempt)
    try container.encodeIfPresent(exclusive, forKey: .exclusive)
  }

  /// What is wrong with it, for REFUSED `bad_request`; nil if nothing is.
  public var problem: String? {
    if !hasSoundOffsets { return "a number in it is over 2^62 - 1" }
    if !size.isValid { return "size \(size) is not within 1x1 and 1000x1000" }
    if create != nil && resume != nil { return "an OPEN that resumes never creates" }
    if session == nil && create == nil { return "an OPEN without session must say what to create" }
    guard let create else {
      return exclusive == true ? "\"exclusive\" goes with \"create\"" : nil
    }
    if create.command.count > WireLimits.commandWords {
      return "a command of \(create.command.count) words; at most \(WireLimits.commandWords)"
    }
    if create.environment.count > WireLimits.environmentVariables {
      return "\(create.environment.count) variables; at most \(WireLimits.environmentVariables)"
    }
    if let labels = create.labels {
      if labels.count > WireLimits.labels {
        return "\(labels.count) labels; at most \(WireLimits.labels)"
      }
      let isSound = labels.allSatisfy { key, value in
        (1...WireLimits.labelKey).contains(key.utf8.count)
          && value.utf8.count <= WireLimits.labelValue
          && (key + value).utf8.allSatisfy { (0x20...0x7E).contains($0) }
      }
      if !isSound {
        return
          "a label's key has 1 to \(WireLimits.labelKey) characters of ASCII, its value at most "
          + "\(WireLimits.labelValue)"
      }
    }
    if create.command.first == "" { return "the command is an empty string" }
    let strings =
      create.command + [create.workingDirectory ?? ""] + create.environment.flatMap { [$0, $1] }
    if strings.contains(where: { $0.utf8.contains(0) }) { return "a string contains a NUL byte" }
    if create.environment.keys.contains(where: { $0.isEmpty || $0.utf8.contains(0x3D) }) {
      return "a variable's name is empty or contains ="
    }
    // What has ended takes memory for as long as it is kept.
    switch create.keep {
    case .never?: return "\"keep\" is a time of at most 7d"
    case .seconds(let seconds)? where seconds > WireLimits.keep:
      return "\"keep\" is at most 7d, not \(Lifetime.seconds(seconds))"
    default: break
    }
    if create.idle == .seconds(0) || create.timeout == .seconds(0) {
      return "\"idle\" and \"timeout\" are a second at least"
    }
    return nil
  }
}

extension Open: OffsetBody {
  var offsets: [UInt64?] { [resume?.next, resume?.input, attempt] }
}

/// ← The answer to OPEN; again on the same stream after a link loss.
public struct Opened: Sendable, Equatable, Codable {
  public enum Resumed: String, Sendable, Codable {
    /// Output goes on at the offset asked for.
    case exact
    /// A SNAPSHOT follows.
    case snapshot
    /// The session was created by this OPEN; output begins at 0.
    case new
  }
  public var session: SessionID
  public var life: Life
  public var epoch: Epoch
  public var created: Bool
  public var resumed: Resumed
  /// Where output goes on: the offset of the next OUTPUT, or of the snapshot.
  public var output: UInt64
  /// This client's input was accepted up to here: what it has beyond, it sends (again) from here.
  public var input: UInt64
  /// True: the session no longer knows how much of this client's unacknowledged input arrived; it
  /// must be reported to the user, not resent.
  public var inDoubt: Bool?
  public var size: TerminalSize
  public var mode: StreamMode
  /// Whether KILL will be obeyed.
  public var mayKill: Bool?
  /// Its process runs, or has ended: then ENDED follows what is left of its output.
  public var state: SessionState?
  /// The OPEN said what to create, and the session, which existed, is another: in these keys of `create`,
  /// or its `owner`. Nil: nothing differs.
  public var differs: [String]?

  public init(
    session: SessionID, life: Life, epoch: Epoch, created: Bool, resumed: Resumed, output: UInt64,
    input: UInt64, inDoubt: Bool? = nil, size: TerminalSize, mode: StreamMode,
    mayKill: Bool? = nil, state: SessionState? = nil, differs: [String]? = nil
  ) {
    self.session = session
    self.life = life
    self.epoch = epoch
    self.created = created
    self.resumed = resumed
    self.output = output
    self.input = input
    self.inDoubt = inDoubt
    self.size = size
    self.mode = mode
    self.mayKill = mayKill
    self.state = state
    self.differs = differs
  }
}

extension Opened: OffsetBody {
  var offsets: [UInt64?] { [output, input] }
}

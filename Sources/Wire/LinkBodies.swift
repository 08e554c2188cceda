// The JSON bodies of frames that only links carry. Nothing a client writes is ever taken for the
// router's word: a router refuses these types from a client.

/// → OPEN in the router's envelope.
public struct LinkOpen: Sendable, Equatable, Codable {
  public var client: ClientID
  public var access: Access
  /// The client's address, for audit and `fairlead session`.
  public var from: String
  /// The node start that the router believes it talks to; the node checks (promise P4).
  public var incarnation: Incarnation?
  /// The epoch that the router believes the session to have.
  public var epoch: Epoch?
  /// When a stream is opened again after a link loss: body bytes that the router forwarded on it
  /// and that the client acknowledged, so that the credit goes on where it stood.
  public var sent: UInt64
  public var consumed: UInt64
  /// The router has sent this OPEN before and had no answer: a session that exists may be what came of it.
  public var again: Bool?
  public var open: Open

  public init(
    client: ClientID, access: Access, from: String, incarnation: Incarnation? = nil,
    epoch: Epoch? = nil, sent: UInt64 = 0, consumed: UInt64 = 0, again: Bool? = nil, open: Open
  ) {
    self.client = client
    self.access = access
    self.from = from
    self.incarnation = incarnation
    self.epoch = epoch
    self.sent = sent
    self.consumed = consumed
    self.again = again
    self.open = open
  }

  private enum CodingKeys: String, CodingKey {
    case client, access, from, incarnation, epoch, sent, consumed, again, open
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    client = try container.decode(ClientID.self, forKey: .client)
    access = try container.decode(Access.self, forKey: .access)
    from = try container.decode(String.self, forKey: .from)
    incarnation = try container.decodeIfPresent(Incarnation.self, forKey: .incarnation)
    epoch = try container.decodeIfPresent(Epoch.self, forKey: .epoch)
    sent = try container.decode(UInt64.self, forKey: .sent)
    consumed = try container.decode(UInt64.self, forKey: .consumed)
    again = try container.decodeIfPresent(Bool.self, forKey: .again)
    open = try container.decode(Open.self, forKey: .open)
    guard consumed <= sent, sent <= Varint.maximum else {
      throw DecodingError.dataCorruptedError(
        forKey: .consumed, in: container,
        debugDescription: "\(consumed) bytes of \(sent) cannot have been consumed")
    }
  }
}

/// What an operator sees of a session.
public struct SessionSummary: Sendable, Equatable, Codable {
  public var session: SessionID
  public var node: String
  public var life: Life
  public var epoch: Epoch
  public var target: String
  public var command: [String]
  /// Whom it was to run as; nil: that was left to its node or container.
  public var user: UserName?
  public var state: SessionState
  public var status: ExitStatus?
  /// Why and when it ended (milliseconds since 1970); nil: it has not.
  public var reason: EndReason?
  public var ended: UInt64?
  public var size: TerminalSize
  public var title: String?
  /// Milliseconds since 1970.
  public var created: UInt64
  /// Milliseconds since its last output or input, whoever looks at it.
  public var idle: UInt64
  /// Output and input bytes so far.
  public var output: UInt64
  public var input: UInt64
  /// The subject that created it; absent: nobody's.
  public var creator: String?
  /// What holds its terminal while nodes come and go; absent: nothing, and it ends with its node.
  public var holder: String?
  /// Why its terminal stands still now; absent: it does not, as far as its node knows.
  public var stalled: String?
  /// Who had it, until now, the last ones; absent in lists.
  public var history: [Tenure]?
  /// A few of those attached, who may type first.
  public var viewers: [Event.Viewer]

  private enum CodingKeys: String, CodingKey {
    case session, node, life, epoch, target, command, user, state, status, reason, ended, size
    case title, created, idle, output, input, holder, stalled, history, viewers
    case creator = "owner"
  }

  public init(
    session: SessionID, node: String, life: Life, epoch: Epoch, target: String,
    command: [String], user: UserName? = nil, state: SessionState, status: ExitStatus?,
    reason: EndReason? = nil, ended: UInt64? = nil, size: TerminalSize, title: String?,
    created: UInt64, idle: UInt64, output: UInt64, input: UInt64, creator: String? = nil,
    holder: String? = nil, stalled: String? = nil, history: [Tenure]? = nil,
    viewers: [Event.Viewer]
  ) {
    self.session = session
    self.node = node
    self.life = life
    self.epoch = epoch
    self.target = target
    self.command = command
    self.user = user
    self.state = state
    self.status = status
    self.reason = reason
    self.ended = ended
    self.size = size
    self.title = title
    self.created = created
    self.idle = idle
    self.output = output
    self.input = input
    self.creator = creator
    self.holder = holder
    self.stalled = stalled
    self.history = history
    self.viewers = viewers
  }
}

/// → A question of the HTTP API to one loop of a node.
public struct LinkRequest: Sendable, Equatable, Codable {
  public struct Method: Word {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// All sessions of this loop, or the one named.
    public static let sessions = Method(rawValue: "sessions")
    /// Ends the session named.
    public static let kill = Method(rawValue: "kill")
    /// The screen of the session named, as `format` says.
    public static let screen = Method(rawValue: "screen")
    /// The session named is owned by another node, under a larger `epoch`: this one ends it.
    public static let superseded = Method(rawValue: "superseded")
    /// The registry has no record of the session named: who has it says so there again, and here its `epoch`.
    public static let announce = Method(rawValue: "announce")
  }
  /// The asking end's number for it, of the link.
  public var id: UInt64
  public var method: Method
  public var session: SessionID?
  public var format: ScreenFormat?
  /// Lines of scrollback above the screen; absent: none.
  public var scrollback: UInt32?
  /// Instead of the screen, the last lines that hold something, so many.
  public var tail: UInt32?
  /// What the asker may do to the session named.
  public var access: Access?
  public var epoch: Epoch?
  public init(
    id: UInt64 = 0, method: Method, session: SessionID? = nil, format: ScreenFormat? = nil,
    scrollback: UInt32? = nil, tail: UInt32? = nil, access: Access? = nil, epoch: Epoch? = nil
  ) {
    self.id = id
    self.method = method
    self.session = session
    self.format = format
    self.scrollback = scrollback
    self.tail = tail
    self.access = access
    self.epoch = epoch
  }
}

/// ← Its answer, in one or more parts.
public struct LinkResponse: Sendable, Equatable, Codable {
  public struct Problem: Word {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// So many answers are under way that this one would wait for long.
    public static let busy = Problem(rawValue: "busy")
    public static let notFound = Problem(rawValue: "not_found")
    /// The asker may not do this to the session named.
    public static let forbidden = Problem(rawValue: "forbidden")
    /// The answer would be longer than a node makes one.
    public static let tooLarge = Problem(rawValue: "too_large")
    /// The method, or the format, is one that only newer nodes know.
    public static let unknown = Problem(rawValue: "unknown")
  }
  public var id: UInt64
  public var isLast: Bool
  public var sessions: [SessionSummary]?
  /// A piece of a text answer.
  public var text: String?
  /// Under which the session named is there; absent: it is not.
  public var epoch: Epoch?
  /// Why it is none.
  public var error: Problem?

  public init(
    id: UInt64, isLast: Bool, sessions: [SessionSummary]? = nil, text: String? = nil,
    epoch: Epoch? = nil, error: Problem? = nil
  ) {
    self.id = id
    self.isLast = isLast
    self.sessions = sessions
    self.text = text
    self.epoch = epoch
    self.error = error
  }
}

// The streams that are attached to a session: what the session knows of each, and the order in which they came.

import Wire

/// Which stream: the connection that it came by, and its number there. A session only compares these.
public struct StreamID: Hashable, Sendable {
  public var connection: UInt64
  public var number: UInt64

  public init(connection: UInt64, number: UInt64) {
    self.connection = connection
    self.number = number
  }
}

/// One client's attachment to one session.
struct SessionStream {
  let id: StreamID
  let identity: ClientIdentity
  let mode: StreamMode
  /// Which of the client's OPENs this is; nil: it does not count them.
  let attempt: UInt64?
  /// It may end the session: an `admin` may, and the session's creator if they may type.
  let mayKill: Bool
  /// It is told whom the other clients' tokens prove.
  let seesNames: Bool
  var wantedSize: TerminalSize
  var colors: ThemeColors?
  /// Where it stands in the output.
  var output: StreamState

  // What it has yet to be told. It is told at the stream's next turn, once, however much has changed by then: two
  // hundred viewers who come back at once are not two hundred events to each.

  /// How far its input was written to the pipe; nil: it has been told.
  var inputAcknowledgement: UInt64?
  /// How far it has been told.
  var acknowledgedInput: UInt64 = 0
  var news = News.none
  var isTitleDue = false

  /// What has changed among those who are attached. A later case includes the earlier ones.
  enum News: Int { case none, sizeOwner, viewers }

  init(_ id: StreamID, _ request: LinkOpen, rights: Rights, creator: String?, output: StreamState) {
    self.id = id
    identity = ClientIdentity(request)
    mode = rights >= .write ? request.open.mode : .watcher
    attempt = request.open.attempt
    mayKill = request.access.mayKill(creator: creator)
    seesNames = request.access.mayName(creator: creator)
    wantedSize = request.open.size
    colors = request.open.colors
    self.output = output
  }

  /// Whether its client sent this OPEN after the one that came now.
  func isNewer(than request: LinkOpen) -> Bool {
    guard let attempt, let theirs = request.open.attempt else { return false }
    return attempt > theirs
  }

  /// Notes how far its input was written.
  /// - Returns: whether it may wait for the echo before it is told: its client has most of its window left.
  mutating func noteWritten(upTo offset: UInt64) -> Bool {
    inputAcknowledgement = offset
    return offset - min(offset, acknowledgedInput) < UInt64(SessionLimits.acknowledgedAtOnce)
  }

  mutating func note(_ news: News) {
    if news.rawValue > self.news.rawValue { self.news = news }
  }
}

/// The streams of a session, in the order in which they came.
struct StreamTable {
  /// Apart from all else, so that a search among many viewers reads little memory.
  private var ids: [StreamID] = []
  /// They come and go by `append` and `remove` alone, and are changed in their places: an accessor of ours between would
  /// copy them where the compiler does not see through it. Their ids stay.
  var list: [SessionStream] = []

  var count: Int { ids.count }
  var isEmpty: Bool { ids.isEmpty }

  var indices: Range<Int> { list.indices }

  func index(of id: StreamID) -> Int? { ids.firstIndex(of: id) }

  mutating func append(_ stream: SessionStream) {
    ids.append(stream.id)
    list.append(stream)
  }

  mutating func remove(at index: Int) -> SessionStream {
    ids.remove(at: index)
    return list.remove(at: index)
  }
}

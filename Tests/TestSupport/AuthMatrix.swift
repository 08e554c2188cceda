// Who may do what to which session, as one table: the pure decision is tested against it, and so are
// real servers over HTTP and WebSocket.

public enum AuthMatrix {
  /// Whose the tokens are.
  public static let subject = "alice"

  public struct Session: Sendable {
    public var name: String
    public var creator: String?
  }

  /// Every kind of session that a rule can tell apart.
  public static let sessions: [Session] = [
    Session(name: "x-mine", creator: "alice"),
    Session(name: "x-bobs", creator: "bob"),
    Session(name: "p-mine", creator: "alice"),
    Session(name: "p-bobs", creator: "bob"),
    Session(name: "exact", creator: "bob"),
  ]

  public enum Operation: Character, Sendable, CaseIterable {
    case watch = "w"
    case drive = "d"
    case kill = "k"
    case create = "c"
  }

  public struct Kind: Sendable {
    public var name: String
    /// The claim `fl`.
    public var claim: String
    /// For each of ``sessions`` in turn, the letters of what is allowed.
    var allowed: [String]
    public var mayOperate = false

    init(_ name: String, _ claim: String, _ allowed: String, mayOperate: Bool = false) {
      self.name = name
      self.claim = claim
      self.allowed = allowed.split(separator: " ").map(String.init)
      self.mayOperate = mayOperate
    }

    public func allows(_ operation: Operation, _ session: Session) -> Bool {
      guard let index = AuthMatrix.sessions.firstIndex(where: { $0.name == session.name }),
        index < allowed.count
      else { return false }
      return allowed[index].contains(operation.rawValue)
    }
  }

  private static let any = #"{"targets":["*"],"commands":["*"]}"#

  ///                       x-mine x-bobs p-mine p-bobs exact
  public static let kinds: [Kind] = [
    Kind("nothing", "[]", "- - - - -"),
    Kind("no sessions", #"{"sessions":[],"rights":"admin","create":\#(any)}"#, "- - - - -"),
    Kind("read own", #"{"sessions":["@own"],"rights":"read"}"#, "w - w - -"),
    Kind("write own", #"{"sessions":["@own"],"rights":"write"}"#, "wdk - wdk - -"),
    Kind("admin own", #"{"sessions":["@own"],"rights":"admin"}"#, "wdk - wdk - -"),
    Kind("read prefix", #"{"sessions":["p-*"],"rights":"read"}"#, "- - w w -"),
    Kind("write prefix", #"{"sessions":["p-*"],"rights":"write"}"#, "- - wdk wd -"),
    Kind("admin prefix", #"{"sessions":["p-*"],"rights":"admin"}"#, "- - wdk wdk -"),
    Kind("read exact", #"{"sessions":["exact"],"rights":"read"}"#, "- - - - w"),
    Kind("write exact", #"{"sessions":["exact"],"rights":"write"}"#, "- - - - wd"),
    Kind("admin exact", #"{"sessions":["exact"],"rights":"admin"}"#, "- - - - wdk"),
    Kind("read all", #"{"sessions":["*"],"rights":"read"}"#, "w w w w w"),
    Kind("write all", #"{"sessions":["*"],"rights":"write"}"#, "wdk wd wdk wd wd"),
    Kind(
      "admin all", #"{"sessions":["*"],"rights":"admin"}"#, "wdk wdk wdk wdk wdk",
      mayOperate: true),
    Kind(
      "creates own", #"{"sessions":["@own"],"rights":"write","create":\#(any)}"#,
      "wdkc c wdkc c c"),
    Kind(
      "creates prefix", #"{"sessions":["p-*"],"rights":"write","create":\#(any)}"#,
      "- - wdkc wdc -"),
    Kind(
      "creates exact", #"{"sessions":["exact"],"rights":"write","create":\#(any)}"#,
      "- - - - wdc"),
    Kind(
      "may not create with read", #"{"sessions":["*"],"rights":"read","create":\#(any)}"#,
      "w w w w w"),
    Kind(
      "own and read all",
      #"[{"sessions":["@own"],"rights":"write","create":\#(any)},{"sessions":["*"],"rights":"read"}]"#,
      "wdkc wc wdkc wc wc"),
    Kind(
      "admin of own does not operate",
      #"{"sessions":["@own","p-*"],"rights":"admin","create":\#(any)}"#,
      "wdkc c wdkc wdkc c"),
    Kind(
      "everything", #"{"sessions":["*","@own"],"rights":"admin","create":\#(any)}"#,
      "wdkc wdkc wdkc wdkc wdkc", mayOperate: true),
  ]
}

// What a request must bring to become a WebSocket (RFC 6455, section 4.2.1): asked by the router before it
// upgrades one, and by the HTTP API when it says why one was not upgraded, so that both say the same.

/// Pure.
public struct UpgradeOffer: Sendable {
  public struct Obstacle: Sendable, Equatable {
    public var status: Int
    public var code: String
    public var message: String
  }

  public static let path = "/v1/connect"
  public static let subprotocol = "fairlead.v1"
  static let version = "13"

  /// Nil: nothing keeps it from being upgraded but who it is from.
  public let obstacle: Obstacle?

  /// - Parameter values: all values of a header, by its name in small letters.
  public init(values: (String) -> [String]) {
    obstacle = Self.find(values)
  }

  private static func find(_ values: (String) -> [String]) -> Obstacle? {
    func words(_ name: String) -> [Substring] {
      values(name).flatMap { $0.split(separator: ",") }.map(\.trimmed)
    }
    func has(_ word: String, in name: String) -> Bool {
      words(name).contains { $0.lowercased() == word }
    }
    var missing: [String] = []
    if !has("websocket", in: "upgrade") { missing.append("\"Upgrade: websocket\"") }
    if !has("upgrade", in: "connection") { missing.append("\"Connection: upgrade\"") }
    if values("sec-websocket-key").isEmpty { missing.append("Sec-WebSocket-Key") }
    guard missing.isEmpty else {
      return Obstacle(
        status: 426, code: "upgrade_required",
        message: "connect here by WebSocket with the subprotocol \(subprotocol): this request came "
          + "without \(missing.joined(separator: ", ")); a proxy before this server that does not pass "
          + "them on has to be told to")
    }
    guard values("sec-websocket-version") == [version] else {
      return Obstacle(
        status: 426, code: "upgrade_required", message: "Sec-WebSocket-Version must be \(version)")
    }
    guard values("sec-websocket-key").count == 1 else {
      return Obstacle(
        status: 400, code: "bad_request", message: "there must be one Sec-WebSocket-Key")
    }
    guard words("sec-websocket-protocol").contains(where: { $0 == subprotocol }) else {
      return Obstacle(
        status: 400, code: "bad_request", message: "offer the WebSocket subprotocol \(subprotocol)")
    }
    let hasBody =
      !values("transfer-encoding").isEmpty || values("content-length").contains { $0 != "0" }
    guard !hasBody else {
      return Obstacle(
        status: 400, code: "bad_request", message: "a request for a WebSocket has no body")
    }
    return nil
  }
}

extension Substring {
  fileprivate var trimmed: Substring {
    var text = drop { $0 == " " || $0 == "\t" }
    while text.last == " " || text.last == "\t" { text = text.dropLast() }
    return text
  }
}

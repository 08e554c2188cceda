// Where a Redis is, how its primary is found, and who logs in there. How that is written is in RedisURL.swift.

public import Transport

public struct RedisEndpoint: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// The primary is the one server.
    case one
    /// The servers are sentinels, which say where the primary of this name is.
    case sentinel(primary: String)
    /// The servers are some of a Cluster, which say who of them has the keys.
    case cluster
  }

  public var kind: Kind
  /// The Redis, or whom to ask for it; not empty.
  public var servers: [Address]
  public var user: String?
  public var password: String?
  public var database: Int
  /// TLS, towards Redis.
  public var isEncrypted: Bool
  /// Towards sentinels: they have users of their own, or none.
  public var sentinelUser: String?
  public var sentinelPassword: String?
  public var sentinelsAreEncrypted: Bool
  /// Whoever answers has to say that it is a primary.
  private(set) var hasToBePrimary = false

  /// Whether any of its connections has TLS.
  public var usesTLS: Bool { isEncrypted || sentinelsAreEncrypted }

  /// Whether another server may become the primary.
  var mayMove: Bool { kind != .one }

  public init(
    _ kind: Kind, at servers: [Address], user: String? = nil, password: String? = nil,
    database: Int = 0, isEncrypted: Bool = false
  ) {
    self.kind = kind
    self.servers = servers
    self.user = user
    self.password = password
    self.database = database
    self.isEncrypted = isEncrypted
    sentinelsAreEncrypted = false
  }

  // MARK: Its servers

  /// One server that was found to be the primary.
  func server(at address: Address) -> RedisEndpoint {
    var server = self
    server.kind = .one
    server.servers = [address]
    server.sentinelsAreEncrypted = false
    if case .sentinel = kind { server.hasToBePrimary = true }
    return server
  }

  /// One of its sentinels.
  func sentinel(at address: Address) -> RedisEndpoint {
    RedisEndpoint(
      .one, at: [address], user: sentinelUser, password: sentinelPassword,
      isEncrypted: sentinelsAreEncrypted)
  }

  /// What is said first on a connection. It ends with a question, so that a connection counts as made
  /// only once a Redis has answered on it, and a password that is missing is noticed at once.
  var greeting: [RedisCommand] {
    var commands: [RedisCommand] = []
    if let password {
      commands.append(RedisCommand(["AUTH"] + (user.map { [$0] } ?? []) + [password]))
    }
    if database != 0 { commands.append(RedisCommand(["SELECT", String(database)])) }
    commands.append(RedisCommand([hasToBePrimary ? "ROLE" : "PING"]))
    return commands
  }
}

// The options by which a node and a router find their cluster.

import ArgumentParser
import Logging
import Registry
import TLS
import Wire

struct ClusterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The cluster's Redis: redis://[user:password@]host:port/db, or redis+unix:///path; its sentinels: \
      redis+sentinel://host:port,…/name; or a Redis Cluster: redis+cluster://host:port,…; each with rediss… for TLS.
      """,
      valueName: "url"))
  var redis: String = fromEnvironment("REDIS", default: "redis://127.0.0.1:6379/0")

  @Option(help: "The cluster's name: the prefix of its keys, so that several can share a Redis.")
  var cluster: String = fromEnvironment("CLUSTER", default: "fl")

  @OptionGroup var password: RedisPasswordOptions
  @OptionGroup var tls: RedisTLSOptions

  func validate() throws {
    let allowed = cluster.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
    guard allowed, (1...32).contains(cluster.utf8.count) else {
      throw ValidationError("--cluster is 1 to 32 letters, digits, - or _")
    }
    try requireRedisURL(redis)
  }

  /// Nil if Redis is spoken to in plain text.
  func credentials(logger: Logger) throws -> TLSCredentials? {
    try tls.credentials(for: redis, logger: logger)
  }

  /// - Parameter keepTombstones: milliseconds; only a node leaves them.
  func registry(
    _ tls: TLSCredentials?, keepTombstones: Int = RegistryLimits.tombstone, logger: Logger
  ) throws -> any Registry {
    try openRegistry(
      try password.url(redis), cluster: cluster, tls: tls, keepTombstones: keepTombstones,
      logger: logger)
  }
}

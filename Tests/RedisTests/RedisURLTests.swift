// How a Redis is written: one, its sentinels, a Cluster, a Unix socket; and that no password is ever shown.

import Testing
import Transport
import Wire

@testable import Redis

@Suite struct RedisURLTests {
  @Test(
    "A password from elsewhere goes where the URL has none",
    arguments: [
      ("redis://h", "redis://:%61%40@h", nil), ("rediss://h:1/2", "rediss://:%61%40@h:1/2", nil),
      ("redis://user@h", "redis://user:%61%40@h", "user"),
      ("redis://user:@h", "redis://user:%61%40@h", "user"),
      ("redis://user:old@h", nil, nil),
    ] as [(String, String?, String?)])
  func passwordFromElsewhere(url: String, expected: String?, user: String?) throws {
    let result = RedisEndpoint.url(url, password: "a@")
    #expect(result == expected)
    guard let result else { return }
    let endpoint = try RedisEndpoint(result)
    #expect(
      endpoint.password == "a@" && endpoint.user == user
        && endpoint.servers.map(\.host) == ["h"])
  }

  @Test(
    arguments: [
      ("redis://h", "h", 6_379, nil, nil, 0), ("redis://h:1/2", "h", 1, nil, nil, 2),
      ("redis://:p@h/", "h", 6_379, nil, "p", 0),
      ("redis://u:p%40@[::1]:7/1", "::1", 7, "u", "p@", 1),
      ("redis://p@h", "h", 6_379, nil, "p", 0),
    ] as [(String, String, Int, String?, String?, Int)])
  func aURLIsReadAndItsPasswordNeverShown(
    _ url: String, host: String, port: Int, user: String?, password: String?, database: Int
  ) throws {
    let endpoint = try RedisEndpoint(url)
    #expect(endpoint.servers == [.tcp(host: host, port: port)] && endpoint.database == database)
    #expect(endpoint.user == user && endpoint.password == password)
    #expect(!endpoint.description.contains("p@"), "a password is never shown")
  }

  @Test(arguments: [
    "", "h:1", "http://h", "redis://", "redis://h:0", "redis://h:x", "redis://h/x",
    "redis://u:%4@h", "redis://[::1]x",
  ])
  func wrongURLsAreSaidToBe(_ url: String) {
    #expect(throws: RedisError.self) { try RedisEndpoint(url) }
  }

  @Test func sentinelsAndTheNameOfTheirPrimaryAreRead() throws {
    let endpoint = try RedisEndpoint(
      "redis+sentinel://u:p%40@a,b:2,[::1]:3/main/4?sentinel-user=s&sentinel-password=q%26")
    #expect(endpoint.kind == .sentinel(primary: "main"))
    #expect(
      endpoint.servers == [
        .tcp(host: "a", port: 26_379), .tcp(host: "b", port: 2), .tcp(host: "::1", port: 3),
      ])
    #expect(endpoint.user == "u" && endpoint.password == "p@" && endpoint.database == 4)
    #expect(endpoint.sentinelUser == "s" && endpoint.sentinelPassword == "q&")
    #expect(!endpoint.usesTLS)
    #expect(endpoint.description == "redis+sentinel://a:26379,b:2,[::1]:3/main/4")
    #expect(endpoint.greeting.map(\.name) == ["AUTH", "SELECT", "PING"])
    let found = endpoint.server(at: .tcp(host: "c", port: 5))
    #expect(found.greeting.map(\.name) == ["AUTH", "SELECT", "ROLE"], "it says what it is")
    #expect(found.description == "redis://c:5/4")
    #expect(
      endpoint.sentinel(at: .tcp(host: "a", port: 1)).greeting.map(\.name) == ["AUTH", "PING"])
  }

  @Test func sentinelsMayBeEncryptedOrNot() throws {
    let both = try RedisEndpoint("rediss+sentinel://a/main")
    #expect(both.isEncrypted && both.sentinelsAreEncrypted)
    let redis = try RedisEndpoint("rediss+sentinel://a/main?sentinel-tls=no")
    #expect(redis.isEncrypted && !redis.sentinelsAreEncrypted && redis.usesTLS)
    let sentinels = try RedisEndpoint("redis+sentinel://a/main?sentinel-tls=yes")
    #expect(!sentinels.isEncrypted && sentinels.sentinelsAreEncrypted && sentinels.usesTLS)
    #expect(sentinels.sentinel(at: .tcp(host: "a", port: 1)).isEncrypted)
    #expect(!sentinels.server(at: .tcp(host: "a", port: 1)).isEncrypted)
  }

  @Test func aClusterAndASocketAreRead() throws {
    let cluster = try RedisEndpoint("rediss+cluster://:p@a:1,b")
    #expect(cluster.kind == .cluster && cluster.isEncrypted && cluster.password == "p")
    #expect(cluster.servers == [.tcp(host: "a", port: 1), .tcp(host: "b", port: 6_379)])
    #expect(cluster.description == "rediss+cluster://a:1,b:6379")
    for url in ["unix:///run/redis%20a.sock?db=3", "redis+unix://u:p@/run/redis%20a.sock?db=3"] {
      let socket = try RedisEndpoint(url)
      #expect(socket.kind == .one && socket.servers == [.unix(path: "/run/redis a.sock")])
      #expect(socket.database == 3 && socket.description == "redis+unix:///run/redis a.sock?db=3")
    }
  }

  @Test func aPasswordOfSentinelsComesFromElsewhere() throws {
    let url = try #require(
      RedisEndpoint.url("redis+sentinel://a/main", sentinelPassword: "q&"))
    #expect(try RedisEndpoint(url).sentinelPassword == "q&")
    let second = try #require(
      RedisEndpoint.url("redis+sentinel://a/main?sentinel-user=s", sentinelPassword: "q"))
    #expect(try RedisEndpoint(second).sentinelPassword == "q")
    #expect(try RedisEndpoint(second).sentinelUser == "s")
    #expect(RedisEndpoint.url(url, sentinelPassword: "x") == nil, "it has one")
    #expect(RedisEndpoint.url("redis://a", sentinelPassword: "x") == nil, "it has no sentinels")
    #expect(
      try RedisEndpoint(#require(RedisEndpoint.url(url, password: "/"))).password == "/")
  }

  @Test(arguments: [
    "redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel:///main",
    "redis+sentinel://a,/main",
    "redis+sentinel://a/main/x", "redis+sentinel://a/main/0/1", "redis+sentinel://a/main?x=1",
    "redis+sentinel://a/main?sentinel-tls=maybe", "redis+sentinel://a/ma%20in",
    "redis+cluster://a/1", "redis+cluster://a,b,", "redis://a,b", "redis://a/0?db=1", "unix://",
    "redis+unix://host/run/a.sock", "unix:///run/a.sock?db=x",
    "redis+cluster://" + Array(repeating: "a", count: 17).joined(separator: ","),
  ])
  func whatIsNoSuchURLIsSaidToBe(_ url: String) {
    let error = #expect(throws: RedisError.self) { try RedisEndpoint(url) }
    #expect(error?.code == .misconfigured && error?.message.contains("redis+sentinel://") == true)
  }
}

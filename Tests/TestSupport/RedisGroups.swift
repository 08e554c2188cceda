// Redis as operators run it, of one test's own: a primary and a replica that sentinels watch, and a Cluster of three
// primaries with a replica each. Real processes, on ports and in a folder of their own.

import Foundation

/// Asks a Redis by `redis-cli`.
public func redisCLI(_ port: Int, _ words: [String], _ options: [String] = []) async throws
  -> String
{
  let process = try ChildProcess(
    "/usr/bin/redis-cli", ["-h", "127.0.0.1", "-p", String(port)] + options + words)
  try await process.waitForExit()
  return process.output.trimmingCharacters(in: .whitespacesAndNewlines)
}

private let quick = [
  "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5",
]

/// A primary and a replica, and three sentinels, which know it as `main`.
public struct SentinelRedis: Sendable {
  public var servers: [RedisServer]
  public var sentinels: [RedisServer]
  private let folder: TemporaryFolder
  private let asking: [String]

  /// The URL for one that needs no password.
  public var url: String { url(login: "") }

  /// - Parameters:
  ///   - login: of Redis, as `user:password@`.
  ///   - query: what follows the URL.
  public func url(login: String, query: String = "") -> String {
    let hosts = sentinels.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
    let scheme = servers.first?.url.hasPrefix("rediss") == true ? "rediss" : "redis"
    return "\(scheme)+sentinel://\(login)\(hosts)/main/0\(query)"
  }

  /// - Parameters:
  ///   - password: of Redis's user `default`.
  ///   - sentinelPassword: of the sentinels.
  public static func start(
    certificates: ClusterCertificates? = nil, password: String? = nil,
    sentinelPassword: String? = nil, _ more: [String] = []
  ) async throws -> SentinelRedis {
    let folder = try TemporaryFolder()
    let login = password.map { ["--requirepass", $0, "--masterauth", $0] } ?? []
    let common = quick + login + more + (certificates == nil ? [] : ["--tls-replication", "yes"])
    let primary = try await RedisServer.start(certificates: certificates, common)
    let replica = try await RedisServer.start(
      certificates: certificates, ["--replicaof", "127.0.0.1 \(primary.port)"] + common)
    var group = SentinelRedis(
      servers: [primary, replica], sentinels: [], folder: folder,
      asking: (sentinelPassword.map { ["-a", $0, "--no-auth-warning"] } ?? [])
        + (certificates?.redisCLI ?? []))
    for number in 0..<3 {
      let port = try freePort()
      let file = "\(folder.path)/sentinel-\(number).conf"
      let lines =
        [
          "sentinel monitor main 127.0.0.1 \(primary.port) 2",
          "sentinel down-after-milliseconds main 3000", "sentinel failover-timeout main 6000",
        ] + (password.map { ["sentinel auth-pass main \($0)"] } ?? [])
        + (sentinelPassword.map { ["requirepass \($0)", "sentinel sentinel-pass \($0)"] } ?? [])
      try (lines.joined(separator: "\n") + "\n").write(
        toFile: file, atomically: true, encoding: .utf8)
      group.sentinels.append(
        try await RedisServer.startSentinel(
          file, port: port, in: folder, certificates: certificates))
    }
    try await eventually("the sentinels know each other and the replica") {
      for sentinel in group.sentinels {
        let text = try await redisCLI(sentinel.port, ["SENTINEL", "MASTER", "main"], group.asking)
        let words = text.split(separator: "\n").map(String.init)
        func value(_ name: String) -> String? {
          words.firstIndex(of: name).map { words[$0 + 1] }
        }
        guard value("num-slaves") == "1", value("num-other-sentinels") == "2" else { return false }
      }
      return true
    }
    try await eventually("the replica has all that the primary has") {
      try await redisCLI(
        replica.port, ["INFO", "replication"],
        (password.map { ["-a", $0, "--no-auth-warning"] } ?? []) + (certificates?.redisCLI ?? [])
      ).contains("master_link_status:up")
    }
    return group
  }

  /// The port of the primary, as the first sentinel that runs says.
  public func primary() async throws -> Int {
    for sentinel in sentinels where sentinel.process.isRunning {
      let text = try await redisCLI(
        sentinel.port, ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"], asking)
      if let port = text.split(separator: "\n").last.flatMap({ Int($0) }) { return port }
    }
    throw ChildError("no sentinel knows the primary")
  }

  /// An operator's own failover, in order.
  public func failOver() async throws {
    let before = try await primary()
    try await eventually("the replica is good enough") {
      try await redisCLI(sentinels[0].port, ["SENTINEL", "FAILOVER", "main"], asking) == "OK"
    }
    try await eventually("another one is the primary") { try await primary() != before }
  }
}

/// Three primaries with a replica each; the first three of `servers` begin as primaries.
public struct ClusterRedis: Sendable {
  public var servers: [RedisServer]
  private let folder: TemporaryFolder
  private let asking: [String]

  public var url: String { url(login: "") }

  /// - Parameter login: of Redis, as `user:password@`.
  public func url(login: String) -> String {
    let hosts = servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
    let scheme = servers.first?.url.hasPrefix("rediss") == true ? "rediss" : "redis"
    return "\(scheme)+cluster://\(login)\(hosts)"
  }

  public static func start(
    certificates: ClusterCertificates? = nil, _ more: [String] = []
  ) async throws -> ClusterRedis {
    let folder = try TemporaryFolder()
    var servers: [RedisServer] = []
    var buses: [Int] = []
    for number in 0..<6 {
      buses.append(try freePort())
      servers.append(
        try await RedisServer.start(
          certificates: certificates,
          quick + more + [
            "--dir", folder.path, "--cluster-enabled", "yes", "--cluster-node-timeout", "3000",
            "--cluster-port", String(buses[number]), "--cluster-config-file",
            "nodes-\(number).conf", "--dbfilename", "\(number).rdb",
          ] + (certificates == nil ? [] : ["--tls-cluster", "yes", "--tls-replication", "yes"])))
    }
    let cluster = ClusterRedis(
      servers: servers, folder: folder, asking: certificates?.redisCLI ?? [])
    for (number, range) in ["0 5460", "5461 10922", "10923 16383"].enumerated() {
      let ends = range.split(separator: " ").map(String.init)
      try await cluster.tell(number, ["ADDSLOTSRANGE"] + ends)
    }
    for number in 1..<6 {
      try await cluster.tell(
        0, ["MEET", "127.0.0.1", String(servers[number].port), String(buses[number])])
    }
    for number in 3..<6 {
      let primary = try await cluster.id(of: number - 3)
      try await eventually("it follows its primary") {
        try await cluster.ask(number, ["REPLICATE", primary]) == "OK"
      }
    }
    try await eventually("the Cluster is whole") {
      for number in 0..<6 {
        let info = try await cluster.ask(number, ["INFO"])
        let nodes = try await cluster.ask(number, ["NODES"])
        guard info.contains("cluster_state:ok"), info.contains("cluster_known_nodes:6"),
          nodes.split(separator: "\n").count(where: { $0.contains("slave") }) == 3
        else { return false }
      }
      return true
    }
    try await eventually("the replicas are up to date") {
      for number in 3..<6 {
        let info = try await redisCLI(
          servers[number].port, ["INFO", "replication"], cluster.asking)
        guard info.contains("master_link_status:up") else { return false }
      }
      return true
    }
    return cluster
  }

  public func ask(_ number: Int, _ words: [String]) async throws -> String {
    try await redisCLI(servers[number].port, ["CLUSTER"] + words, asking)
  }

  private func tell(_ number: Int, _ words: [String]) async throws {
    let answer = try await ask(number, words)
    guard answer == "OK" else { throw ChildError("\(words): \(answer)") }
  }

  public func id(of number: Int) async throws -> String { try await ask(number, ["MYID"]) }

  /// Which of the servers has the slot, as the one that is asked believes.
  public func owner(of slot: Int, askedAt asked: Int = 0) async throws -> Int? {
    let port = try await ask(asked, ["NODES"]).split(separator: "\n").compactMap { line -> Int? in
      let words = line.split(separator: " ")
      guard words.count > 8, words[2].contains("master"), !words[2].contains("fail") else {
        return nil
      }
      let has = words[8...].contains { range in
        let ends = range.split(separator: "-").compactMap { Int($0) }
        return ends.first.map { $0 <= slot && slot <= ends.last ?? $0 } ?? false
      }
      let address = words[1].prefix { $0 != "@" }
      return has ? address.split(separator: ":").last.flatMap { Int($0) } : nil
    }.first
    return servers.firstIndex { $0.port == port }
  }

  public func slot(of key: String) async throws -> Int {
    Int(try await ask(0, ["KEYSLOT", key])) ?? -1
  }

  /// Begins to move a slot: what is not there any more is asked for at its new server.
  public func beginToMove(_ slot: Int, from: Int, to: Int) async throws {
    try await tell(to, ["SETSLOT", String(slot), "IMPORTING", try await id(of: from)])
    try await tell(from, ["SETSLOT", String(slot), "MIGRATING", try await id(of: to)])
  }

  /// Moves all its keys.
  public func moveKeys(of slot: Int, from: Int, to: Int) async throws {
    while true {
      let keys = try await ask(from, ["GETKEYSINSLOT", String(slot), "100"])
        .split(separator: "\n").map(String.init)
      if keys.isEmpty { return }
      let answer = try await redisCLI(
        servers[from].port,
        ["MIGRATE", "127.0.0.1", String(servers[to].port), "", "0", "5000", "KEYS"] + keys,
        asking)
      guard answer == "OK" || answer == "NOKEY" else { throw ChildError("MIGRATE: \(answer)") }
    }
  }

  /// All know that the slot has moved.
  public func endMove(of slot: Int, to: Int, among primaries: [Int] = [0, 1, 2]) async throws {
    let id = try await id(of: to)
    for number in [to] + primaries.filter({ $0 != to }) {
      try await tell(number, ["SETSLOT", String(slot), "NODE", id])
    }
  }
}

// A real server with keys of its own, and how the tests ask it: HTTP and WebSocket by hand.

import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

@testable import Auth

/// A folder that goes away with its owner.
final class Folder: Sendable {
  let path: String
  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/fairlead-auth-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String) throws -> String {
    let file = path + "/" + name
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    return file
  }

  func read(_ name: String) -> String {
    (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)) ?? ""
  }
}

struct Answer {
  var status: Int
  var headers: [String: String]
  var body: String
}

/// One request on a connection of its own.
func ask(
  _ method: String, _ path: String, port: Int, token: String? = nil, headers: [String] = [],
  body: String? = nil, type: String = "application/json", before: String = ""
) async throws -> Answer {
  let client = try await RawClient.connect(port: port)
  var lines = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close"]
  if let token { lines.append("Authorization: Bearer \(token)") }
  if let body {
    lines += ["Content-Type: \(type)", "Content-Length: \(body.utf8.count)"]
  }
  client.send(before + (lines + headers).joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
  try await eventually("an answer to \(method) \(path)") { client.isClosed }
  let parts = String(buffer: client.received).split(
    separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
  let head = parts.first?.split(separator: "\r\n") ?? []
  var fields: [String: String] = [:]
  for line in head.dropFirst() {
    let pair = line.split(separator: ":", maxSplits: 1)
    if pair.count == 2 { fields[pair[0].lowercased()] = String(pair[1].drop { $0 == " " }) }
  }
  return Answer(
    status: head.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0,
    headers: fields, body: parts.count == 2 ? String(parts[1]) : "")
}

/// Upgrades with more headers, and says HELLO with a token.
func greet(
  port: Int, token: String? = nil, headers: [String] = [], as id: ClientID = .random()
) async throws -> RawClient {
  let client = try await RawClient.connect(port: port)
  let request = RawClient.upgradeRequest.replacing(
    "Host: localhost", with: (["Host: 127.0.0.1:\(port)"] + headers).joined(separator: "\r\n"))
  client.send(request)
  try await eventually("the upgrade") { client.headers?.contains(" 101 ") == true }
  client.send(.hello(Hello(client: id, token: token)), stream: 0)
  return client
}

/// The close code and reason.
func closing(_ client: RawClient) async throws -> (code: UInt16, reason: String) {
  try await eventually("the server closes") { client.closing != nil }
  return try #require(client.closing)
}

/// What takes tokens of the sample secret: `fairlead serve`, or a router with a node behind it. With a
/// home and an audit log of its own.
struct Server {
  enum Shape: CaseIterable { case serve, cluster }

  var folder: Folder
  var process: ChildProcess
  var port: Int
  /// What it printed when it was ready.
  var line: String
  /// The node and the Redis, of a cluster.
  var node: TestNode?
  var redis: RedisServer?
  var environment: [String: String] { Self.environment(folder) }

  private static func environment(_ folder: Folder) -> [String: String] {
    ["XDG_RUNTIME_DIR": folder.path, "HOME": folder.path]
  }

  static func start(_ more: [String] = [], keys: String? = Sample.secret) async throws -> Server {
    try await start(["serve"] + more, in: try Folder(), keys: keys)
  }

  static func start(_ shape: Shape) async throws -> Server {
    if shape == .serve { return try await start() }
    let folder = try Folder()
    let redis = try await RedisServer.start()
    let key = ["--cluster-key-file", try folder.write("cluster.key", Sample.secret + "-cluster")]
    let node = try await TestNode.start("a", redis: redis.url, key)
    var server = try await start(
      ["router", "--id", "r", "--redis", redis.url] + key, in: folder, keys: Sample.secret)
    server.node = node
    server.redis = redis
    return server
  }

  private static func start(_ command: [String], in folder: Folder, keys: String?) async throws
    -> Server
  {
    var arguments =
      command + ["--listen", "127.0.0.1:0", "--audit-log", folder.path + "/audit.log"]
    if let keys { arguments += ["--token-key", try folder.write("tokens.key", keys)] }
    let process = try Fairlead.start(arguments, environment: environment(folder))
    let line = try await process.line(with: "serves on")
    return Server(
      folder: folder, process: process, port: try TestSupport.port(in: line), line: line)
  }

  var ticket: String { String(line.split(separator: "ticket=").last ?? "") }

  func run(_ arguments: String...) async throws -> (code: Int, output: String) {
    try await Fairlead.run(arguments, environment: environment)
  }

  /// Events of the audit log so far.
  var audit: [AuditEvent] {
    folder.read("audit.log").split(separator: "\n").compactMap {
      try? JSONDecoder().decode(AuditEvent.self, from: Data($0.utf8))
    }
  }
}

/// A token of the sample secret.
func token(
  _ subject: String, _ claim: String, life: Double = 600, secret: String = Sample.secret,
  audience: String = "fairlead"
) async throws -> String {
  let key = try await KeySet.key(secret: Array(secret.utf8), name: "test")
  return try TokenSigner(key: key).sign(
    Claims(
      sub: subject, aud: [audience], exp: WallClock.seconds + life, fl: try Grants(json: claim)))
}

let allRights =
  #"{"sessions":["*","@own"],"rights":"admin","create":{"targets":["*"],"commands":["*"]}}"#

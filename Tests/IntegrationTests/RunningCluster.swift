// A cluster for one test, and what reads a terminal with a judge's eyes.

import Admin
import Client
import Foundation
import NIOCore
import TestSupport
import Testing
import Wire

struct RunningCluster {
  var server: RedisServer
  var redis: String
  var routers: [TestRouter]
  var nodes: [TestNode]
  var haproxy: TestHAProxy
  var admin: AdminClient
  var url: String { haproxy.url }

  static func start(routers: Int, nodes: [String], _ options: [String] = []) async throws
    -> RunningCluster
  {
    let server = try await RedisServer.start()
    let redis = server.url
    var running: [TestNode] = []
    for node in nodes { running.append(try await TestNode.start(node, redis: redis, options)) }
    var fronts: [TestRouter] = []
    for number in 0..<routers {
      fronts.append(try await TestRouter.start("r\(number)", redis: redis))
    }
    let haproxy = try await TestHAProxy.start(before: fronts)
    return RunningCluster(
      server: server, redis: redis, routers: fronts, nodes: running, haproxy: haproxy,
      admin: AdminClient(host: "127.0.0.1", port: haproxy.port))
  }
}

/// Reads a terminal's output and checks that offsets have no gap and no overlap.
struct ExactReader {
  private var events: TerminalEvents.AsyncIterator
  private var next: UInt64?
  private var pending = ""
  private(set) var opened: [Opened] = []
  private(set) var ended: Ended?
  private var refused: Refused?

  /// How a stream ends.
  enum End {
    case ended(Ended)
    case refused(Refused)
    case closed
  }

  init(_ terminal: TerminalStream) { events = terminal.events.makeAsyncIterator() }

  /// Takes one event; false after the last.
  private mutating func advance() async throws -> Bool {
    guard let event = await events.next() else { return false }
    switch event {
    case .output(let offset, let bytes):
      if let next, next != offset {
        throw ChildError("output went on at \(offset) instead of \(next)")
      }
      next = offset + UInt64(bytes.readableBytes)
      pending += String(buffer: bytes)
    case .snapshot(let offset, _, let bytes):
      next = offset
      pending += String(buffer: bytes)
    case .opened(let answer): opened.append(answer)
    case .ended(let end): ended = end
    case .refused(let refusal):
      refused = refusal
      throw ChildError("refused: \(refusal)")
    case .closed(let reason): throw ChildError("closed: \(reason)")
    case .inDoubt: throw ChildError("input is in doubt")
    case .state, .resized, .event: break
    }
    return true
  }

  mutating func read(upTo mark: String) async throws {
    while true {
      if let range = pending.firstRange(of: mark) {
        pending.removeSubrange(..<range.upperBound)
        return
      }
      guard try await advance() else { throw ChildError("ended before \(mark): \(pending)") }
    }
  }

  mutating func read(exactly expected: String) async throws {
    while pending.utf8.count < expected.utf8.count {
      guard pending.isEmpty || expected.hasPrefix(pending) else { break }
      guard try await advance() else { break }
    }
    guard pending.hasPrefix(expected) else {
      let common = zip(pending, expected).prefix { $0 == $1 }.count
      throw ChildError(
        "output differs after \(common) characters: got \(pending.dropFirst(common).prefix(80)), "
          + "expected \(expected.dropFirst(common).prefix(80))")
    }
    pending.removeFirst(expected.count)
  }

  mutating func readToEnd() async throws {
    while try await advance() {}
  }

  /// Reads to the end, whichever it is.
  mutating func end() async throws -> End {
    do {
      while try await advance() {}
    } catch {
      guard let refused else { throw error }
      return .refused(refused)
    }
    return ended.map(End.ended) ?? .closed
  }
}

// A cluster for one test, and what reads a terminal with a judge's eyes.

import APIClient
import Client
import Foundation
import NIOCore
import TLS
import TestSupport
import Testing
import Wire

struct RunningCluster {
  var server: RedisServer
  var routers: [TestRouter]
  var nodes: [TestNode]
  var haproxy: TestHAProxy
  private var certificates: ClusterCertificates?

  /// HAProxy, where clients come in.
  var front: Front { Front(haproxy.url, certificates) }
  var admin: APIClient { get throws { try front.admin } }

  /// Straight to one of the routers.
  func front(of router: Int) -> Front { Front(routers[router].url, certificates) }

  static func start(_ transport: Transport, routers: Int, nodes: [String]) async throws
    -> RunningCluster
  {
    let certificates = transport.isEncrypted ? try await ClusterCertificates() : nil
    let server = try await RedisServer.start(certificates: certificates)
    var running: [TestNode] = []
    for node in nodes {
      running.append(
        try await TestNode.start(node, redis: server.url, certificates: certificates))
    }
    var fronts: [TestRouter] = []
    for number in 0..<routers {
      fronts.append(
        try await TestRouter.start("r\(number)", redis: server.url, certificates: certificates))
    }
    let haproxy = try await TestHAProxy.start(
      before: fronts, transport, certificates: certificates)
    return RunningCluster(
      server: server, routers: fronts, nodes: running, haproxy: haproxy,
      certificates: certificates)
  }

  /// Another node.
  func join(_ node: String) async throws -> TestNode {
    try await TestNode.start(node, redis: server.url, certificates: certificates)
  }
}

/// Where clients come in, and whom they trust there.
struct Front: Sendable {
  var url: String
  private var certificates: ClusterCertificates?

  init(_ url: String, _ certificates: ClusterCertificates?) {
    self.url = url
    self.certificates = certificates
  }

  private var tls: TLSContext? {
    get throws {
      try certificates.map { try TLSContext(.client(trust: .authorities($0.ca), protocols: [])) }
    }
  }

  var client: TerminalClient { get throws { try TerminalClient(url: url, tls: tls) } }

  var admin: APIClient {
    get throws {
      let endpoint = try Endpoint(url)
      return APIClient(host: endpoint.host, port: endpoint.port, tls: try tls)
    }
  }

  /// Options of a command that asks here.
  var options: [String] { ["--api", url] + (certificates.map { ["--ca", $0.ca] } ?? []) }

  func isReady() async -> Bool { await answers(url + "/readyz", ca: certificates?.ca) }
}

/// Reads a terminal's output and checks that offsets have no gap and no overlap.
struct ExactReader {
  private var events: TerminalEvents.AsyncIterator
  private var next: UInt64?
  private var pending = ""
  /// The end of `pending` is a snapshot's, which shows a whole screen and is no output.
  private var endsInSnapshot = false
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
      endsInSnapshot = false
    case .snapshot(let offset, _, let bytes):
      next = offset
      pending += String(buffer: bytes)
      endsInSnapshot = true
    case .opened(let answer): opened.append(answer)
    case .ended(let end): ended = end
    case .refused(let refusal):
      refused = refusal
      throw ChildError("refused: \(refusal)")
    case .closed(let reason): throw ChildError("closed: \(reason)")
    case .inDoubt: throw ChildError("input is in doubt")
    case .notTyped: throw ChildError("input was dropped")
    case .state, .lost, .resized, .event: break
    }
    return true
  }

  /// Empty rows and settings: a client whose connection was lost before it heard of its first OPENED finds the
  /// session there, and is shown its screen.
  private func isBlank(_ text: String) -> Bool {
    text.replacing(/\u{1B}(?:\][^\u{1B}]*\u{1B}\\|\[[0-9;?]*[A-Za-z])/, with: "")
      .allSatisfy(\.isWhitespace)
  }

  mutating func read(upTo mark: String) async throws {
    while true {
      if let range = pending.firstRange(of: mark) {
        pending.removeSubrange(..<range.upperBound)
        if endsInSnapshot, isBlank(pending) { pending = "" }
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

// How bytes get from here to there: where, over what, why not, and when again (promise P10).

import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Transport

@Suite(.timeLimit(.minutes(patience))) struct ConnectorTests {
  private let group = MultiThreadedEventLoopGroup.singleton

  private func listen(_ address: Address) async throws -> any Channel {
    let bootstrap = ServerBootstrap(group: group)
    switch address {
    case .tcp(let host, let port): return try await bootstrap.bind(host: host, port: port).get()
    case .unix(let path): return try await bootstrap.bind(unixDomainSocketPath: path).get()
    }
  }

  @Test func oneSpellingReachesTCPAndUnixSockets() async throws {
    let path = "/tmp/fairlead-\(UInt64.random(in: 0 ... .max)).sock"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for place in [Address.tcp(host: "127.0.0.1", port: 0), .unix(path: path)] {
      let listener = try await listen(place)
      let there = place.host.map { Address.tcp(host: $0, port: listener.localAddress?.port ?? 0) }
      let channel = try await Connector(there ?? place).connect(
        on: group.next(), within: .seconds(5 * Int64(patience))
      ) { $0 }.get()
      #expect(channel.isActive)
      try await channel.close()
      try await listener.close()
    }
  }

  /// A name may have several addresses, of which the first does not answer: each is tried with handlers of its own.
  @Test func whatIsGivenBelongsToTheChannelThatIsConnected() async throws {
    let listener = try await listen(.tcp(host: "127.0.0.1", port: 0))
    let port = listener.localAddress?.port ?? 0
    let eventLoop = group.next()
    let (given, isActive) = try await Connector(.tcp(host: "localhost", port: port)).connect(
      on: eventLoop, within: .seconds(5 * Int64(patience))
    ) { $0 }.map { ($0, $0.isActive) }.get()
    #expect(isActive)
    #expect(given.remoteAddress?.port == port)
    try await given.close()
    try await listener.close()
  }

  @Test func whyNotIsToldInAnOperatorsWords() async throws {
    let listener = try await listen(.tcp(host: "127.0.0.1", port: 0))
    let port = listener.localAddress?.port ?? 0
    try await listener.close()
    let error = await #expect(throws: (any Error).self) {
      try await Connector(.tcp(host: "127.0.0.1", port: port)).connect(
        on: group.next(), within: .seconds(5 * Int64(patience))
      ) { _ in }.get()
    }
    #expect(error.map { cause(of: $0) } == "Connection refused")
  }
}

@Suite struct AddressTests {
  @Test func othersThanTCPAndUnixSocketsAreRefused() {
    #expect(Address("unix:///run/docker.sock") == .unix(path: "/run/docker.sock"))
    #expect(Address("tcp://h.example:2375") == .tcp(host: "h.example", port: 2_375))
    #expect(Address("tcp://[::1]:2375") == .tcp(host: "::1", port: 2_375))
    for text in [
      "", "unix://", "unix://run/x", "unix:///" + String(repeating: "x", count: 107), "tcp://h",
      "tcp://:2375", "tcp://h:0", "tcp://h:65536", "tcp://::1:2375", "tcp://h/p:1", "http://h:1",
    ] {
      #expect(Address(text) == nil, "\(text)")
    }
    for address in [Address.unix(path: "/a"), .tcp(host: "::1", port: 1)] {
      #expect(Address(address.description) == address)
    }
  }
}

@Suite struct BackoffTests {
  @Test func delaysDoubleUpToTheLast() {
    var backoff = Backoff(first: .milliseconds(50), last: .seconds(2))
    let delays = (0..<8).map { _ in backoff.next { $0.upperBound } }
    #expect(delays == [50, 100, 200, 400, 800, 1_600, 2_000, 2_000].map { .milliseconds($0) })
    backoff.reset()
    #expect(backoff.next { $0.upperBound } == .milliseconds(50))
    #expect(backoff.next { $0.lowerBound } == .zero)
  }

  @Test func noNumberOfFailuresIsTooMany() {
    var backoff = Backoff(first: .seconds(1), last: .seconds(30))
    for _ in 0..<100_000 { _ = backoff.next() }
    #expect(backoff.next { $0.upperBound } == .seconds(30))
  }
}

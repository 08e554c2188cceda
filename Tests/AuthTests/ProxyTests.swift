// A proxy's word on a client's address: read exactly, bounded, and believed only of proxies that were
// named (promise P9).

import TestSupport
import Testing

@testable import Auth

private func text(_ line: String) -> [UInt8] { Array(line.utf8) }

private let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

private func binary(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
  signature + [command, family, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
}

@Suite struct ProxyProtocolTests {
  private static let four: [UInt8] = [192, 0, 2, 1, 10, 0, 0, 1, 0x10, 0x00, 0x1B, 0x9E]
  private static let six =
    [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
    + [UInt8](repeating: 0, count: 15) + [1, 0x10, 0x00, 0x1B, 0x9E]

  private static let good: [(bytes: [UInt8], client: String?)] = [
    (text("PROXY TCP4 192.0.2.1 10.0.0.1 4096 7070\r\n"), "192.0.2.1"),
    (text("PROXY TCP6 2001:db8::1 ::1 4096 7070\r\n"), "2001:db8::1"),
    (text("PROXY UNKNOWN\r\n"), nil),
    (text("PROXY UNKNOWN ff:: ff:: 1 2\r\n"), nil),
    (binary(0x21, 0x11, four), "192.0.2.1"),
    (binary(0x21, 0x11, four + [0x04, 0, 1, 0]), "192.0.2.1"),
    (binary(0x21, 0x21, six), "2001:db8::1"),
    (binary(0x20, 0x00, []), nil),
    (binary(0x21, 0x00, []), nil),
  ]

  @Test func headersAreReadWhateverFollows() {
    for (bytes, client) in Self.good {
      let expected = ProxyHeader.client(client, length: bytes.count)
      #expect(ProxyHeader.read(bytes) == expected)
      #expect(ProxyHeader.read(bytes + text("GET / HTTP/1.1\r\n")) == expected)
      for count in 0..<bytes.count {
        #expect(ProxyHeader.read(bytes.prefix(count)) == .incomplete, "after \(count) bytes")
      }
    }
  }

  @Test(arguments: [
    "GET / HTTP/1.1\r\n", "POST /v1/sessions HTTP/1.1\r\n", "PROXIES", "proxy TCP4", "\r\n\r\nGET",
    "\u{16}\u{3}\u{1}",
  ]) func whatIsNoHeaderIsTheClients(bytes: String) {
    #expect(ProxyHeader.read(text(bytes)) == .none)
  }

  @Test(arguments: [
    "PROXY TCP4 192.0.2.1 10.0.0.1 4096 7070\n", "PROXY TCP4 192.0.2.1 10.0.0.1 4096\r\n",
    "PROXY TCP4 2001:db8::1 ::1 4096 7070\r\n", "PROXY TCP6 192.0.2.1 10.0.0.1 4096 7070\r\n",
    "PROXY TCP4 999.0.2.1 10.0.0.1 4096 7070\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 65536 7070\r\n",
    "PROXY TCP4 192.0.2.1 10.0.0.1 -1 7070\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 04 7070\r\n",
    "PROXY TCP4  192.0.2.1 10.0.0.1 4096 7070\r\n", "PROXY \r\n", "PROXY tcp4 a b 1 2\r\n",
    "PROXY UDP4 192.0.2.1 10.0.0.1 4096 7070\r\n", "PROXY " + String(repeating: "x", count: 200),
  ]) func aBrokenLineIsInvalid(line: String) {
    guard case .invalid = ProxyHeader.read(text(line)) else {
      Issue.record("\(ProxyHeader.read(text(line)))")
      return
    }
  }

  @Test func aBrokenBinaryHeaderIsInvalid() {
    let broken = [
      binary(0x11, 0x11, Self.four), binary(0x22, 0x11, Self.four), binary(0x21, 0x41, Self.four),
      binary(0x21, 0x11, Array(Self.four.dropLast())), binary(0x21, 0x21, Self.four),
      signature + [0x21, 0x11, 0xFF, 0xFF],
    ]
    for bytes in broken {
      guard case .invalid = ProxyHeader.read(bytes) else {
        Issue.record("\(bytes)")
        continue
      }
    }
  }

  /// Random bytes, and good headers with random damage: never a crash, never more than the bound asked
  /// for, never a length beyond what is there, and the same answer however the bytes are cut.
  @Test func damagedHeadersAreReadTheSameHoweverTheyAreCutAndNeverCrash() {
    var generator = SeededGenerator.announced("PROXY protocol")
    for _ in 0..<20_000 {
      var bytes = Self.good.randomElement(using: &generator)?.bytes ?? []
      for _ in 0..<Int.random(in: 0...4, using: &generator) {
        let index = Int.random(in: 0...bytes.count, using: &generator)
        switch Int.random(in: 0...3, using: &generator) {
        case 0 where index < bytes.count:
          bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        case 2 where index < bytes.count: bytes.removeSubrange(index...)
        default: bytes += (0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
      }
      let whole = ProxyHeader.read(bytes)
      if case .client(let client, let length) = whole {
        #expect(length <= bytes.count && length >= 15)
        if let client { #expect(IPAddress(client)?.description == client) }
      }
      if whole == .incomplete { #expect(bytes.count < AuthLimits.proxyBinary) }
      // The first certain answer on the way is the answer for all of it.
      for count in 0...bytes.count {
        let part = ProxyHeader.read(bytes.prefix(count))
        if part != .incomplete {
          #expect(part == whole, "\(bytes) after \(count)")
          break
        }
      }
    }
  }
}

@Suite struct TrustedProxyTests {
  @Test func rangesContainWhatTheyShould() throws {
    let cases: [(String, String, Bool)] = [
      ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
      ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.128/25", "192.0.2.128", true),
      ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false), ("::1", "::1", true),
      ("fd00::/9", "fd7f::1", true), ("fd00::/9", "fd80::1", false),
      ("10.0.0.1", "::ffff:10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false),
    ]
    for (range, address, isIn) in cases {
      let parsed = try #require(AddressRange(range))
      #expect(parsed.contains(try #require(IPAddress(address))) == isIn, "\(range) \(address)")
    }
    for wrong in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "x", "::/129", "/8"] {
      #expect(AddressRange(wrong) == nil)
    }
  }

  @Test func forwardedForIsReadFromItsEnd() throws {
    let proxies = TrustedProxies([try #require(AddressRange("10.0.0.0/8"))])
    func client(_ peer: String, _ headers: String...) -> String {
      proxies.client(peer: peer, forwardedFor: headers)
    }
    #expect(client("10.0.0.1", "192.0.2.7") == "192.0.2.7")
    #expect(client("10.0.0.1", "1.1.1.1, 192.0.2.7") == "192.0.2.7", "the client's own words")
    #expect(client("10.0.0.1", "192.0.2.7, 10.0.0.2") == "192.0.2.7")
    #expect(client("10.0.0.1", "192.0.2.7", "10.0.0.2") == "192.0.2.7")
    #expect(client("10.0.0.1") == "10.0.0.1")
    #expect(client("10.0.0.1", "192.0.2.7:51008") == "192.0.2.7")
    #expect(client("10.0.0.1", "192.0.2.7, 10.0.0.2:443") == "192.0.2.7")
    #expect(client("10.0.0.1", "[2001:db8::1]:443") == "2001:db8::1")
    #expect(client("10.0.0.1", "[2001:db8::1]") == "2001:db8::1")
    #expect(client("10.0.0.1", "2001:db8::1") == "2001:db8::1")
    for wrong in [
      "192.0.2.7:", "192.0.2.7:+1", "192.0.2.7:65536", "[192.0.2.7]:1", "[2001:db8::1", "[::1]x",
      "2001:db8::1]:5", ":443", "[]:1", "]", "unknown", "_hidden:1",
    ] {
      #expect(client("10.0.0.1", wrong) == "10.0.0.1", "\(wrong)")
    }
    #expect(client("10.0.0.1", "nonsense, 10.0.0.2") == "10.0.0.2")
    #expect(client("192.0.2.9", "1.1.1.1") == "192.0.2.9", "not a proxy of ours")
    #expect(TrustedProxies().client(peer: "10.0.0.1", forwardedFor: ["1.1.1.1"]) == "10.0.0.1")
  }
}

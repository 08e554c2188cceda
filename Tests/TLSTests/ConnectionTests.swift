// Two connections joined by hand, without a socket: whatever pieces the ciphertext comes in, the
// plaintext arrives as it was written; and every disagreement is told in words (promises P1 and P9).

import Foundation
import NIOCore
import TLS
import TestSupport
import Testing
import Wire

/// A client and a server, and what each has come to.
private final class Pair {
  let client: TLSConnection
  let server: TLSConnection
  var clientProgress = TLSConnection.Progress()
  var serverProgress = TLSConnection.Progress()
  /// How ciphertext is cut on its way.
  var cut: (ByteBuffer) -> [ByteBuffer] = { [$0] }

  init(_ client: TLSContext, _ server: TLSContext, names: [String] = ["localhost"]) throws {
    self.client = try TLSConnection(client, serverNames: names)
    self.server = try TLSConnection(server)
    add(self.client.start(), to: &clientProgress)
    add(self.server.start(), to: &serverProgress)
  }

  /// Carries ciphertext until both are silent.
  func exchange() {
    var isQuiet = false
    while !isQuiet {
      isQuiet = true
      if let bytes = client.takeCiphertext() {
        isQuiet = false
        for piece in cut(bytes) { add(server.receive(piece), to: &serverProgress) }
      }
      if let bytes = server.takeCiphertext() {
        isQuiet = false
        for piece in cut(bytes) { add(client.receive(piece), to: &clientProgress) }
      }
    }
  }

  private func add(_ progress: TLSConnection.Progress, to whole: inout TLSConnection.Progress) {
    whole.finishedHandshake = whole.finishedHandshake || progress.finishedHandshake
    whole.peerClosed = whole.peerClosed || progress.peerClosed
    whole.failure = whole.failure ?? progress.failure
    if let bytes = progress.plaintext { whole.plaintext.setOrWriteImmutableBuffer(bytes) }
  }
}

@Suite struct ConnectionTests {
  let certificates: TestCertificates

  init() throws { certificates = try TestCertificates() }

  private func pair(names: [String] = ["localhost"]) throws -> Pair {
    try Pair(certificates.client(), certificates.server(), names: names)
  }

  @Test func bytesArriveAsWritten() throws {
    let pair = try pair()
    pair.exchange()
    #expect(pair.clientProgress.finishedHandshake && pair.serverProgress.finishedHandshake)
    #expect(pair.client.version == "TLSv1.3")
    try pair.client.write(ByteBuffer(string: "hello"))
    try pair.client.flush()
    try pair.server.write(ByteBuffer(string: "good day"))
    try pair.server.flush()
    pair.exchange()
    #expect(pair.serverProgress.plaintext == ByteBuffer(string: "hello"))
    #expect(pair.clientProgress.plaintext == ByteBuffer(string: "good day"))
    pair.client.close()
    pair.exchange()
    #expect(pair.serverProgress.peerClosed)
    #expect(pair.serverProgress.failure == nil)
  }

  @Test func ciphertextMayComeInAnyPieces() throws {
    var random = SeededGenerator.announced()
    for _ in 0..<20 { try exchangeInPieces(&random) }
  }

  private func exchangeInPieces(_ random: inout SeededGenerator) throws {
    let pair = try pair()
    var cuts = SeededGenerator(seed: random.next())
    let longest = [1, 2, 7, 300, 20_000].randomElement(using: &random) ?? 1
    pair.cut = { bytes in
      var bytes = bytes
      var pieces: [ByteBuffer] = []
      while bytes.readableBytes > 0 {
        let count = Int.random(in: 1...min(longest, bytes.readableBytes), using: &cuts)
        bytes.readSlice(length: count).map { pieces.append($0) }
      }
      return pieces
    }
    pair.exchange()
    var sent = ByteBuffer()
    for _ in 0..<40 {
      let most = [1, 100, 40_000].randomElement(using: &random) ?? 1
      let bytes = ByteBuffer(
        repeating: UInt8.random(in: 0...255, using: &random),
        count: Int.random(in: 0...most, using: &random))
      sent.writeImmutableBuffer(bytes)
      try pair.client.write(bytes)
      if random.chance(0.5) { try pair.client.flush() }
      if random.chance(0.5) { pair.exchange() }
    }
    try pair.client.flush()
    pair.exchange()
    #expect(pair.serverProgress.failure == nil)
    #expect((pair.serverProgress.plaintext ?? ByteBuffer()) == sent)
  }

  @Test func manySmallWritesLeaveInFewRecords() throws {
    let pair = try pair()
    pair.exchange()
    for _ in 0..<1_000 { try pair.client.write(ByteBuffer(string: "0123456789")) }
    try pair.client.flush()
    var bytes = try #require(pair.client.takeCiphertext())
    #expect(bytes.readableBytes < 10_100)
    #expect(recordLengths(&bytes).count == 1)
  }

  @Test func largeWritesLeaveInFullRecords() throws {
    let pair = try pair()
    pair.exchange()
    try pair.client.write(ByteBuffer(repeating: 1, count: 100))
    try pair.client.write(ByteBuffer(repeating: 1, count: 5 * TLSConnection.recordSize))
    try pair.client.flush()
    var bytes = try #require(pair.client.takeCiphertext())
    let lengths = recordLengths(&bytes)
    #expect(lengths.count == 6)
    #expect(lengths.prefix(5).allSatisfy { $0 > TLSConnection.recordSize })
  }

  private func recordLengths(_ bytes: inout ByteBuffer) -> [Int] {
    var lengths: [Int] = []
    while let header = bytes.readSlice(length: 5),
      let length = header.getInteger(at: header.readerIndex + 3, as: UInt16.self)
    {
      lengths.append(Int(length))
      bytes.moveReaderIndex(forwardBy: Int(length))
    }
    return lengths
  }

  @Test func changedCiphertextEndsTheConnection() throws {
    let pair = try pair()
    pair.exchange()
    try pair.client.write(ByteBuffer(string: "pay 10"))
    try pair.client.flush()
    pair.cut = { bytes in
      var bytes = bytes
      let last = bytes.writerIndex - 1
      let byte = bytes.getInteger(at: last, as: UInt8.self) ?? 0
      bytes.setInteger(byte ^ 1, at: last)
      return [bytes]
    }
    pair.exchange()
    #expect(pair.serverProgress.failure?.code == .violation)
    #expect(pair.serverProgress.plaintext == nil)
  }

  /// RFC 8446, section 5.2: at most 2^14 + 256 bytes.
  @Test func aRecordBeyondTheLargestEndsTheConnection() throws {
    let pair = try pair()
    pair.exchange()
    var record = ByteBuffer(bytes: [23, 3, 3])
    record.writeInteger(UInt16((1 << 14) + 257))
    record.writeRepeatingByte(0, count: (1 << 14) + 257)
    let progress = pair.server.receive(record)
    #expect(progress.failure?.code == .violation)
    #expect(progress.plaintext == nil)
  }

  /// In one piece, and byte by byte.
  @Test(arguments: [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "ACL",
    "PROPFIND", "M-SEARCH", "VERSION-CONTROL",
  ]) func everyMethodOfHTTPIsRecognised(method: String) throws {
    for size in [1, 3, 100] {
      let server = try TLSConnection(certificates.server())
      _ = server.start()
      var request = ByteBuffer(string: "\(method) / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      var failure: TLSError?
      while failure == nil,
        let piece = request.readSlice(length: min(size, request.readableBytes)),
        piece.readableBytes > 0
      {
        failure = server.receive(piece).failure
      }
      #expect(failure?.code == .plainHTTP, "\(size): \(String(describing: failure))")
      #expect(failure?.message.contains("use https://") == true)
    }
  }

  @Test func plainTextIsRecognised() throws {
    let server = try TLSConnection(certificates.server())
    _ = server.start()
    let banner = server.receive(ByteBuffer(string: "SSH-2.0-OpenSSH_9.2\r\n"))
    #expect(banner.failure?.code == .notTLS)
    let client = try TLSConnection(certificates.client(), serverNames: ["localhost"])
    _ = client.start()
    let other = client.receive(ByteBuffer(string: "SSH-2.0-OpenSSH_9.2\r\n"))
    #expect(other.failure?.code == .notTLS)
    #expect(other.failure?.message.contains("does not speak TLS") == true)
  }

  // MARK: Certificates

  private func failure(
    _ server: TLSConfiguration.Identity, names: [String] = ["localhost"], client: TLSContext? = nil
  ) throws -> (client: TLSError?, server: TLSError?) {
    let pair = try Pair(
      client ?? certificates.client(), certificates.server(server), names: names)
    pair.exchange()
    return (pair.clientProgress.failure, pair.serverProgress.failure)
  }

  @Test(arguments: [
    ("localhost", true), ("127.0.0.1", true), ("::1", true), ("a.example.com", true),
    ("LOCALHOST", true), ("localhost.", true), ("example.com", false), ("a.b.example.com", false),
    ("127.0.0.2", false), ("evil.org", false),
  ])
  func theCertificateMustBeForTheHost(host: String, isRight: Bool) throws {
    let identity = try certificates.issue(hosts: ["localhost", "127.0.0.1", "::1", "*.example.com"])
    let failure = try failure(identity, names: [host])
    if isRight {
      #expect(failure.client == nil)
    } else {
      #expect(failure.client?.code == .verification)
      #expect(failure.client?.message.contains("is not for \"\(host)\"") == true)
      #expect(failure.client?.message.contains("\"*.example.com\"") == true)
      #expect(failure.server?.code == .refused)
    }
  }

  @Test func anyOfSeveralNamesWillDo() throws {
    let identity = try certificates.issue(hosts: ["node-a"])
    #expect(try failure(identity, names: ["10.0.0.5", "node-a"]).client == nil)
    let wrong = try failure(identity, names: ["10.0.0.5", "node-b"]).client
    #expect(wrong?.message.contains("\"10.0.0.5\" or \"node-b\"") == true)
  }

  @Test func aCommonNameIsNoName() throws {
    let identity = try certificates.issue("localhost", hosts: [])
    #expect(try failure(identity).client?.message.contains("has no names at all") == true)
  }

  @Test func expiredIsSaid() throws {
    let identity = try certificates.issue(validity: TestCertificates.now(-7_200, -60))
    let failure = try failure(identity)
    #expect(failure.client?.code == .verification)
    #expect(failure.client?.message.contains("has expired: it was valid until 20") == true)
    #expect(failure.server?.message.contains("has expired") == true)
  }

  @Test func notYetValidIsSaid() throws {
    let identity = try certificates.issue(validity: TestCertificates.now(3_600, 7_200))
    #expect(try failure(identity).client?.message.contains("is not valid yet") == true)
  }

  @Test func anUnknownCAIsNamed() throws {
    let stranger = try TestCertificates("another CA")
    let failure = try failure(certificates.issue(), client: stranger.client())
    #expect(failure.client?.message.contains("unknown CA (CN=test CA)") == true)
    #expect(failure.server?.message.contains("does not know the CA") == true)
  }

  @Test func aClientCertificateIsNoServers() throws {
    let identity = try certificates.issue(use: .client)
    #expect(try failure(identity).client?.message.contains("not made for this use") == true)
  }

  @Test func theSystemsCAsDoNotKnowAPrivateOne() throws {
    let failure = try failure(certificates.issue(), client: TLSContext(.client()))
    #expect(failure.client?.code == .verification)
  }

  @Test func clientsNeedACertificateOfTheCA() throws {
    let server = try certificates.server(clientCA: certificates.ca)
    let known = try Pair(
      certificates.client(identity: certificates.issue("client", hosts: [], use: .client)), server)
    known.exchange()
    #expect(known.serverProgress.finishedHandshake)
    #expect(known.server.peerCertificates.first?.subject == "CN=client")

    let none = try Pair(certificates.client(), server)
    none.exchange()
    #expect(none.serverProgress.failure?.code == .verification)
    #expect(none.serverProgress.failure?.message.contains("sent no certificate") == true)
    #expect(none.clientProgress.failure?.message.contains("demands a client certificate") == true)

    let stranger = try TestCertificates("another CA")
    let identity = try stranger.issue("client", hosts: [], use: .client)
    let unknown = try Pair(certificates.client(identity: identity), server)
    unknown.exchange()
    #expect(unknown.serverProgress.failure?.message.contains("unknown CA") == true)
  }

  @Test func anyoneMayBeLookedAt() throws {
    let identity = try certificates.issue(validity: TestCertificates.now(-7_200, -60))
    let pair = try Pair(
      TLSContext(.client(trust: .anyone)), certificates.server(identity), names: ["evil.org"])
    pair.exchange()
    #expect(pair.clientProgress.finishedHandshake)
    #expect(pair.client.peerFault != nil)
    #expect(pair.client.peerCertificates.first?.names == ["localhost", "127.0.0.1"])
  }

  // MARK: Choices

  @Test func theNameChoosesTheCertificate() throws {
    let identities = try ["one", "two"].map {
      try certificates.issue($0, hosts: ["\($0).example.com"])
    }
    let server = try TLSContext(.server(identities))
    for name in ["one", "two"] {
      let pair = try Pair(certificates.client(), server, names: ["\(name).example.com"])
      pair.exchange()
      #expect(pair.client.peerCertificates.first?.subject == "CN=\(name)")
      #expect(pair.clientProgress.failure == nil)
    }
    let other = try Pair(certificates.client(), server, names: ["three.example.com"])
    other.exchange()
    #expect(other.clientProgress.failure?.message.contains("\"one.example.com\"") == true)
  }

  @Test func theServersPreferredProtocolIsChosen() throws {
    func agree(_ client: [String], _ server: [String]) throws -> Pair {
      let pair = try Pair(
        certificates.client(protocols: client), certificates.server(protocols: server))
      pair.exchange()
      return pair
    }
    let both = try agree(["http/1.1", "h2"], ["h2", "http/1.1"])
    #expect(both.client.negotiatedProtocol == "h2" && both.server.negotiatedProtocol == "h2")
    let none = try agree([], ["http/1.1"])
    #expect(none.serverProgress.finishedHandshake && none.server.negotiatedProtocol == nil)
    let strangers = try agree(["h2"], ["http/1.1"])
    #expect(strangers.serverProgress.failure?.message.contains("ALPN") == true)
    #expect(strangers.clientProgress.failure?.message.contains("ALPN") == true)
  }

  // MARK: Files

  @Test func filesThatCannotBeUsedAreNamed() throws {
    let identity = try certificates.issue()
    let other = try certificates.issue("other")
    func message(_ certificate: String, _ key: String) -> String {
      let wanted = TLSConfiguration.Identity(certificate: certificate, key: key)
      do {
        _ = try TLSContext(.server([wanted]))
        return ""
      } catch {
        #expect(error.code == .configuration)
        return error.message
      }
    }
    let missing = certificates.path("missing")
    #expect(message(missing, identity.key) == "\(missing): No such file or directory")
    #expect(message(identity.key, identity.key).contains("holds no certificate"))
    #expect(message(identity.certificate, identity.certificate).contains("holds no private key"))
    #expect(message(identity.certificate, other.key).contains("is not the key of"))
    let damaged = certificates.path("damaged")
    let text = try String(contentsOfFile: identity.certificate, encoding: .utf8)
    try String(text.dropLast(60)).write(toFile: damaged, atomically: true, encoding: .utf8)
    #expect(message(damaged, identity.key).contains("is damaged"))
  }
}

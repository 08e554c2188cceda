// The HTTP client's answers under a fuzzer that is guided by coverage: bytes are operations of a server that may
// say anything. `deploy/fuzz.sh http` runs it for long; FuzzCorpusTests replays what it found.

import NIOCore
import NIOEmbedded
import NIOHTTP1

#if !FUZZING
  @testable import HTTPClient
#endif

/// What an answer came to.
private enum Outcome: Equatable {
  case answer(status: UInt, body: ByteBuffer)
  case switched(ByteBuffer)
  case failed
  case nothing
}

/// Takes what comes behind a switch of protocols.
private final class Successor: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  var bytes = ByteBuffer()
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytes.writeImmutableBuffer(unwrapInboundIn(data))
  }
}

private let largestBody = 1_000

/// What comes of `wire`, in pieces of `size` bytes, as the answer to one request.
private func outcome(_ wire: [UInt8], upgrading: Bool, size: Int) -> Outcome {
  let channel = EmbeddedChannel()
  let answer = channel.embeddedEventLoop.makePromise(of: HTTPResponse.self)
  let upgrade = channel.embeddedEventLoop.makePromise(of: HTTPUpgrade.self)
  let successor = Successor()
  var outcome = Outcome.nothing
  func conclude(_ result: Outcome) {
    precondition(outcome == .nothing, "answered twice")
    outcome = result
  }
  answer.futureResult.assumeIsolated().whenComplete { result in
    switch result {
    case .success(let response):
      precondition(response.body.readableBytes <= largestBody)
      conclude(.answer(status: response.status.code, body: response.body))
    case .failure: if !upgrading { conclude(.failed) }
    }
  }
  upgrade.futureResult.assumeIsolated().whenComplete { result in
    if case .success(.switched) = result { conclude(.switched(ByteBuffer())) }
  }
  let pipeline = channel.pipeline.syncOperations
  let codec: [any ChannelHandler & RemovableChannelHandler] = [
    HTTPRequestEncoder(), ByteToMessageHandler(HTTPResponseDecoder()),
    HTTPExchange(answer, largestBody: largestBody),
  ]
  if upgrading {
    try? pipeline.addHandler(HTTPUpgradeGate(upgrade, codec: codec, successor: successor))
  }
  try? pipeline.addHandlers(codec)
  try? channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
  let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/", headers: ["Host": "x"])
  channel.write(HTTPClientRequestPart.head(head), promise: nil)
  channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
  var rest = wire[...]
  while !rest.isEmpty, channel.isActive {
    let piece = rest.prefix(max(1, size))
    rest = rest.dropFirst(piece.count)
    _ = try? channel.writeInbound(ByteBuffer(bytes: piece))
    channel.embeddedEventLoop.run()
  }
  _ = try? channel.finish(acceptAlreadyClosed: true)
  channel.embeddedEventLoop.run()
  answer.fail(ChannelError.eof)
  upgrade.fail(ChannelError.eof)
  if case .switched = outcome { return .switched(successor.bytes) }
  precondition(successor.bytes.readableBytes == 0, "handed over and not said so")
  return outcome
}

func httpOperations(_ input: UnsafeRawBufferPointer) {
  var rest = input[...]
  func byte() -> UInt8 { rest.popFirst() ?? 0 }
  let (upgrading, size) = (byte() & 1 == 0, Int(byte()) % 9 + 1)
  var wire: [UInt8] = []
  func put(_ text: String) { wire += Array(text.utf8) }
  while !rest.isEmpty, wire.count < 20_000 {
    let (operation, value) = (byte(), Int(byte()))
    switch operation % 14 {
    case 0:
      put("HTTP/1.\(value & 1) \([200, 101, 204, 404, 100, 304, 500, 999][value >> 1 & 7]) x\r\n")
    case 1: put("Content-Length: \(value << (value % 7 * 8))\r\n")
    case 2: put("Transfer-Encoding: \(["chunked", "gzip", "x, chunked", ""][value & 3])\r\n")
    case 3: put("Connection: Upgrade\r\nUpgrade: tcp\r\n")
    case 4: put("\r\n")
    case 5: put(String(repeating: "x", count: value))
    case 6: put(String(value << (value % 7 * 8), radix: 16) + "\r\n")
    case 7: put("HTTP/1.1 101 S\r\n\r\n")
    case 8:
      wire += Array(rest.prefix(value))
      rest = rest.dropFirst(value)
    case 9: wire.append(UInt8(value))
    case 10: put("Content-Length: \(Int.max)\(value & 1)\r\n")
    case 11: put("A: " + String(repeating: "b", count: value * 64) + "\r\n")
    case 12: put("0\r\n\r\n")
    default: put("HTTP/1.1 200 OK\r\nContent-Length: \(value)\r\n\r\n")
    }
  }
  let whole = outcome(wire, upgrading: upgrading, size: wire.count)
  // Not thousands of pieces: each is a turn of the loop.
  let pieces = outcome(wire, upgrading: upgrading, size: max(size, wire.count / 500))
  if case .switched = whole { precondition(whole == pieces, "the cuts change what is handed over") }
  if case .answer = whole, case .answer = pieces {
    precondition(whole == pieces, "the cuts change the answer")
  }
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    httpOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif

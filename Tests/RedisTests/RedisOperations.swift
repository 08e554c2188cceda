// The reader of Redis's replies and the pipeline behind it under a fuzzer that is guided by coverage: bytes
// are operations. `deploy/fuzz.sh redis` runs it for long; FuzzCorpusTests replays what it found.

import Transport
import Wire

#if !FUZZING
  @testable import Redis
#endif

/// The parts of a value, and how deep they lie; itself is one.
private func measure(_ value: RedisValue) -> (parts: Int, depth: Int) {
  guard case .array(let items) = value else { return (1, 0) }
  return items.map(measure).reduce((1, 1)) { ($0.0 + $1.0, max($0.1, $1.1 + 1)) }
}

/// What comes of `wire` in pieces of `size` bytes: the replies, and whether it ended in an error.
private func replies(_ wire: [UInt8], size: Int) -> ([RedisValue], failed: Bool) {
  guard var reader = ReplyReader() else { return ([], true) }
  var replies: [RedisValue] = []
  var rest = wire[...]
  while !rest.isEmpty {
    let piece = Array(rest.prefix(max(1, size)))
    rest = rest.dropFirst(piece.count)
    do {
      try piece.withUnsafeBytes { try reader.feed($0) }
      while let reply = try reader.next() { replies.append(reply) }
    } catch {
      return (replies, true)
    }
  }
  return (replies, false)
}

func redisOperations(_ input: UnsafeRawBufferPointer) {
  var rest = input[...]
  func byte() -> UInt8 { rest.popFirst() ?? 0 }
  let (greetings, step) = (Int(byte()) % 4, Int(byte()) % 9 + 1)
  var wire: [UInt8] = []
  func put(_ text: String) { wire += Array(text.utf8) }
  var pipeline = Pipeline<Int>(greeting: (0..<greetings).map { "GREETING \($0)" })
  var sent: [UInt64] = []
  var abandoned: Set<Int> = []
  while !rest.isEmpty, wire.count < 60_000 {
    let (operation, value) = (byte(), Int(byte()))
    switch operation % 14 {
    case 0: put("+OK\r\n")
    case 1: put("-\(["ERR", "NOSCRIPT", "LOADING", "READONLY x", ""][value % 5])\r\n")
    case 2: put(":\(value - 128)\r\n")
    case 3: put(":\(Int.max - value)\(value & 1 == 0 ? "" : "0")\r\n")
    case 4:
      put("$\(value)\r\n")
      wire += Array(rest.prefix(value))
      rest = rest.dropFirst(value)
      put("\r\n")
    case 5: put("*\(value % 5)\r\n")
    case 6: put("*\(value << (value % 40))\r\n")
    case 7: put("$-1\r\n*-1\r\n")
    case 8: put("$\(value << (value % 40))\r\n")
    case 9: for _ in 0..<value { put("*1\r\n") }
    case 10: wire.append(UInt8(value))
    case 11: sent.append(pipeline.append(sent.count))
    case 12 where !sent.isEmpty:
      let index = value % sent.count
      if pipeline.abandon(sent[index]) != nil { abandoned.insert(index) }
    default: put(["\r\n", "*", "$", "+PONG", "_\r\n", "#t\r\n", ",1.5\r\n", "%1\r\n"][value % 8])
    }
  }
  let whole = replies(wire, size: wire.count)
  let pieces = replies(wire, size: step)
  precondition(whole.0 == pieces.0 && whole.failed == pieces.failed, "the cuts change what is read")
  // Replies go to the commands in their order, and to none that was given up.
  var next = 0
  for reply in whole.0 {
    let measured = measure(reply)
    precondition(measured.parts <= RedisLimits.parts + 1 && measured.depth <= RedisLimits.depth)
    _ = (reply.integer, reply.string, reply.array)
    switch pipeline.receive(reply) {
    case .deliver(let index, let value):
      precondition(index >= next && !abandoned.contains(index) && value == reply)
      next = index + 1
    case .ignore, .ready, .heard: break
    case .fail(let error):
      precondition(!error.description.isEmpty)
      return
    }
    if case .error(let text) = reply {
      let reply = ErrorReply(text)
      _ = (reply.error.description, reply.remedy)
    }
    if let map = try? SlotMap(reply, slot: 0, askedAt: .tcp(host: "h", port: 1)) {
      precondition(map.servers.contains(map.primary))
    }
  }
  let left = pipeline.close()
  precondition(left == left.sorted() && (left.first ?? next) >= next)
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    redisOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif

// WebSocket frames (RFC 6455 §5) as bytes, written by hand, so that a test can also send what no
// well-behaved library would.

public import NIOCore
public import Wire

public struct WebSocketMessage: Equatable, Sendable {
  public var first: UInt8
  public var payload: [UInt8]
  public var opcode: UInt8 { first & 0x0F }

  public init(first: UInt8, payload: [UInt8]) {
    self.first = first
    self.payload = payload
  }

  public static let continuation: UInt8 = 0x0
  public static let text: UInt8 = 0x1
  public static let binary: UInt8 = 0x2
  public static let close: UInt8 = 0x8
  public static let ping: UInt8 = 0x9
  public static let pong: UInt8 = 0xA

  /// The code and reason of a close.
  public var closing: (code: UInt16, reason: String)? {
    guard opcode == Self.close, payload.count >= 2 else { return nil }
    return (
      UInt16(payload[0]) << 8 | UInt16(payload[1]), String(decoding: payload[2...], as: UTF8.self)
    )
  }

  /// A frame as a client sends it.
  /// - Parameter length: what the header claims, if not the truth.
  public static func bytes(
    _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, isMasked: Bool = true,
    reserved: UInt8 = 0, length: Int? = nil
  ) -> [UInt8] {
    let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    let length = length ?? payload.count
    var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
    let maskBit: UInt8 = isMasked ? 0x80 : 0
    switch length {
    case ..<126: bytes.append(maskBit | UInt8(length))
    case ..<65_536: bytes += [maskBit | 126, UInt8(length >> 8), UInt8(length & 0xFF)]
    default:
      bytes.append(maskBit | 127)
      bytes += (0..<8).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
    }
    guard isMasked else { return bytes + payload }
    return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
  }

  /// The whole frames in `bytes`, as a server sends them.
  public static func parse(_ bytes: ByteBuffer) -> [WebSocketMessage] {
    var bytes = bytes
    var messages: [WebSocketMessage] = []
    while let first = bytes.readInteger(as: UInt8.self),
      let second = bytes.readInteger(as: UInt8.self)
    {
      let length: Int? =
        switch second & 0x7F {
        case 126: bytes.readInteger(as: UInt16.self).map(Int.init)
        case 127: bytes.readInteger(as: UInt64.self).map { Int(clamping: $0) }
        case let small: Int(small)
        }
      guard let length, let payload = bytes.readBytes(length: length) else { break }
      messages.append(WebSocketMessage(first: first, payload: payload))
    }
    return messages
  }

  /// The frames of fairlead.v1 in the binary messages among `messages`.
  public static func frames(_ messages: [WebSocketMessage]) throws -> [(
    stream: UInt64, frame: Frame
  )] {
    var decoder = FrameDecoder()
    var frames: [(stream: UInt64, frame: Frame)] = []
    for message in messages where message.opcode == binary {
      decoder.append(ByteBuffer(bytes: message.payload))
      while let next = try decoder.next() { frames.append(next) }
    }
    return frames
  }
}

extension Frame {
  /// The frame's bytes on `stream`.
  public func bytes(stream: UInt64) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.writeFrame(self, stream: stream)
    return Array(buffer.readableBytesView)
  }
}

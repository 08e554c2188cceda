// A frame of `fairlead.v1`: `length: varint` · `type: u8` · `stream: varint` · `body`. Data frames
// are binary, control frames JSON. docs/protocol.md gives every byte.

public import NIOCore

public enum FrameType: UInt8, Sendable, CaseIterable {
  case hello = 0x01
  case welcome = 0x02
  case goAway = 0x03
  case ping = 0x04
  case pong = 0x05
  case token = 0x06
  case open = 0x10
  case opened = 0x11
  case refused = 0x12
  case close = 0x13
  case kill = 0x14
  case ended = 0x15
  case event = 0x16
  case resize = 0x17
  case resized = 0x18
  case take = 0x19
  case colors = 0x1A
  case output = 0x20
  case snapshot = 0x21
  case outputAck = 0x22
  case input = 0x23
  case inputAck = 0x24
  /// Links only: an OPEN in the router's envelope, and questions to a node.
  case linkOpen = 0x30
  case request = 0x31
  case response = 0x32

  /// Types from here up may be skipped by who does not know them.
  static let firstSkippable: UInt8 = 0x40

  /// Bytes that its body may have beyond ``WireLimits/frameBody``.
  var envelope: Int {
    switch self {
    case .linkOpen: WireLimits.linkEnvelope
    case .response: WireLimits.responseEnvelope
    default: 0
    }
  }

  static let largestEnvelope = allCases.map(\.envelope).max() ?? 0
}

/// A part of a snapshot.
public struct SnapshotPart: Sendable, Equatable {
  public var id: UInt64
  public var isFirst: Bool
  public var isLast: Bool
  /// The output offset at which the whole snapshot is valid.
  public var offset: UInt64
  public var size: TerminalSize
  public var bytes: ByteBuffer

  public init(
    id: UInt64, isFirst: Bool, isLast: Bool, offset: UInt64, size: TerminalSize, bytes: ByteBuffer
  ) {
    self.id = id
    self.isFirst = isFirst
    self.isLast = isLast
    self.offset = offset
    self.size = size
    self.bytes = bytes
  }
}

public enum Frame: Sendable, Equatable {
  indirect case hello(Hello)
  indirect case welcome(Welcome)
  indirect case goAway(GoAway)
  case ping(UInt64)
  case pong(UInt64)
  indirect case token(Renewal)
  indirect case open(Open)
  indirect case opened(Opened)
  indirect case refused(Refused)
  indirect case close(Close)
  case kill
  indirect case ended(Ended)
  indirect case event(Event)
  case resize(TerminalSize)
  case resized(offset: UInt64, TerminalSize)
  case take
  indirect case colors(ThemeColors)
  case output(offset: UInt64, ByteBuffer)
  indirect case snapshot(SnapshotPart)
  case outputAck(offset: UInt64, consumed: UInt64)
  case input(offset: UInt64, ByteBuffer)
  case inputAck(offset: UInt64)
  indirect case linkOpen(LinkOpen)
  indirect case request(LinkRequest)
  indirect case response(LinkResponse)
  /// An OPEN that is an object of JSON, and whose fields are not what they must be. Received only: it is
  /// refused, and the connection's other streams go on.
  indirect case unreadableOpen(String)

  public var type: FrameType {
    switch self {
    case .hello: .hello
    case .welcome: .welcome
    case .goAway: .goAway
    case .ping: .ping
    case .pong: .pong
    case .token: .token
    case .open: .open
    case .opened: .opened
    case .refused: .refused
    case .close: .close
    case .kill: .kill
    case .ended: .ended
    case .event: .event
    case .resize: .resize
    case .resized: .resized
    case .take: .take
    case .colors: .colors
    case .output: .output
    case .snapshot: .snapshot
    case .outputAck: .outputAck
    case .input: .input
    case .inputAck: .inputAck
    case .linkOpen: .linkOpen
    case .request: .request
    case .response: .response
    case .unreadableOpen: .open
    }
  }
}

/// Bytes of body that a data frame counts towards its stream's window; other frames count none.
extension Frame {
  public var creditedBytes: Int {
    switch self {
    case .output(_, let bytes): bytes.readableBytes
    case .snapshot(let part): part.bytes.readableBytes
    default: 0
    }
  }
}

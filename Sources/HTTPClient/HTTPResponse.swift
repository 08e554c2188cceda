// A whole answer, and what becomes of a connection that was asked to speak another protocol.

public import NIOCore
public import NIOHTTP1

public struct HTTPResponse: Sendable {
  public var status: HTTPResponseStatus
  public var headers: HTTPHeaders
  public var body: ByteBuffer
}

public enum HTTPUpgrade: Sendable {
  /// The connection speaks the new protocol, and the caller's handler is the last of its pipeline. It reads
  /// nothing by itself: autoRead is off.
  case switched(any Channel)
  case refused(HTTPResponse)
}

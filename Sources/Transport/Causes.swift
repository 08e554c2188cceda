// Why a connection could not be made, in an operator's words: NIO's own errors name types, not causes.

import Glibc
import NIOCore
import NIOPosix

/// The cause behind an error of a connection's bootstrap, in a few words, such as "Connection refused".
/// An error of another kind says what it is itself.
public func cause(of error: any Error) -> String {
  switch error {
  case let error as IOError: String(cString: strerror(error.errnoCode))
  // One for each address of the host; none if its name has none.
  case let error as NIOConnectionError:
    error.connectionErrors.first.map { cause(of: $0.error) } ?? "\(error.host) has no address"
  case ChannelError.connectTimeout, ChannelError.connectPending: "no answer in time"
  case ChannelError.eof, ChannelError.inputClosed, ChannelError.outputClosed,
    ChannelError.alreadyClosed, ChannelError.ioOnClosedChannel,
    ChannelError.inappropriateOperationForState:
    "the connection was closed"
  case let error as SocketAddressError.UnknownHost: "\(error.host) has no address"
  case is EventLoopError: "the process is ending"
  case is CancellationError: "it was called off"
  default: "\(error)"
  }
}

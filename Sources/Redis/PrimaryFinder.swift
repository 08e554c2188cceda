// Where the primary of a Redis is: at the one address that there is. Where sentinels say so is SentinelFinder.swift,
// where the servers of a Cluster do, ClusterFinder.swift.

import NIOCore
import Transport
import Wire

/// Confined to the loop of its client.
protocol PrimaryFinder: AnyObject {
  /// Asks who knows it. Who answers at that address says itself whether it is a primary.
  func find() -> EventLoopFuture<Address>
  /// A server has said where the keys are: the next answer of `find`.
  func learn(_ address: Address)
  /// Tells of a primary that is another one, without being asked.
  func watch(_ moved: @escaping (Address) -> Void)
  func shutdown()
}

final class OneServer: PrimaryFinder {
  private let endpoint: RedisEndpoint
  private let eventLoop: any EventLoop

  init(_ endpoint: RedisEndpoint, on eventLoop: any EventLoop) {
    self.endpoint = endpoint
    self.eventLoop = eventLoop
  }

  func find() -> EventLoopFuture<Address> {
    guard let address = endpoint.servers.first else {
      return eventLoop.makeFailedFuture(RedisError(.misconfigured, "the URL names no Redis"))
    }
    return eventLoop.makeSucceededFuture(address)
  }

  func learn(_ address: Address) {}
  func watch(_ moved: @escaping (Address) -> Void) {}
  func shutdown() {}
}

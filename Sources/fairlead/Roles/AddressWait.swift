// A role that is started while the one before it still has its address waits for it to go: a router serves on for its
// `--drain-delay`, and a `serve` ends its sessions first.

import Glibc
import Logging
import NIOCore
import Registry
import UnixSignals

struct AddressWait {
  let address: NodeAddress
  /// How many ports, from that of the address on.
  var ports = 1
  /// For how long somebody else may have them.
  let limit: Duration
  let logger: Logger

  /// Returns when the address is nobody's.
  /// - Returns: false: the process is to end (SIGTERM, SIGINT).
  func isFree() async throws -> Bool {
    guard isTaken else { return true }
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    logger.notice(
      "the address is in use; waiting for who has it to leave",
      metadata: ["address": "\(address)", "seconds": "\(limit.components.seconds)"])
    return try await withThrowingTaskGroup(of: Bool.self) { tasks in
      defer { tasks.cancelAll() }
      tasks.addTask {
        for await _ in signals { break }
        return false
      }
      tasks.addTask {
        let deadline = ContinuousClock.now + limit
        while isTaken {
          guard ContinuousClock.now < deadline else { throw AddressInUse(address: address) }
          try await Task.sleep(for: CommandLimits.departureInterval)
        }
        return true
      }
      return try await tasks.next() ?? false
    }
  }

  /// Somebody listens there. What else is wrong with the address, who listens is told.
  private var isTaken: Bool {
    address.port != 0 && (0..<ports).contains { isTaken(port: address.port + $0) }
  }

  private func isTaken(port: Int) -> Bool {
    guard let address = try? SocketAddress.makeAddressResolvingHost(address.host, port: port)
    else { return false }
    let family = CInt(address.protocol.rawValue)
    let descriptor = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var on: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
    // Not listened on: no client may come to this socket.
    return address.withSockAddr { pointer, size in
      bind(descriptor, pointer, socklen_t(size)) != 0 && errno == EADDRINUSE
    }
  }
}

/// Who has the address did not leave. No ``Failure``: it has one kind, and nothing lies behind it.
struct AddressInUse: Error, CustomStringConvertible {
  let address: NodeAddress
  var description: String {
    "\(address) is in use by another process; choose another address with --listen"
  }
}

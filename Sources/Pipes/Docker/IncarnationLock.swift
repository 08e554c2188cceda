// Tells the incarnations that live from those that died: while one lives, it holds an abstract Unix
// socket (unix(7)) of its name, which the kernel frees with the process. It is seen by the processes
// of the same network namespace; within one registry a node's name is kept unique beyond that by its lease, and
// the registry's identity tells its nodes from another's.

import Glibc
import Wire

final class IncarnationLock: Sendable {
  let incarnation: Incarnation
  private let descriptor: CInt

  init(_ incarnation: Incarnation) {
    self.incarnation = incarnation
    descriptor = Self.bound(to: incarnation)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  static func isHeld(_ incarnation: Incarnation) -> Bool {
    let descriptor = bound(to: incarnation)
    guard descriptor >= 0 else { return true }
    close(descriptor)
    return false
  }

  /// -1 if another holds the name, or no socket is to be had.
  private static func bound(to incarnation: Incarnation) -> CInt {
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return -1 }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let name = Array("fairlead/\(incarnation)".utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      for (index, byte) in name.enumerated() { path[index + 1] = byte }  // behind a zero: abstract
    }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    guard result == 0 else {
      close(descriptor)
      return -1
    }
    return descriptor
  }
}

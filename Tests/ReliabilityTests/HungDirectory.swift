// A directory that never answers, as one of a network's file system whose server has gone.

import Foundation
import Glibc
import TestSupport

struct HungDirectory {
  /// Reached through the one process that has it mounted: with that it goes.
  let path: String
  private let folder: String
  private let process: ChildProcess

  /// - Throws: ``ChildError``: this machine lets nobody make one.
  static func make() async throws -> HungDirectory {
    let folder = "/tmp/hung-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    // A file system in user space that nobody serves: whoever asks it something waits for its end.
    let script = """
      import ctypes, os, signal, sys
      libc = ctypes.CDLL(None, use_errno=True)
      def do(result):
          if result: sys.exit("no file system of its own: " + os.strerror(ctypes.get_errno()))
      do(libc.unshare(0x20000))
      do(libc.mount(b"none", b"/", None, 0x44000, None))
      device = os.open("/dev/fuse", os.O_RDWR)
      options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % device
      do(libc.mount(b"hung", sys.argv[1].encode(), b"fuse", 0, options))
      print("mounted", flush=True)
      signal.pause()
      """
    do {
      let process = try ChildProcess("/usr/bin/env", ["python3", "-c", script, folder])
      _ = try await process.line(with: "mounted")
      return HungDirectory(
        path: "/proc/\(process.pid)/root\(folder)", folder: folder, process: process)
    } catch {
      rmdir(folder)
      throw error
    }
  }

  func remove() {
    process.signal(SIGKILL)
    rmdir(folder)
  }
}

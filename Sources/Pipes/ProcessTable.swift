// Which processes belong to a terminal's session, from /proc (proc_pid_stat(5): field 6 is the
// session, field 22 the start time in clock ticks since boot).

import Glibc

enum ProcessTable {
  struct Member: Hashable, Sendable {
    var pid: pid_t
    var startTime: UInt64
  }

  static func members(ofSession session: pid_t) -> [Member] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var members: [Member] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let pid = pid_t(name), let stat = stat(of: pid), stat.session == session else {
        continue
      }
      members.append(Member(pid: pid, startTime: stat.startTime))
    }
    return members
  }

  static func isAlive(_ member: Member) -> Bool {
    stat(of: member.pid)?.startTime == member.startTime
  }

  private static func stat(of pid: pid_t) -> (session: pid_t, startTime: UInt64)? {
    guard let text = contents(of: "/proc/\(pid)/stat"),
      // The name in parentheses may contain anything; fields count from behind it.
      let close = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[close...].split(separator: " ")
    guard fields.count > 20, let session = pid_t(fields[4]), let start = UInt64(fields[20]) else {
      return nil
    }
    return (session, start)
  }

  /// A file of /proc, at most 64 KiB of it; nil if it cannot be read.
  static func contents(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4_096)
    while bytes.count < 65_536 {
      let count = read(descriptor, &piece, piece.count)
      if count <= 0 { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

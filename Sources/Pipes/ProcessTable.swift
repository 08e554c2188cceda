// Which processes belong to a terminal's session, from /proc (proc_pid_stat(5): field 5 is the process
// group, 6 the session, 8 the terminal's foreground group, 22 the start time in clock ticks since
// boot; proc_pid_environ(5): the entries of the environment, each with a zero behind it).

import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

enum ProcessTable {
  struct Member: Hashable, Sendable {
    var pid: pid_t
    var startTime: UInt64
  }

  /// The session's processes, of those that had started by `time`: the session's number may pass on to others
  /// once its own have ended. All of /proc is read, which takes a while on a busy machine: on another
  /// thread, and once for all who ask before a look begins, as when a node ends a thousand sessions.
  static func members(ofSession session: pid_t, startedBy time: UInt64, on eventLoop: any EventLoop)
    -> EventLoopFuture<[Member]>
  {
    let promise = eventLoop.makePromise(of: [pid_t: [Member]].self)
    let isFirst = waiting.withLockedValue { waiting in
      defer { waiting?.append(promise) }
      guard waiting == nil else { return false }
      waiting = []
      return true
    }
    if isFirst { PipeThreads.table.submit { _ in look() } }
    return promise.futureResult.map { $0[session, default: []].filter { $0.startTime <= time } }
  }

  /// Who waits for a look that has not begun; nil: nobody looks.
  private static let waiting = NIOLockedValueBox<[EventLoopPromise<[pid_t: [Member]]>]?>(nil)

  private static func look() {
    while true {
      let served = waiting.withLockedValue { waiting in
        defer { waiting = waiting?.isEmpty == false ? [] : nil }
        return waiting ?? []
      }
      if served.isEmpty { return }
      var sessions: [pid_t: [Member]] = [:]
      for pid in pids() {
        guard let stat = stat(of: pid) else { continue }
        sessions[stat.session, default: []].append(Member(pid: pid, startTime: stat.startTime))
      }
      for promise in served { promise.succeed(sessions) }
    }
  }

  /// The present time as a process's start time is told: clock ticks since boot.
  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    let perSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    return UInt64(time.tv_sec) * perSecond + UInt64(time.tv_nsec) * perSecond / 1_000_000_000
  }

  /// The processes with this entry (`NAME=value`) in their environment, as far as it may be read.
  static func members(carrying entry: String) -> [Member] {
    pids().compactMap { pid in
      // The start time first: a number that passes on meanwhile does not match later.
      guard let member = member(pid), environment(of: pid, contains: entry) else { return nil }
      return member
    }
  }

  /// Those with an entry that begins so, and what follows there.
  static func members(carryingPrefix prefix: String) -> [(Member, String)] {
    pids().compactMap { pid in
      guard let member = member(pid), let text = contents(of: "/proc/\(pid)/environ"),
        let entry = text.utf8.split(separator: 0).first(where: { $0.starts(with: prefix.utf8) })
      else { return nil }
      return (member, String(decoding: entry.dropFirst(prefix.utf8.count), as: UTF8.self))
    }
  }

  static func member(_ pid: pid_t) -> Member? {
    stat(of: pid).map { Member(pid: pid, startTime: $0.startTime) }
  }

  /// Whether the whole entry stands in the environment with which the process was executed.
  static func environment(of pid: pid_t, contains entry: String) -> Bool {
    guard let text = contents(of: "/proc/\(pid)/environ") else { return false }
    return text.utf8.split(separator: 0).contains { $0.elementsEqual(entry.utf8) }
  }

  /// Whether another group than the process's own has the foreground of its terminal; nil if it has
  /// no terminal.
  static func hasForegroundJob(_ pid: pid_t) -> Bool? {
    guard let stat = stat(of: pid), stat.foreground > 0 else { return nil }
    return stat.foreground != stat.group
  }

  /// The words with which the process's program was executed; nil if that cannot be known.
  static func command(of pid: pid_t) -> [String]? {
    guard let text = contents(of: "/proc/\(pid)/cmdline"), !text.isEmpty else { return nil }
    return text.utf8.split(separator: 0, omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
  }

  private static func pids() -> [pid_t] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var pids: [pid_t] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let pid = pid_t(name) { pids.append(pid) }
    }
    return pids
  }

  static func isAlive(_ member: Member) -> Bool {
    stat(of: member.pid)?.startTime == member.startTime
  }

  private struct Stat {
    var group: pid_t
    var session: pid_t
    var foreground: pid_t
    var startTime: UInt64
  }

  private static func stat(of pid: pid_t) -> Stat? {
    guard let text = contents(of: "/proc/\(pid)/stat"),
      // The name in parentheses may contain anything; fields count from behind it.
      let close = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[close...].split(separator: " ")
    guard fields.count > 20, let group = pid_t(fields[3]), let session = pid_t(fields[4]),
      let foreground = pid_t(fields[6]), let start = UInt64(fields[20])
    else { return nil }
    return Stat(group: group, session: session, foreground: foreground, startTime: start)
  }

  /// A file of /proc, at most 64 KiB of it; nil if it cannot be read.
  static func contents(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4_096)
    while bytes.count < PipeLimits.procFile {
      let count = read(descriptor, &piece, piece.count)
      if count <= 0 { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

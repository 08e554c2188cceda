// What this process takes of its machine, for operators.

import Glibc

/// What this process uses of the machine.
struct ProcessUse {
  private var last: (time: ContinuousClock.Instant, microseconds: Int64)?

  /// - Returns: percent of one core since the last time, and bytes in memory; 0: not known.
  mutating func measure() -> (processor: Double, memory: UInt64) {
    let now = ContinuousClock.now
    // In microseconds (POSIX: CLOCKS_PER_SEC is a million).
    let used = Int64(clock())
    var processor = 0.0
    if let last, now > last.time {
      let share = Double(used - last.microseconds) / ((now - last.time) / .microseconds(1))
      processor = (share * 1_000).rounded() / 10
    }
    last = (now, used)
    return (processor, Self.residentBytes)
  }

  /// Of /proc/self/statm: pages, of which the second number are in memory.
  private static var residentBytes: UInt64 {
    let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return 0 }
    let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
    guard words.count > 1, let pages = UInt64(words[1]) else { return 0 }
    return pages * UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
  }
}

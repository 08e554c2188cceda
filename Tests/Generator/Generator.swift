// The process under test: prints a numbered stream at a pace, reads the stream that it is typed, and
// says at the end whether that was exact. `fairlead-generator SEED OUTPUT INPUT PACE`.

import Glibc
import Numbered

@main struct Generator {
  private let pace: Double
  private let wanted: [UInt8]
  private let printed: [UInt8]
  private let start = now()
  private var written = 0
  private var read = 0
  private var checksum = Checksum()
  private var difference: Int?
  private var isEnded = false

  static func main() {
    guard let script = Script(arguments: CommandLine.arguments.dropFirst()) else {
      print("usage: fairlead-generator SEED OUTPUT-BYTES INPUT-BYTES BYTES-PER-SECOND")
      exit(64)
    }
    // Bytes in both directions as they are.
    var terminal = termios()
    if tcgetattr(0, &terminal) == 0 {
      cfmakeraw(&terminal)
      tcsetattr(0, TCSANOW, &terminal)
    }
    var generator = Generator(script)
    generator.run()
    exit(Int32(Script.exitCode))
  }

  private init(_ script: Script) {
    pace = Double(script.pace)
    wanted = script.typed
    printed = NumberedStream.bytes(seed: script.seed, count: script.output)
  }

  private mutating func run() {
    let flags = fcntl(1, F_GETFL)
    _ = fcntl(1, F_SETFL, flags | O_NONBLOCK)
    while !isEnded, written < printed.count || read < wanted.count { turn() }
    // What came twice would come now.
    var last = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    while !isEnded, poll(&last, 1, 100) > 0 { take() }
    _ = fcntl(1, F_SETFL, flags & ~O_NONBLOCK)
    let verdict = Script.verdict(count: read, checksum: checksum, difference: difference)
    _ = verdict.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
  }

  /// Waits for something to read, or for room and time to write.
  private mutating func turn() {
    let due = min(printed.count, Int((Self.now() - start) * pace) + 1)
    var waits = [
      pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
      pollfd(fd: written < due ? 1 : -1, events: Int16(POLLOUT), revents: 0),
    ]
    poll(&waits, 2, written < printed.count && written >= due ? 2 : 1_000)
    if waits[0].revents != 0 { take() }
    if waits[1].revents & Int16(POLLOUT) != 0 {
      let piece = printed[written..<min(due, written + 4_096)]
      written += max(0, piece.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) })
    }
  }

  private mutating func take() {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = Glibc.read(0, &buffer, buffer.count)
    guard count > 0 else {
      isEnded = true
      return
    }
    for (index, byte) in buffer[..<count].enumerated() where difference == nil {
      if read + index >= wanted.count || wanted[read + index] != byte { difference = read + index }
    }
    checksum.add(buffer[..<count])
    read += count
  }

  /// Seconds.
  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

// Measures `Screen`. deploy/bench-screen.sh has it write the streams, so that the rivals read the
// same bytes, then prints one table.
//
//   ScreenBenchmark generate DIR      writes DIR/plain, colour, cursor, cjk
//   ScreenBenchmark run DIR           prints `name value` lines: MB/s, µs and KiB

import Glibc
import Screen

func write(_ bytes: [UInt8], to path: String) {
  guard let file = fopen(path, "wb") else { return perror(path) }
  fwrite(bytes, 1, bytes.count, file)
  fclose(file)
}

func read(_ path: String) -> [UInt8] {
  guard let file = fopen(path, "rb") else {
    perror(path)
    return []
  }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 20)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
    bytes += buffer[..<count]
  }
  return bytes
}

/// Resident memory of this process, in bytes.
func residentMemory() -> Int {
  let fields = String(decoding: read("/proc/self/statm"), as: UTF8.self).split(separator: " ")
  return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4_096
}

/// Processor time of this process, in seconds: what a loaded machine does not distort much.
func processorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Seconds that the quickest of some rounds took.
func quickest(_ rounds: Int, _ body: () -> Void) -> Double {
  var best = Double.infinity
  for _ in 0..<rounds {
    let start = processorTime()
    body()
    best = min(best, processorTime() - start)
  }
  return best
}

let arguments = CommandLine.arguments
guard arguments.count == 3 else {
  print("usage: ScreenBenchmark generate|run DIRECTORY")
  exit(2)
}
let directory = arguments[2]

if arguments[1] == "generate" {
  for stream in BenchmarkStream.all { write(stream.bytes, to: "\(directory)/\(stream.name)") }
  exit(0)
}

// Memory first, before the allocator holds anything that could be used again.
let hundredLines = BenchmarkStream.lines(124)
let before = residentMemory()
var idle: [Screen] = []
for _ in 0..<1_000 {
  let screen = Screen(columns: 80, rows: 24, scrollback: 1_000)
  screen.write(hundredLines)
  idle.append(screen)
}
print("idle", Double(residentMemory() - before) / 1_024 / Double(idle.count))
idle = []

for name in ["plain", "colour", "cursor", "cjk"] {
  let bytes = read("\(directory)/\(name)")
  let seconds = quickest(5) {
    let screen = Screen(columns: 80, rows: 24, scrollback: 1_000)
    // As output arrives: in reads of 16 KiB.
    bytes.withUnsafeBytes { all in
      var start = 0
      while start < all.count {
        let end = min(all.count, start + 16_384)
        screen.write(UnsafeRawBufferPointer(rebasing: all[start..<end]))
        start = end
      }
    }
  }
  print(name, Double(bytes.count) / seconds / 1e6)
}

let full = Screen(columns: 80, rows: 24, scrollback: 1_000)
full.write(BenchmarkStream.lines(1_024))
var size = 0
print("snapshot", quickest(20) { size = full.snapshot().count } * 1e6)
print("snapshot-bytes", size)

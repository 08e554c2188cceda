// The screen in slices of bounded work.

import Screen

extension Screen {
  /// What one call should cost at most, in units of about a cell touched or a byte read.
  static let workPerCall = 500_000
  private static let workPerByte = 16

  /// Takes in output for about `work` units; returns how many bytes it took.
  func write(_ bytes: UnsafeRawBufferPointer, work: Int) -> Int {
    let count = min(bytes.count, max(1, work / Self.workPerByte))
    write(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
    return count
  }

  /// A snapshot of the screen as it is now.
  func beginSnapshot() -> ScreenSnapshot { ScreenSnapshot(snapshot()) }
}

/// A snapshot that is handed out in pieces.
final class ScreenSnapshot {
  private var bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isDone: Bool { bytes.isEmpty }

  func next(work: Int) -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }
}

// Bytes for tests without a process: every offset has its own neighbourhood, and making or comparing
// megabytes of them costs a copy, even in a debug build.

public import NIOCore

public enum Pattern {
  private static let period = 1 << 16
  private static let table: ByteBuffer = {
    var random = SeededGenerator(seed: 1)
    var once = ByteBuffer()
    for _ in 0..<(period / 8) { once.writeInteger(random.next()) }
    var table = ByteBuffer()
    for _ in 0..<4 { table.writeImmutableBuffer(once) }
    return table
  }()

  /// The bytes at `offset` and after it; at most three periods of 64 KiB.
  public static func bytes(at offset: Int, count: Int) -> ByteBuffer {
    table.getSlice(at: offset % period, length: count) ?? ByteBuffer()
  }
}

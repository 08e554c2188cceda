// The bytes of frames: integers with the lowest byte first, texts and bytes behind their count of 32 bits. A reader
// that is asked for what is not there says so once, at the end.

/// Appends to bytes.
public struct FrameWriter {
  public var bytes: [UInt8] = []
  public init() {}

  public mutating func write(_ value: UInt8) { bytes.append(value) }
  public mutating func write(_ value: UInt16) { integer(UInt64(value), 2) }
  public mutating func write(_ value: UInt32) { integer(UInt64(value), 4) }
  public mutating func write(_ value: UInt64) { integer(value, 8) }
  public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }
  public mutating func write(_ value: [UInt8]) {
    write(UInt32(truncatingIfNeeded: value.count))
    bytes.append(contentsOf: value)
  }
  public mutating func write(fixed value: [UInt8]) { bytes.append(contentsOf: value) }
  public mutating func write(list: [[UInt8]]) {
    write(UInt32(truncatingIfNeeded: list.count))
    for item in list { write(item) }
  }

  private mutating func integer(_ value: UInt64, _ count: Int) {
    var rest = value
    for _ in 0..<count {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  /// Begins a frame and returns where; ``endFrame(_:)`` writes its length there.
  public mutating func beginFrame(_ type: UInt8) -> Int {
    let start = bytes.count
    write(UInt32(0))
    write(type)
    return start
  }

  public mutating func endFrame(_ start: Int) {
    var length = UInt32(truncatingIfNeeded: bytes.count - start - 4)
    for index in start..<start + 4 {
      bytes[index] = UInt8(truncatingIfNeeded: length)
      length >>= 8
    }
  }
}

/// Reads from a frame's body.
public struct FrameReader {
  private let bytes: ArraySlice<UInt8>
  private var position: Int
  /// Something was asked for that is not there.
  public private(set) var isShort = false

  public init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  public var rest: Int { bytes.endIndex - position }
  /// All was read, and nothing was missing.
  public var isDone: Bool { !isShort && rest == 0 }

  public mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: integer(1)) }
  public mutating func short() -> UInt16 { UInt16(truncatingIfNeeded: integer(2)) }
  public mutating func word() -> UInt32 { UInt32(truncatingIfNeeded: integer(4)) }
  public mutating func long() -> UInt64 { integer(8) }
  public mutating func bool() -> Bool { byte() != 0 }

  public mutating func fixed(_ count: Int) -> [UInt8] {
    guard count <= rest else {
      isShort = true
      return []
    }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  /// - Parameter most: more than so many is as none.
  public mutating func counted(most: Int = HolderLimits.frame) -> [UInt8] {
    let count = Int(word())
    guard count <= most else {
      isShort = true
      return []
    }
    return fixed(count)
  }

  public mutating func list() -> [[UInt8]] {
    let count = Int(word())
    // Each takes four bytes at least.
    guard count <= rest / 4 else {
      isShort = true
      return []
    }
    var items: [[UInt8]] = []
    items.reserveCapacity(count)
    for _ in 0..<count {
      items.append(counted())
      if isShort { return [] }
    }
    return items
  }

  private mutating func integer(_ count: Int) -> UInt64 {
    guard count <= rest else {
      isShort = true
      return 0
    }
    var value: UInt64 = 0
    var shift: UInt64 = 0
    for index in position..<position + count {
      value |= UInt64(bytes[index]) << shift
      shift += 8
    }
    position += count
    return value
  }
}

/// Cuts a stream of bytes into frames.
public struct FrameSplitter {
  private var bytes: [UInt8] = []
  private var start = 0
  public init() {}

  public mutating func append(_ more: ArraySlice<UInt8>) { bytes.append(contentsOf: more) }

  public enum Next {
    case frame(type: UInt8, body: ArraySlice<UInt8>)
    case incomplete
    /// Longer than a frame may be, or empty: the peer is none of ours.
    case invalid
  }

  /// The body is valid until the splitter is used again.
  public mutating func next(most: Int = HolderLimits.frame) -> Next {
    guard bytes.count - start >= 5 else { return rest() }
    var length = 0
    for index in 0..<4 { length |= Int(bytes[start + index]) << (8 * index) }
    guard length >= 1, length <= most else { return .invalid }
    guard bytes.count - start - 4 >= length else { return rest() }
    let body = bytes[start + 5..<start + 4 + length]
    let type = bytes[start + 4]
    start += 4 + length
    return .frame(type: type, body: body)
  }

  private mutating func rest() -> Next {
    // What was read goes once for each time that something came, so that no byte is moved often.
    if start == bytes.count {
      bytes.removeAll(keepingCapacity: bytes.capacity <= 2 * HolderLimits.payload)
    } else if start > 0 {
      bytes.removeFirst(start)
    }
    start = 0
    return .incomplete
  }
}

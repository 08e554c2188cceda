// The stream that the judge compares byte for byte: numbered lines of words, of characters of two to
// four bytes, and of escape sequences, each with its checksum, so that a difference shows what was lost,
// doubled or garbled. It follows from a seed: the process prints it, the judge makes it again.

public struct NumberedStream: Sequence, IteratorProtocol, Sendable {
  private var state: UInt64
  private var number = 0

  public init(seed: UInt64) { state = seed }

  /// SplitMix64, as in `SeededGenerator`; here without Foundation, since the process under test should
  /// start fast.
  private mutating func random(_ below: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(below))
  }

  private static let words = [
    "halyard", "bowline", "größe", "naïve", "прив", "κόσμε", "繩索導引", "終端機", "日本語", "🚢", "⚓️", "👩‍🚀",
    "—", "x", "aaaaaaaaaaaaaaaa",
  ]
  private static let sequences = [
    "\u{1B}[1m", "\u{1B}[38;5;208m", "\u{1B}[48;2;10;20;30m", "\u{1B}[0m", "\u{1B}[K",
    "\u{1B}[3;7H",
    "\u{1B}]2;Titel ⚓\u{07}", "\u{1B}(B", "\u{1B}[?25l", "\u{1B}[?25h", "\u{1B}[2C",
  ]

  /// The next line, with CR LF.
  public mutating func next() -> [UInt8]? {
    number += 1
    var line = Array("\(number) ".utf8)
    // Mostly short lines; now and then one that is longer than a frame's slice is likely to be.
    for _ in 0..<(random(40) == 0 ? 200 : 1 + random(10)) {
      let piece =
        random(3) == 0
        ? Self.sequences[random(Self.sequences.count)] : Self.words[random(Self.words.count)] + " "
      line += Array(piece.utf8)
    }
    line += Array(String(Checksum(of: line).value, radix: 16).utf8)
    return line + [0x0D, 0x0A]
  }

  /// The first `count` bytes of the stream.
  public static func bytes(seed: UInt64, count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 4_096)
    var stream = NumberedStream(seed: seed)
    while bytes.count < count, let line = stream.next() { bytes += line }
    return Array(bytes.prefix(count))
  }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): enough to tell streams apart, and needs nothing.
public struct Checksum: Sendable, Equatable {
  public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  public init() {}
  public init(of bytes: some Sequence<UInt8>) { add(bytes) }

  public mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }
}

/// What one run of the process under test prints and wants to read.
public struct Script: Sendable, Equatable {
  public var seed: UInt64
  /// Bytes of the numbered stream that it prints.
  public var output: Int
  /// Bytes that it wants to read: the numbered stream of another seed.
  public var input: Int
  /// Bytes per second that it prints.
  public var pace: Int

  public init(seed: UInt64, output: Int, input: Int, pace: Int) {
    self.seed = seed
    self.output = output
    self.input = input
    self.pace = pace
  }

  public var arguments: [String] { ["\(seed)", "\(output)", "\(input)", "\(pace)"] }

  public init?(arguments: some Collection<String>) {
    let numbers = arguments.compactMap { UInt64($0) }
    guard numbers.count == 4, arguments.count == 4 else { return nil }
    self.init(
      seed: numbers[0], output: Int(numbers[1]), input: Int(numbers[2]), pace: Int(numbers[3]))
  }

  public var typed: [UInt8] { NumberedStream.bytes(seed: ~seed, count: input) }

  /// All that it prints when it read what it wanted.
  public var printed: [UInt8] {
    NumberedStream.bytes(seed: seed, count: output)
      + Self.verdict(count: input, checksum: Checksum(of: typed), difference: nil)
  }

  /// The last line: what it read, and where that first differed from what it wanted.
  public static func verdict(count: Int, checksum: Checksum, difference: Int?) -> [UInt8] {
    let sum = String(checksum.value, radix: 16)
    let verdict = difference.map { "DIFFERS at byte \($0)" } ?? "exact"
    return Array("\r\nread \(count) bytes, \(sum): \(verdict)\r\n".utf8)
  }

  /// Its exit code: told to every client, so that it can be checked too.
  public static let exitCode = 7
}

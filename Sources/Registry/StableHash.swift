// A hash that is the same in every process and version, for placement and for a session's loop.
// FNV-1a (Fowler, Noll, Vo; draft-eastlake-fnv) finished with the 64-bit mix of SplitMix64 (Steele,
// Lea, Flood 2014), since FNV alone leaves the high bits of short names poorly spread.

public import Wire

enum StableHash {
  static func hash(_ parts: String...) -> UInt64 {
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for part in parts {
      for byte in part.utf8 { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
      // A byte that no name contains, so that ("ab", "c") differs from ("a", "bc").
      state = (state ^ 0xFF) &* 0x0000_0100_0000_01B3
    }
    return mix(state)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

extension SessionID {
  /// Which of its node's event loops holds the session. 0 when there are none.
  public func loopIndex(of loops: Int) -> Int {
    loops > 0 ? Int(StableHash.hash(rawValue) % UInt64(loops)) : 0
  }

  /// A random one that a node of so many loops holds on this one.
  public static func random(onLoop index: Int, of loops: Int) -> SessionID {
    while true {
      let id = random()
      if loops <= 1 || id.loopIndex(of: loops) == index % loops { return id }
    }
  }
}

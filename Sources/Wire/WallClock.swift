// The time of day, in the two forms in which it travels: milliseconds in frames and answers, seconds in tokens.

import FoundationEssentials

/// Since 1970. What is measured and waited for goes by monotonic clocks instead.
public enum WallClock {
  public static var milliseconds: UInt64 { UInt64(max(0, seconds * 1_000)) }
  public static var seconds: Double { Date().timeIntervalSince1970 }
}

// Times as people read them, in answers and on the command line.

import FoundationEssentials

/// A time in milliseconds since 1970, in UTC; nil: it is beyond the year 9999, which no clock of ours says.
public func timeText(_ milliseconds: UInt64) -> String? {
  guard milliseconds <= endOfYear9999 else { return nil }
  return Date(timeIntervalSince1970: Double(milliseconds) / 1_000).ISO8601Format()
}

/// In milliseconds since 1970: later ones have no four digits of a year.
private let endOfYear9999: UInt64 = 253_402_300_799_000

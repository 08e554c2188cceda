// What befalls a connection, and how it is drawn: a profile says what may happen, and a seed with the
// connection's number decides what does, so that a run can be repeated.

import Glibc
import TestSupport

/// What happens to one direction of a connection.
public struct Fault: Sendable, Equatable {
  /// The connection is cut once so many bytes went this way, at the first `place` from there on.
  public var cut: Cut?
  /// Held back by so many milliseconds.
  public var delay: Int
  /// Bytes per second; nil: as fast as they come.
  public var rate: Int?

  public struct Cut: Sendable, Equatable {
    public var after: Int
    public var place: CutPlace
    public var style: Style
    public init(after: Int, place: CutPlace, style: Style) {
      self.after = after
      self.place = place
      self.style = style
    }
  }

  public enum Style: String, Sendable, CaseIterable {
    /// RST on both sides: a crashed peer.
    case reset
    /// FIN on both sides: a proxy that restarts.
    case close
    /// Nothing is passed on any more, and nobody is told: a dead network.
    case halfOpen = "half-open"
  }

  public init(cut: Cut? = nil, delay: Int = 0, rate: Int? = nil) {
    self.cut = cut
    self.delay = delay
    self.rate = rate
  }
}

/// What befalls one connection.
public struct ConnectionPlan: Sendable, Equatable {
  /// Towards the target, and back.
  public var up = Fault()
  public var down = Fault()
  public init(up: Fault = Fault(), down: Fault = Fault()) {
    self.up = up
    self.down = down
  }
}

/// What may befall connections.
public struct ChaosProfile: Sendable {
  /// Share of the connections that are cut at all, 0 to 1.
  public var cutShare = 1.0
  /// Bytes that pass before a cut, both directions alike.
  public var cutAfter = 100...65_536
  /// The share of cuts in what clients receive: most of the traffic, and where the places of interest are.
  public var downShare = 0.8
  public var places = CutPlace.allCases
  public var styles: [Fault.Style] = [.reset, .close]
  /// Share of the cut connections that become half-open instead.
  public var halfOpenShare = 0.0
  /// Milliseconds by which each direction is held back.
  public var delay = 0...0
  /// Bytes per second of each direction; nil: unlimited.
  public var rate: ClosedRange<Int>?

  public init() {}

  /// Passes everything on.
  public static var faithful: ChaosProfile {
    var profile = ChaosProfile()
    profile.cutShare = 0
    return profile
  }

  /// The plan of connection number `index`.
  public func plan(seed: UInt64, index: Int) -> ConnectionPlan {
    var random = SeededGenerator(seed: seed &+ UInt64(index) &* 0xD129_0C39_54C2_F31B)
    func direction() -> Fault {
      Fault(
        delay: Int.random(in: delay, using: &random),
        rate: rate.map { Int.random(in: $0, using: &random) })
    }
    var plan = ConnectionPlan(up: direction(), down: direction())
    guard random.chance(cutShare) else { return plan }
    let isHalfOpen = random.chance(halfOpenShare)
    // As often small as large: the logarithm is uniform.
    let (low, high) = (Double(max(1, cutAfter.lowerBound)), Double(max(1, cutAfter.upperBound)))
    let after = low * pow(high / low, Double.random(in: 0...1, using: &random))
    let cut = Fault.Cut(
      after: Int(after), place: places.randomElement(using: &random) ?? .anywhere,
      style: isHalfOpen ? .halfOpen : styles.randomElement(using: &random) ?? .reset)
    if random.chance(downShare) { plan.down.cut = cut } else { plan.up.cut = cut }
    return plan
  }
}

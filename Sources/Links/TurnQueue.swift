// Who has something to send, in the order of their turns. One who was given a turn and has more to send is added
// again, behind the others, so that an echo never waits behind the whole of a flood. Pure.
//
// The queue alone knows who waits in it: its members carry no mark that would have to be kept equal to it. A list
// whose links are numbers, so that each call takes the same time however many wait, and allocates nothing once the
// queue has been as long before.

/// Each member waits at most once.
public struct TurnQueue<Member: Hashable> {
  /// A place in the list, or in the list of free ones; `none` at the ends.
  @usableFromInline
  struct Place {
    /// Nil: the place is free.
    @usableFromInline var member: Member?
    @usableFromInline var before: Int
    @usableFromInline var behind: Int

    @inlinable
    init(_ member: Member, before: Int, behind: Int) {
      self.member = member
      self.before = before
      self.behind = behind
    }
  }

  @usableFromInline static var none: Int { -1 }

  @usableFromInline var places: [Place] = []
  @usableFromInline var placeOf: [Member: Int] = [:]
  @usableFromInline var first = -1
  @usableFromInline var last = -1
  @usableFromInline var free = -1

  @inlinable public init() {}

  @inlinable public var isEmpty: Bool { first < 0 }

  @inlinable public var count: Int { placeOf.count }

  @inlinable public func contains(_ member: Member) -> Bool { placeOf[member] != nil }

  /// Adds it behind all others, unless it waits already: then it keeps its turn.
  /// - Returns: whether it was added.
  @inlinable @discardableResult
  public mutating func enqueue(_ member: Member) -> Bool {
    guard placeOf[member] == nil else { return false }
    let place = free == Self.none ? places.count : free
    placeOf[member] = place
    if free == Self.none {
      places.append(Place(member, before: last, behind: Self.none))
    } else {
      free = places[place].behind
      places[place] = Place(member, before: last, behind: Self.none)
    }
    if last == Self.none { first = place } else { places[last].behind = place }
    last = place
    return true
  }

  /// Takes out whose turn it is.
  @inlinable
  public mutating func popFirst() -> Member? {
    guard first != Self.none, let member = places[first].member else { return nil }
    remove(member)
    return member
  }

  /// It waits no longer.
  /// - Returns: whether it did.
  @inlinable @discardableResult
  public mutating func remove(_ member: Member) -> Bool {
    guard let place = placeOf.removeValue(forKey: member) else { return false }
    let (before, behind) = (places[place].before, places[place].behind)
    if before == Self.none { first = behind } else { places[before].behind = behind }
    if behind == Self.none { last = before } else { places[behind].before = before }
    places[place].member = nil
    places[place].behind = free
    free = place
    return true
  }

  /// Nobody waits, and the memory is given back.
  @inlinable public mutating func removeAll() { self = TurnQueue() }
}

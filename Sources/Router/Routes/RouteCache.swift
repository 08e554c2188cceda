// What was used last, up to a number: who comes when it is full takes the place of what was not asked for
// the longest, so that a name nobody needs never costs one in use. Every call takes the same time,
// whatever it holds. Pure.

struct RouteCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  /// Neighbours in the order of use; `none` at the ends.
  private struct Entry {
    var key: Key
    var value: Value
    var newer: Int
    var older: Int
  }

  private static var none: Int { -1 }

  let capacity: Int
  private var entries: [Entry] = []
  /// Where each key's entry stands.
  private var places: [Key: Int] = [:]
  private var newest = Self.none
  private var oldest = Self.none

  /// - Parameter capacity: at least 1.
  init(capacity: Int) { self.capacity = max(1, capacity) }

  var count: Int { entries.count }

  /// What is known of `key`, which counts as used by that.
  mutating func use(_ key: Key) -> Value? {
    guard let place = places[key] else { return nil }
    if place != newest {
      unlink(place)
      link(place)
    }
    return entries[place].value
  }

  /// Nil forgets it.
  mutating func set(_ key: Key, _ value: Value?) {
    guard let value else { return remove(key) }
    if use(key) != nil {
      entries[newest].value = value
      return
    }
    if entries.count >= capacity { remove(entries[oldest].key) }
    places[key] = entries.count
    entries.append(Entry(key: key, value: value, newer: Self.none, older: Self.none))
    link(entries.count - 1)
  }

  private mutating func remove(_ key: Key) {
    guard let place = places.removeValue(forKey: key) else { return }
    unlink(place)
    let last = entries.removeLast()
    guard place < entries.count else { return }
    // The last one moves into the gap.
    entries[place] = last
    places[last.key] = place
    if last.newer == Self.none { newest = place } else { entries[last.newer].older = place }
    if last.older == Self.none { oldest = place } else { entries[last.older].newer = place }
  }

  private mutating func unlink(_ place: Int) {
    let (newer, older) = (entries[place].newer, entries[place].older)
    if newer == Self.none { newest = older } else { entries[newer].older = older }
    if older == Self.none { oldest = newer } else { entries[older].newer = newer }
  }

  private mutating func link(_ place: Int) {
    entries[place].newer = Self.none
    entries[place].older = newest
    if newest == Self.none { oldest = place } else { entries[newest].newer = place }
    newest = place
  }
}

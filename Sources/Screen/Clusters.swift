// Characters with combining marks: a base code point and what was joined to it, by index. The store
// is append-only between collections; a mark added to the last cluster extends it in place.

struct ClusterStore {
  /// At a cluster's index: its length, then its code points.
  private var words = Block<UInt32>(count: 1)
  private(set) var count = 0
  /// Collect when `count` passes this, or once ``Limit/droppedMarks`` were dropped because the store was full.
  var collectAt = Limit.clusterWords
  var dropped = 0

  /// It holds only what a screen of this size needs.
  mutating func collectLater(columns: Int, rows: Int) {
    collectAt = max(max(Limit.clusterWords, columns * rows / Limit.cellsPerClusterWord), count * 2)
  }

  func deallocate() { words.deallocate() }

  var byteCount: Int { words.count * 4 }

  mutating func removeAll() { count = 0 }

  /// A store of its own with the same clusters.
  func copy() -> ClusterStore {
    var copy = self
    copy.words = words.copied(count, capacity: count)
    return copy
  }

  private mutating func reserve(_ extra: Int) {
    guard count + extra > words.count else { return }
    let moved = words.copied(count, capacity: max(64, max(words.count * 2, count + extra)))
    words.deallocate()
    words = moved
  }

  /// Code points of a cluster.
  func length(_ index: UInt32) -> Int { min(Int(words[Int(index)]), Limit.clusterLength) }
  func codePoint(_ index: UInt32, _ position: Int) -> UInt32 { words[Int(index) + 1 + position] }

  /// A new cluster of two code points; nil when the store is full.
  mutating func make(_ base: UInt32, _ mark: UInt32) -> UInt32? {
    guard count + 3 <= Limit.clusterStore else { return nil }
    reserve(3)
    let index = UInt32(count)
    words[count] = 2
    words[count + 1] = base
    words[count + 2] = mark
    count += 3
    return index
  }

  /// The cluster with one more mark: the same index, a new one, or nil when it is long or the store full.
  mutating func append(_ index: UInt32, _ mark: UInt32) -> UInt32? {
    let start = Int(index)
    let length = length(index)
    guard length < Limit.clusterLength else { return nil }
    if start + 1 + length == count {
      guard count + 1 <= Limit.clusterStore else { return nil }
      reserve(1)
      words[count] = mark
      count += 1
      words[start] = UInt32(length + 1)
      return index
    }
    guard count + length + 2 <= Limit.clusterStore else { return nil }
    reserve(length + 2)
    let moved = UInt32(count)
    words[count] = UInt32(length + 1)
    words.move(from: start + 1, to: count + 1, count: length)
    words[count + 1 + length] = mark
    count += length + 2
    return moved
  }

  /// Copies a cluster from another generation of the store (collection).
  mutating func copy(_ index: UInt32, from old: ClusterStore) -> UInt32 {
    let length = old.length(index)
    reserve(length + 1)
    let moved = UInt32(count)
    words[count] = UInt32(length)
    words.copy(old.words, from: Int(index) + 1, to: count + 1, count: length)
    count += length + 1
    return moved
  }

  /// A cluster of another store. It may pass ``Limit/clusterStore``, but never the 21-bit index.
  mutating func make(copying index: UInt32, of other: ClusterStore) -> UInt32? {
    guard count + other.length(index) + 1 < Limit.clusterIndex else { return nil }
    return copy(index, from: other)
  }

  /// Begins a cluster whose code points come one by one, with the same bounds.
  mutating func begin() -> UInt32? {
    guard count + Limit.clusterLength + 1 < Limit.clusterIndex else { return nil }
    reserve(Limit.clusterLength + 1)
    let index = UInt32(count)
    words[count] = 0
    count += 1
    return index
  }

  /// Adds to the cluster that was begun last.
  mutating func add(_ code: UInt32, to index: UInt32) {
    let length = words[Int(index)]
    guard length < Limit.clusterLength, count < words.count else { return }
    words[Int(index)] = length + 1
    words[count] = code
    count += 1
  }

  /// A cluster of given code points (at most ``Limit/clusterLength`` of them are kept). Used when packed
  /// lines come back into the grid, so it may pass ``Limit/clusterStore``, but never the 21-bit index.
  mutating func make(_ codePoints: [UInt32]) -> UInt32? {
    let kept = min(codePoints.count, Limit.clusterLength)
    guard kept > 0, count + kept + 1 < Limit.clusterIndex else { return nil }
    reserve(kept + 1)
    let index = UInt32(count)
    words[count] = UInt32(kept)
    for offset in 0..<kept { words[count + 1 + offset] = codePoints[offset] }
    count += kept + 1
    return index
  }

  /// The code points of a cluster.
  func codePoints(_ index: UInt32) -> [UInt32] {
    (0..<length(index)).map { codePoint(index, $0) }
  }

  /// Whether a cluster of that index is whole.
  func holds(_ index: UInt32) -> Bool {
    Int(index) < count && (2...Limit.clusterLength).contains(Int(words[Int(index)]))
      && Int(index) + 1 + Int(words[Int(index)]) <= count
  }
}

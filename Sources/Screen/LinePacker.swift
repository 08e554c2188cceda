// Packs a line for the scrollback (PackedLine.swift) before it is known how long it gets and which page takes it.

struct LinePacker {
  private var scratch = Block<UInt8>(count: 1)
  /// The runs of the line: where they are, and of which look.
  private var runs: [(at: Int, look: UInt32)] = []

  func deallocate() { scratch.deallocate() }

  var byteCount: Int { scratch.count }

  /// Packs a line of any kind as runs, without its head.
  mutating func pack(
    _ cells: Block<Cell>, _ used: Int, _ flags: PackedLine.Flags, _ clusters: borrowing ClusterStore
  ) -> (length: Int, flags: PackedLine.Flags, trimmed: Int) {
    var flags = flags
    runs.removeAll(keepingCapacity: true)
    // A run's head of four bytes and four of UTF-8 for each cell; clusters ask for more.
    reserve(PackedLine.headSize + used * 8 + 8)
    var length = PackedLine.headSize
    var column = 0
    while column < used {
      let start = length
      let look = cells[column].attributeBits
      runs.append((start, cells[column].attributes))
      length &+= 4
      while column < used, cells[column].attributeBits == look,
        length &- start < PackedLine.longestRun
      {
        if cells[column].isCluster {
          putCluster(cells[column], &length, clusters, left: used - column)
          if cells[column].width != 1 { flags.insert(.uneven) }
          column &+= 1
        } else {
          let end = min(used, column &+ PackedLine.longestRun / 8)
          let put = scratch.putCells(cells, column, end, length)
          length = put.at
          column = put.column
          if put.isUneven { flags.insert(.uneven) }
        }
      }
      scratch.store32(start, UInt32(truncatingIfNeeded: length &- start &- 4) << 16)
    }
    var trimmed = used
    while trimmed > 0 && !cells[trimmed - 1].hasContent && !cells[trimmed - 1].isRightHalf {
      trimmed -= 1
    }
    return (length, flags, trimmed)
  }

  private mutating func reserve(_ count: Int) {
    guard count > scratch.count else { return }
    let larger = scratch.copied(scratch.count, capacity: count)
    scratch.deallocate()
    scratch = larger
  }

  private mutating func putCluster(
    _ cell: Cell, _ length: inout Int, _ clusters: borrowing ClusterStore, left: Int
  ) {
    let count = clusters.length(cell.code)
    reserve(length + count * 4 + 8 + left * 8)
    scratch[length] = PackedLine.clusterStart
    length &+= 1
    for position in 0..<count {
      length &+= scratch.putUTF8(clusters.codePoint(cell.code, position), length)
    }
    scratch[length] = PackedLine.clusterEnd
    length &+= 1
  }

  /// Copies the packed line into a page. `number` says what the page calls a look.
  func copy(_ length: Int, to bytes: Block<UInt8>, at: Int, number: (UInt32) -> UInt32) {
    bytes.copy(scratch, from: 0, to: at, count: length)
    for run in runs {
      let place = at + run.at
      bytes.store32(place, bytes.load32(place) & 0xFFFF_0000 | number(run.look))
    }
  }
}

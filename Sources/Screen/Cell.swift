// One cell of the grid is one 64-bit word. The low half is the content, the high half the index of
// its attributes in the session's attribute table:
//
//     63            32 31     24 23 22  21  20                 0
//     [ attributes   ] [   0   ] [width][cluster][ code point  ]
//
// A blank cell (never written, or erased) has code point 0 and width 1; the right half of a wide
// character has code point 0 and width 0. With the cluster bit set, the low 21 bits are an index
// into the cluster store. The layout follows what xterm.js keeps per cell, so that a snapshot can
// bring back exactly what a browser holds.

typealias Cell = UInt64

extension Cell {
  static let codeMask: Cell = 0x1F_FFFF
  static let clusterBit: Cell = 1 << 21
  static let contentMask: Cell = 0x3F_FFFF
  static let widthShift: Cell = 22
  static let narrow: Cell = 1 << 22
  static let wide: Cell = 2 << 22
  static let attributesMask: Cell = 0xFFFF_FFFF_0000_0000

  /// A cell nobody wrote to, with default attributes.
  static let blank: Cell = narrow

  /// Code point, or cluster index when `isCluster`.
  @inline(__always) var code: UInt32 { UInt32(truncatingIfNeeded: self & Cell.codeMask) }
  @inline(__always) var isCluster: Bool { self & Cell.clusterBit != 0 }
  /// Anything was printed here (a right half of a wide character has no content of its own).
  @inline(__always) var hasContent: Bool { self & Cell.contentMask != 0 }
  @inline(__always) var width: Int { Int(truncatingIfNeeded: (self >> Cell.widthShift) & 3) }
  @inline(__always) var attributes: UInt32 { UInt32(truncatingIfNeeded: self >> 32) }
  /// The high half alone, ready to be or-ed to a content.
  @inline(__always) var attributeBits: Cell { self & Cell.attributesMask }
  @inline(__always) var isRightHalf: Bool { self & 0xFF_FFFF == 0 }
}

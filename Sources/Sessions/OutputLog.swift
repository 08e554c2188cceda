// The last bytes that a session's pipe produced, addressed by absolute offset, with the terminal's
// size changes at their places among them. A ring of pages: it grows to its limit and then drops
// whole pages from its start. The memory comes from a `PageSource`: a node's logs share a pool, so that it
// can give back what they leave behind.

import DequeModule
public import NIOCore
public import Wire

/// Where a log's pages, of ``SessionLimits/logPage`` bytes each, come from and go back to.
public protocol PageSource: Sendable {
  func allocatePage() -> UnsafeMutableRawPointer
  func deallocatePage(_ page: UnsafeMutableRawPointer)
}

/// Pages from the heap, for tests and tools.
public struct HeapPages: PageSource {
  public init() {}
  public func allocatePage() -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer.allocate(byteCount: SessionLimits.logPage, alignment: 16)
  }
  public func deallocatePage(_ page: UnsafeMutableRawPointer) { page.deallocate() }
}

/// One page. What the log computes from offsets and counts is checked here once more, in release builds too: beyond
/// its end nothing is read or written.
private struct Page {
  let memory: UnsafeMutableRawPointer

  private func holds(_ position: Int, _ count: Int) -> Bool {
    let isInside =
      position >= 0 && count >= 0 && position <= SessionLimits.logPage
      && count <= SessionLimits.logPage - position
    assert(isInside, "a place outside of the log's page")
    return isInside
  }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int) {
    guard let from = bytes.baseAddress, holds(position, bytes.count) else { return }
    memory.advanced(by: position).copyMemory(from: from, byteCount: bytes.count)
  }

  func bytes(at position: Int, _ count: Int) -> UnsafeRawBufferPointer {
    guard holds(position, count) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: memory.advanced(by: position), count: count)
  }
}

/// Confined to its session's loop.
public final class OutputLog {
  public struct SizeMark: Equatable {
    /// The size holds from this output offset on.
    public var offset: UInt64
    public var size: TerminalSize
  }

  /// The oldest offset that can still be read.
  public private(set) var start: UInt64
  /// The offset that the next byte will have.
  public private(set) var end: UInt64
  /// Number of the oldest size mark kept, and of the next one; marks are numbered from 0.
  public private(set) var firstMark = 0
  public var nextMark: Int { firstMark + marks.count }

  private let limit: Int
  private let source: any PageSource
  private var pages: Deque<Page> = []
  /// Offset of the first byte of `pages[0]`; a multiple of the page size.
  private var base: UInt64
  private var marks: Deque<SizeMark> = []

  /// - Parameters:
  ///   - limit: bytes kept at least, once so many were produced; rounded up to pages.
  ///   - offset: of the first byte that will be appended.
  public init(
    limit: Int = SessionLimits.log, source: any PageSource = HeapPages(),
    startingAt offset: UInt64 = 0
  ) {
    self.limit = max(limit, SessionLimits.logPage)
    self.source = source
    start = offset
    end = offset
    base = offset - offset % UInt64(SessionLimits.logPage)
  }

  deinit { for page in pages { source.deallocatePage(page.memory) } }

  public var memoryFootprint: Int { pages.count * SessionLimits.logPage }

  public func append(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while !rest.isEmpty {
      let used = Int(end - base)
      if used >= pages.count * SessionLimits.logPage { addPage() }
      let inPage = Int(end - base) % SessionLimits.logPage
      let count = min(rest.count, SessionLimits.logPage - inPage)
      pages[pages.count - 1].write(UnsafeRawBufferPointer(rebasing: rest.prefix(count)), at: inPage)
      end += UInt64(count)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// A full ring turns its oldest page into its newest; a growing one takes new memory.
  private func addPage() {
    guard pages.count * SessionLimits.logPage >= limit + SessionLimits.logPage else {
      return pages.append(Page(memory: source.allocatePage()))
    }
    pages.append(pages.removeFirst())
    base += UInt64(SessionLimits.logPage)
    start = max(start, base)
    dropMarks()
  }

  /// Copies up to `count` bytes from `offset` on into `buffer` and returns how many. `offset` must
  /// be within `start...end`; what is outside reads as nothing.
  public func read(at offset: UInt64, count: Int, into buffer: inout ByteBuffer) -> Int {
    guard offset >= start, offset < end else { return 0 }
    let total = min(count, Int(end - offset))
    var position = Int(offset - base)
    var left = total
    while left > 0 {
      let inPage = position % SessionLimits.logPage
      let piece = min(left, SessionLimits.logPage - inPage)
      buffer.writeBytes(pages[position / SessionLimits.logPage].bytes(at: inPage, piece))
      position += piece
      left -= piece
    }
    return total
  }

  // MARK: Size changes

  /// Notes that from the end on the terminal has this size. Returns the mark's number. A change at
  /// the same offset as the one before replaces it, under the same number.
  public func markSize(_ size: TerminalSize) -> Int {
    let mark = SizeMark(offset: end, size: size)
    if let last = marks.last, last.offset == end {
      marks[marks.count - 1] = mark
    } else {
      marks.append(mark)
      if marks.count > SessionLimits.sizeMarks {
        // Output before the change that is forgotten could not be replayed at its size, and who began right at it would
        // not hear of it: so all of that is forgotten too. (It lies before the end: a later change follows.)
        start = max(start, marks[0].offset + 1)
        marks.removeFirst()
        firstMark += 1
      }
    }
    return nextMark - 1
  }

  public func mark(_ number: Int) -> SizeMark? {
    marks.indices.contains(number - firstMark) ? marks[number - firstMark] : nil
  }

  /// Number of the first mark at or after `offset`: what a stream that resumes there sees next.
  public func firstMark(from offset: UInt64) -> Int {
    firstMark + (marks.firstIndex { $0.offset >= offset } ?? marks.count)
  }

  private func dropMarks() {
    while let first = marks.first, first.offset < start {
      marks.removeFirst()
      firstMark += 1
    }
  }
}

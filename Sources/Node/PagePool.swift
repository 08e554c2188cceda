// The memory of a node's logs. Pages from the heap lie between other things, so that what a thousand logs
// leave behind stays with the process for good, and giving the whole heap back would stop its loops for
// as long as that takes. These pages lie by themselves, and go back to the system one by one.

import Glibc
import NIOConcurrencyHelpers
import Sessions

/// Pages of ``SessionLimits/logPage`` bytes. Its lock is held for as long as it takes to move a pointer, once for
/// each page that a log takes while it grows, as the heap's would be.
final class PagePool: PageSource {
  private struct State {
    /// Free, and still in memory; the last used first.
    var warm: [UInt] = []
    /// Free, and nothing but addresses.
    var cold: [UInt] = []
    var slabs: [UInt] = []
    var isTidying = false

    mutating func reserve() -> UInt {
      let memory = mmap(
        nil, PagePool.slab, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard let memory, memory != MAP_FAILED else {
        // The heap then ends the process, as it does at every other lack of memory.
        return UInt(
          bitPattern: UnsafeMutableRawPointer.allocate(
            byteCount: PagePool.slab, alignment: PagePool.page))
      }
      slabs.append(UInt(bitPattern: memory))
      return UInt(bitPattern: memory)
    }
  }

  private let state = NIOLockedValueBox(State())
  private static let page = SessionLimits.logPage
  private static let slab = NodeLimits.slabPages * page

  deinit {
    for slab in state.withLockedValue({ $0.slabs }) {
      munmap(UnsafeMutableRawPointer(bitPattern: slab), Self.slab)
    }
  }

  func allocatePage() -> UnsafeMutableRawPointer {
    let address = state.withLockedValue { state in
      if let page = state.warm.popLast() ?? state.cold.popLast() { return page }
      let slab = state.reserve()
      // The lowest first, so that a log's pages lie together.
      state.cold += stride(from: slab + UInt(Self.slab - Self.page), to: slab, by: -Self.page)
      return slab
    }
    // No slab begins at 0.
    return UnsafeMutableRawPointer(bitPattern: address)!
  }

  func deallocatePage(_ page: UnsafeMutableRawPointer) {
    if keep(page) { tidySoon() }
  }

  /// True: so many are free by now that some are to go back to the system.
  func keep(_ page: UnsafeMutableRawPointer) -> Bool {
    state.withLockedValue { state in
      state.warm.append(UInt(bitPattern: page))
      guard state.warm.count > NodeLimits.warmPages, !state.isTidying else { return false }
      state.isTidying = true
      return true
    }
  }

  /// Gives pages back off the loops, and after a moment: sessions end in numbers, and others begin.
  private func tidySoon() {
    Task { [weak self] in
      repeat { try? await Task.sleep(for: NodeLimits.tidying) } while self?.tidy() == true
    }
  }

  /// Gives all free pages but some back to the system. True: more have come free meanwhile.
  @discardableResult
  func tidy() -> Bool {
    var pages = state.withLockedValue { state in
      let surplus = max(0, state.warm.count - NodeLimits.warmPages)
      // The pages that were used last are kept.
      defer { state.warm.removeFirst(surplus) }
      return Array(state.warm.prefix(surplus))
    }
    pages.sort()
    var start = 0
    for index in pages.indices
    where index + 1 == pages.count || pages[index + 1] != pages[index] + UInt(Self.page) {
      Self.release(from: pages[start], to: pages[index] + UInt(Self.page))
      start = index + 1
    }
    return state.withLockedValue { state in
      state.cold += pages.reversed()
      state.isTidying = state.warm.count > NodeLimits.warmPages
      return state.isTidying
    }
  }

  /// Releases whole pages of the machine only, which may be larger than these.
  private static func release(from start: UInt, to end: UInt) {
    let size = UInt(max(page, sysconf(CInt(_SC_PAGESIZE))))
    let first = (start + size - 1) / size * size
    let last = end / size * size
    guard first < last else { return }
    madvise(UnsafeMutableRawPointer(bitPattern: first), Int(last - first), MADV_DONTNEED)
  }
}

// A connection to the holder: of a node's loop, once it has proven that it knows the key.

final class Peer {
  let number: UInt32
  let descriptor: Int32
  let nonce: [UInt8]
  let since: UInt64
  var isProven = false
  var lastHeard: UInt64
  var incoming = FrameSplitter()
  var outgoing = FrameWriter()
  /// So many bytes of that are written.
  private(set) var written = 0
  /// What epoll was told to look for.
  var interest: Int32 = 0
  /// It stands in the list of those that are served at the end of the loop's turn.
  var isBusy = false
  /// When what waits is written, though nothing else has come to go with it; nil: nothing waits so.
  var waitsUntil: UInt64?
  /// It stands in the list of those for whom that is looked at.
  var isWaiting = false
  /// It broke a rule, or its connection is gone.
  var isOver = false
  /// The youngest start that was under way when it asked for a listing, which waits for all of those; nil: none is waited
  /// for.
  var listingAwaits: UInt32?
  /// Sessions that a listing has yet to tell of.
  var listing: (left: [UInt64], count: UInt32)?
  /// Sessions that may have something to send, in the order of their turns; each that is this peer's knows it
  /// (`turnAt`).
  private var turns: [Held] = []

  init(number: UInt32, descriptor: Int32, nonce: [UInt8], now: UInt64) {
    self.number = number
    self.descriptor = descriptor
    self.nonce = nonce
    since = now
    lastHeard = now
  }

  var unsent: Int { outgoing.bytes.count - written }

  func enqueue(_ held: Held) {
    guard held.turnAt != number else { return }
    held.turnAt = number
    turns.append(held)
  }

  /// Each session gets a frame in turn, as long as there is room.
  func fill() {
    var served = 0
    while unsent < HolderLimits.outbox, served < turns.count {
      let held = turns[served]
      served += 1
      // It may have gone to another peer since, and wait there.
      guard held.turnAt == number else { continue }
      held.turnAt = nil
      if held.rules.peer == number, held.rules.writeNext(to: &outgoing) { enqueue(held) }
    }
    turns.removeFirst(served)
  }

  func didWrite(_ count: Int) {
    written += count
    guard unsent == 0 else {
      // What is written goes also while there is always more: at most as much is kept of it as of what waits.
      if written >= HolderLimits.outbox {
        outgoing.bytes.removeFirst(written)
        written = 0
      }
      return
    }
    // A buffer that a flood has made large is given back.
    outgoing.bytes.removeAll(keepingCapacity: outgoing.bytes.capacity <= 2 * HolderLimits.outbox)
    written = 0
  }
}

/// A session with what the system gave for it.
final class Held {
  var rules: HeldSession
  /// The terminal; -1: closed.
  var master: Int32
  /// What epoll was told to look for.
  var interest: Int32 = 0
  /// No process has the terminal open just now; its leader may open it again.
  var isHungUp = false
  /// It was told to end, or nobody has come for it: nobody is waited for to take the rest of its output.
  var isEnding = false
  /// The peer in whose turns it stands.
  var turnAt: UInt32?

  init(_ rules: HeldSession, master: Int32) {
    self.rules = rules
    self.master = master
  }

  var handle: UInt64 { rules.handle }
}

// Who typed what is still on its way into the pipe, and the ledgers of all clients. Pure.

import DequeModule
import Wire

/// `Client` tells clients apart.
struct InputQueue<Client: Hashable> {
  private(set) var ledgers: [Client: InputLedger] = [:]
  /// Who typed the unwritten bytes, in the order in which the pipe was given them. The screen's answers to queries have
  /// no client.
  private var unwritten: Deque<(client: Client?, count: Int)> = []
  /// Detached clients, the longest gone first.
  private var detached: Deque<Client> = []
  /// Some client's ledger was dropped: an unknown client that resumes may be that one.
  private(set) var hasForgotten: Bool
  private(set) var totalAccepted: UInt64 = 0
  /// Bytes accepted and not yet written, of all clients.
  private(set) var unwrittenBytes = 0
  /// How many of them are answers.
  private(set) var unwrittenAnswers = 0

  /// - Parameter hasForgotten: whether another node, or a holder, has dropped some client's ledger before.
  init(hasForgotten: Bool = false) { self.hasForgotten = hasForgotten }

  /// What the ledger says to a client that attaches.
  struct Attachment: Equatable {
    var accepted: UInt64
    var written: UInt64
    var isInDoubt: Bool
  }

  /// - Parameters:
  ///   - acknowledged: the offset up to which the client says its input was acknowledged; nil when it does not resume
  ///     or does not remember.
  ///   - written: how far the session's holder says that the client's input was written; nil: it knows no such client.
  mutating func attach(
    _ client: Client, acknowledged: UInt64?, written: UInt64? = nil
  ) -> Attachment {
    detached.removeAll { $0 == client }
    // The client sends again what another node took from it and did not get written.
    if ledgers[client] == nil, let written { ledgers[client] = InputLedger(startingAt: written) }
    if var ledger = ledgers[client] {
      if acknowledged == nil { ledger.startAnew() }
      ledgers[client] = ledger
      // The client tells of an acknowledgement that was never given, so that this is not the ledger of what it typed.
      let isInDoubt = acknowledged.map { $0 > ledger.written } ?? false
      return Attachment(
        accepted: ledger.accepted, written: ledger.written, isInDoubt: isInDoubt)
    }
    let ledger = InputLedger(startingAt: min(acknowledged ?? 0, Varint.maximum))
    ledgers[client] = ledger
    let isInDoubt = acknowledged != nil && (hasForgotten || acknowledged != 0)
    return Attachment(accepted: ledger.accepted, written: ledger.written, isInDoubt: isInDoubt)
  }

  mutating func detach(_ client: Client) {
    guard let ledger = ledgers[client], !detached.contains(client) else { return }
    // A client that never typed, such as a watcher, is not remembered: it must not push out one that did.
    guard ledger != InputLedger() else {
      ledgers[client] = nil
      return
    }
    detached.append(client)
    while detached.count > SessionLimits.detachedLedgers {
      let oldest = detached.removeFirst()
      ledgers[oldest] = nil
      hasForgotten = true
    }
  }

  mutating func receive(_ client: Client, offset: UInt64, count: Int) -> InputLedger.Verdict {
    guard var ledger = ledgers[client] else { return .gap }
    guard unwrittenBytes + count <= SessionLimits.unwrittenInput else { return .overflow }
    let verdict = ledger.receive(offset: offset, count: count)
    if case .accept(let fresh) = verdict {
      ledgers[client] = ledger
      totalAccepted += UInt64(fresh)
      enqueue(client, fresh)
    }
    return verdict
  }

  /// Takes an answer of the screen's of `count` bytes, behind what was typed before. False: it is dropped, since the
  /// program asks and does not read what it is told.
  mutating func answer(_ count: Int) -> Bool {
    guard unwrittenAnswers + count <= SessionLimits.unwrittenAnswers else { return false }
    unwrittenAnswers += count
    enqueue(nil, count)
    return true
  }

  private mutating func enqueue(_ client: Client?, _ count: Int) {
    unwrittenBytes += count
    if let last = unwritten.last, last.client == client {
      unwritten[unwritten.count - 1].count += count
    } else {
      unwritten.append((client, count))
    }
  }

  /// The pipe took `count` more bytes; calls `acknowledge` with every client whose offset moved.
  mutating func wrote(_ count: Int, acknowledge: (Client, UInt64) -> Void) {
    var left = count
    while left > 0, let first = unwritten.first {
      let part = min(left, first.count)
      left -= part
      unwrittenBytes -= part
      if part == first.count {
        unwritten.removeFirst()
      } else {
        unwritten[0].count -= part
      }
      guard let client = first.client else {
        unwrittenAnswers -= part
        continue
      }
      // Taken out and put back: to change it in its place costs allocations, with each key.
      guard var ledger = ledgers[client] else { continue }
      ledger.wrote(part)
      ledgers[client] = ledger
      acknowledge(client, ledger.written)
    }
  }
}

// What is true of a holder after each turn, whatever it was told: its sessions' epochs, offsets and ledgers never go back,
// and nothing is longer than its bound.

import CHolder

#if !FUZZING
  @testable import Holder
#endif

struct HolderInvariants {
  /// What was true of a session after the last turn; none of it goes back.
  private struct Past {
    var epoch: UInt64 = 0
    var end: UInt64 = 0
    var start: UInt64 = 0
    var checkpoint: UInt64 = 0
    var answered: UInt64 = 0
    var sizes = 0
    var written: [ClientKey: UInt64] = [:]
    var hasForgotten = false
  }

  private var past: [UInt64: Past] = [:]

  mutating func check(_ holder: Holder<SimulatedSystem>) {
    let system = holder.system
    for held in holder.sessions.values { check(held, of: holder) }
    past = past.filter { holder.sessions[$0.key] != nil }
    for peer in holder.peers.values {
      precondition(
        peer.outgoing.bytes.count
          <= 2 * HolderLimits.outbox + HolderLimits.outboxMost + HolderLimits.frame,
        "more waits for a peer than may")
    }
    precondition(holder.peers.count <= HolderLimits.peers)
    precondition(holder.processes.looks.count <= HolderLimits.peers)
    let known =
      holder.sessions.values.count { $0.master >= 0 } + holder.processes.starts.count
    precondition(system.terminals.count == known, "a terminal is lost")
    precondition(system.sockets.count == holder.peers.count, "a connection is lost")
  }

  private mutating func check(_ held: Held, of holder: Holder<SimulatedSystem>) {
    let rules = held.rules
    var was = past[held.handle] ?? Past()
    if past[held.handle] == nil { watchInput(of: held, holder) }
    precondition(rules.epoch >= was.epoch, "an epoch goes back")
    precondition(rules.log.end >= was.end && rules.log.start >= was.start)
    precondition(rules.checkpoint.offset >= was.checkpoint && rules.input.answered >= was.answered)
    precondition(rules.log.start <= rules.checkpoint.offset, "what no checkpoint shows is gone")
    precondition(rules.checkpoint.offset <= rules.log.end && rules.cursor <= rules.log.end)
    precondition(rules.checkpoint.scrollback.count <= HolderLimits.checkpointPieces)
    precondition(rules.input.waiting <= HolderLimits.input)
    precondition(rules.log.sizes.count <= HolderLimits.sizes)
    if let terminal = holder.system.terminals[held.master] {
      precondition(terminal.read == rules.log.end, "output is lost")
    }
    let states = rules.input.states
    precondition(states.count <= HolderLimits.ledgers)
    for ledger in states {
      let before = was.written[ledger.client]
      precondition(rules.input.hasForgotten || ledger.written >= before ?? 0, "a ledger goes back")
      if let before, ledger.client.high > 1_000, was.epoch > ledger.client.high - 1_000 {
        precondition(
          ledger.written == before || rules.input.hasForgotten, "a node that was replaced has typed"
        )
      }
    }
    if rules.log.nextSize > was.sizes, was.sizes > 0 {
      let columns = UInt64(rules.log.size.columns)
      precondition(
        rules.epoch >= 60_000 || (columns > was.epoch && columns <= rules.epoch + 1),
        "a node that was replaced has changed the size")
    }
    was = Past(
      epoch: rules.epoch, end: rules.log.end, start: rules.log.start,
      checkpoint: rules.checkpoint.offset, answered: rules.input.answered,
      sizes: rules.log.nextSize, hasForgotten: rules.input.hasForgotten)
    for ledger in states { was.written[ledger.client] = ledger.written }
    past[held.handle] = was
  }

  /// Each byte that comes to the terminal is the next of its client: none is left out, and none comes twice.
  private func watchInput(of held: Held, _ holder: Holder<SimulatedSystem>) {
    guard let terminal = holder.system.terminals[held.master] else { return }
    let handle = held.handle
    terminal.didTake = { [unowned holder] bytes in
      let client = ClientKey(high: 0, low: 1)
      guard var next = holder.sessions[handle]?.rules.input.written(of: client) else { return }
      for byte in bytes where byte < 0x40 {
        precondition(UInt64(byte) == next & 0x3f, "input is lost, or comes twice")
        next += 1
      }
    }
  }
}

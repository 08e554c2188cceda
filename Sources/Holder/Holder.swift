// The holder: a small process that holds pseudo-terminals and their processes while nodes come and go. One thread, one
// epoll. It parses nothing of what passes through it.
//
//     node ──INPUT──► Peer ──► HeldSession.input ──write──► terminal
//     node ◄─OUTPUT── Peer ◄── HeldSession.log ◄──read──── terminal
//
// What comes from a peer is handled in Holder+Frames.swift; how processes begin and end in Holder+Processes.swift.

import CHolder

/// Why a holder could not go on; a negative errno of the step that failed. No ``Failure``: the holder has no part of
/// Wire.
struct HolderError: Error, Equatable {
  var step: StaticString
  var number: Int32
  static func == (left: HolderError, right: HolderError) -> Bool { left.number == right.number }
}

/// What an event of epoll is about: the kind in the upper byte, a number below.
enum EventTag {
  static let listener: UInt64 = 1 << 56
  static let signals: UInt64 = 2 << 56
  static let peer: UInt64 = 3 << 56
  static let terminal: UInt64 = 4 << 56
  static let outcome: UInt64 = 5 << 56
  static let look: UInt64 = 6 << 56
  static let kind: UInt64 = 0xff << 56
}

final class Holder<System: HolderSystem> {
  let system: System
  let identity: [UInt8]
  let key: [UInt8]
  private let listener: Int32
  private let signals: Int32
  private let epoll: Int32

  var peers: [UInt32: Peer] = [:]
  private var nextPeer: UInt32 = 1
  var sessions: [UInt64: Held] = [:]
  /// Not from 1 on: a node that has not noticed that the holder before this one is gone must not take one of these
  /// for one of those.
  var nextHandle: UInt64
  var processes = Processes()
  /// Peers that have something to be written, or to be filled.
  private var busy: [Peer] = []
  /// Peers for which something may wait for more to go with it (`Peer.waitsUntil`).
  private var waiting: [Peer] = []
  private var lastTick: UInt64
  private var lastPing: UInt64
  /// When it last had a session or a peer.
  private var lastUsed: UInt64
  private(set) var now: UInt64
  /// It was told to end: nothing more is started.
  private(set) var isEnding = false
  private var isAcceptingPaused = false
  /// Children have ended that are not reaped yet.
  var isReapDue = false
  private var events = [holder_event](repeating: holder_event(), count: HolderLimits.events)
  var scratch = [UInt8](repeating: 0, count: HolderLimits.payload)

  /// - Parameters:
  ///   - identity: 16 bytes, by which nodes tell holders apart.
  ///   - key: 32 bytes, that a peer has to know.
  ///   - path: of the socket, in a directory that nobody else may enter.
  ///   - kept: a descriptor that stays open (-1: none), and its new number.
  init(
    _ system: System, identity: [UInt8], key: [UInt8], path: [UInt8], keeping kept: inout Int32
  ) throws(HolderError) {
    self.system = system
    self.identity = identity
    self.key = key
    signals = try Self.check("signals", system.prepare(keeping: &kept))
    listener = try Self.check("listen", system.listen(path))
    epoll = try Self.check("epoll", system.makePoll())
    now = system.now
    nextHandle = system.random(6).reduce(UInt64(1)) { $0 << 8 | UInt64($1) }
    lastTick = now
    lastPing = now
    lastUsed = now
    watch(listener, holder_readable, was: 0, EventTag.listener)
    watch(signals, holder_readable, was: 0, EventTag.signals)
  }

  private static func check(_ step: StaticString, _ result: Int32) throws(HolderError) -> Int32 {
    guard result >= 0 else { throw HolderError(step: step, number: result) }
    return result
  }

  // MARK: The loop

  /// Returns when it was told to end and no session is left.
  func run() { while !isOver { turn() } }

  /// What has come since the last turn; waits for it.
  func turn() {
    let count = system.wait(epoll, &events, timeout)
    now = system.now
    if !isUnused { lastUsed = now }
    for index in 0..<Int(max(0, count)) { handle(events[index]) }
    if isReapDue { reapChildren() }
    handleTimers()
    serveBusyPeers()
  }

  private var isUnused: Bool { sessions.isEmpty && peers.isEmpty && processes.isEmpty }

  var isOver: Bool {
    isEnding
      ? sessions.isEmpty && processes.isEmpty
      : isUnused && now >= lastUsed + HolderLimits.idle
  }

  /// Milliseconds until something is due at the latest.
  private var timeout: Int32 {
    // There is more than one turn takes.
    if isReapDue { return 0 }
    var due = UInt64.max
    if isUnused { due = lastUsed + HolderLimits.idle }
    if !peers.isEmpty { due = lastPing + HolderLimits.ping }
    if !sessions.isEmpty { due = min(due, lastTick + HolderLimits.tick) }
    if let next = processes.nextTimer { due = min(due, next) }
    for peer in waiting { due = min(due, peer.waitsUntil ?? due) }
    guard due != .max else { return -1 }
    return Int32(clamping: due - min(due, now))
  }

  private func handle(_ event: holder_event) {
    let number = event.tag & ~EventTag.kind
    switch event.tag & EventTag.kind {
    case EventTag.listener: accept()
    case EventTag.signals:
      if system.signals(signals) & 2 != 0 { beginEnding() }
      isReapDue = true
    case EventTag.peer:
      guard let peer = peers[UInt32(truncatingIfNeeded: number)] else { return }
      if event.is_readable != 0 || event.is_closed != 0 { receive(from: peer) }
      if event.is_writable != 0 { markBusy(peer) }
    case EventTag.terminal:
      guard let held = sessions[number] else { return }
      if event.is_readable != 0 || event.is_closed != 0 { readTerminal(held) }
      if event.is_writable != 0 { writeTerminal(held) }
    case EventTag.outcome: startDidComeOut(UInt32(truncatingIfNeeded: number))
    case EventTag.look: lookDidAnswer(UInt32(truncatingIfNeeded: number))
    default: break
    }
  }

  private func handleTimers() {
    handleProcessTimers()
    serveThoseThatWaited()
    if now >= lastPing + HolderLimits.ping {
      lastPing = now
      for peer in peers.values {
        if peer.isProven {
          send(.ping(now), to: peer)
        } else if now >= peer.since + HolderLimits.proof {
          markOver(peer)
        }
      }
    }
    guard now >= lastTick + HolderLimits.tick else { return }
    let elapsed = now - lastTick
    lastTick = now
    for held in Array(sessions.values) where held.rules.isOrphaned(for: elapsed) {
      endOrForget(held)
    }
  }

  func endOrForget(_ held: Held) {
    if held.rules.hasEnded { forget(held) } else { end(held, grace: HolderLimits.orphanGrace) }
  }

  /// SIGTERM: the sessions end, and the holder after them.
  private func beginEnding() {
    isEnding = true
    for held in Array(sessions.values) { endOrForget(held) }
  }

  // MARK: Peers

  private func accept() {
    // Epoll tells of those that are left.
    for _ in 0..<HolderLimits.accepts {
      let descriptor = system.accept(listener)
      guard descriptor >= 0 else {
        // Without a descriptor to be had it would be told of this one without end.
        if descriptor != -EAGAIN { pauseAccepting() }
        return
      }
      if peers.count >= HolderLimits.peers {
        // One that has proven nothing makes place for one that may.
        // The oldest one: a node that has just come is about to.
        guard
          let stranger = peers.values.filter({ !$0.isProven }).min(by: { $0.number < $1.number })
        else {
          system.close(descriptor)
          continue
        }
        close(stranger)
      }
      let peer = Peer(
        number: nextPeer, descriptor: descriptor, nonce: system.random(Handshake.nonce), now: now)
      nextPeer &+= 1
      peers[peer.number] = peer
      setInterest(of: peer, holder_readable)
      send(.hello(version: Handshake.version, holder: identity, nonce: peer.nonce), to: peer)
    }
  }

  private func pauseAccepting() {
    guard !isAcceptingPaused else { return }
    isAcceptingPaused = true
    watch(listener, 0, was: holder_readable, 0)
    processes.timers.append((now + HolderLimits.endAgain, .accept))
  }

  func acceptAgain() {
    isAcceptingPaused = false
    watch(listener, holder_readable, was: 0, EventTag.listener)
  }

  private func receive(from peer: Peer) {
    // A turn reads what one buffer holds: other peers and terminals have theirs.
    let count = scratch.withUnsafeMutableBytes { system.read(peer.descriptor, $0) }
    if count == -Int(EAGAIN) { return }
    guard count > 0 else { return close(peer) }
    peer.lastHeard = now
    peer.incoming.append(scratch[..<count])
    while !peer.isOver {
      switch peer.incoming.next(
        most: peer.isProven ? HolderLimits.frame : HolderLimits.stranger)
      {
      case .frame(let type, let body): handleFrame(type, body, from: peer)
      case .incomplete: return
      case .invalid: markOver(peer)
      }
    }
  }

  /// It has broken a rule; it is closed at the end of the turn.
  func markOver(_ peer: Peer) {
    peer.isOver = true
    markBusy(peer)
  }

  private func close(_ peer: Peer) {
    guard peers.removeValue(forKey: peer.number) != nil else { return }
    peer.isOver = true
    if peer.interest != 0 { watch(peer.descriptor, 0, was: peer.interest, 0) }
    system.close(peer.descriptor)
    for held in sessions.values where held.rules.peer == peer.number {
      held.rules.detach()
      updateInterest(of: held)
    }
  }

  // MARK: To peers

  func send(_ frame: HolderFrame, to peer: Peer) {
    append(frame, to: peer)
    markBusy(peer)
  }

  private func append(_ frame: HolderFrame, to peer: Peer) {
    guard !peer.isOver else { return }
    frame.write(to: &peer.outgoing)
    if peer.unsent > HolderLimits.outboxMost { markOver(peer) }
  }

  /// To the peer that serves the session, if there is one.
  func send(_ frame: HolderFrame, aboutTo held: Held) {
    if let peer = peer(of: held) { send(frame, to: peer) }
  }

  /// The same, but it waits for a moment for what else its peer is told: each write wakes a node.
  func sendSoon(_ frame: HolderFrame, aboutTo held: Held) {
    guard let peer = peer(of: held) else { return }
    append(frame, to: peer)
    guard !peer.isBusy, peer.waitsUntil == nil else { return }
    peer.waitsUntil = now + HolderLimits.withEcho
    guard !peer.isWaiting else { return }
    peer.isWaiting = true
    waiting.append(peer)
  }

  private func serveThoseThatWaited() {
    guard !waiting.isEmpty else { return }
    waiting.removeAll { peer in
      if let until = peer.waitsUntil {
        guard until <= now else { return false }
        markBusy(peer)
      }
      peer.isWaiting = false
      return true
    }
  }

  func peer(of held: Held) -> Peer? { held.rules.peer.flatMap { peers[$0] } }

  func markBusy(_ peer: Peer) {
    guard !peer.isBusy else { return }
    peer.isBusy = true
    busy.append(peer)
  }

  /// The session may have something for its peer.
  func giveTurn(_ held: Held) {
    guard let peer = peer(of: held) else { return }
    peer.enqueue(held)
    markBusy(peer)
  }

  /// Once in each turn of the loop, so that all that came of one turn leaves in one write.
  private func serveBusyPeers() {
    // Who is served may be marked again: the list grows while it is read.
    var index = 0
    while index < busy.count {
      let peer = busy[index]
      index += 1
      peer.isBusy = false
      if peer.isOver { close(peer) } else { serve(peer) }
    }
    busy.removeAll(keepingCapacity: true)
  }

  private func serve(_ peer: Peer) {
    peer.waitsUntil = nil
    // One that reads as fast as this writes has its next turn like everybody.
    for _ in 0..<HolderLimits.writes {
      peer.fill()
      listNext(to: peer)
      guard peer.unsent > 0 else { return setInterest(of: peer, holder_readable) }
      let count = peer.outgoing.bytes.withUnsafeBytes { bytes in
        system.write(
          peer.descriptor, UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - peer.unsent)...]))
      }
      if count == -Int(EAGAIN) { return setInterest(of: peer, holder_readable | holder_writable) }
      guard count > 0 else { return close(peer) }
      peer.didWrite(count)
    }
    setInterest(of: peer, holder_readable | holder_writable)
  }

  private func setInterest(of peer: Peer, _ wanted: Int32) {
    guard peer.interest != wanted, !peer.isOver else { return }
    watch(peer.descriptor, wanted, was: peer.interest, EventTag.peer | UInt64(peer.number))
    peer.interest = wanted
  }

  func watch(_ descriptor: Int32, _ interest: Int32, was: Int32, _ tag: UInt64) {
    system.watch(epoll, descriptor, interest, was: was, tag)
  }
}

// What peers say.

import CHolder

extension Holder {
  func handleFrame(_ type: UInt8, _ body: ArraySlice<UInt8>, from peer: Peer) {
    // A frame that is none of this version ends the connection: what follows it could mean anything.
    guard let frame = NodeFrame(type: type, body: body) else { return markOver(peer) }
    if case .proof(let version, let nonce, let mac) = frame {
      return prove(version, nonce, mac, peer)
    }
    guard peer.isProven else { return markOver(peer) }
    switch frame {
    case .proof: break
    case .ping: break  // an answer: it was heard
    case .list: list(to: peer)
    case .start(let request): start(request, for: peer)
    case .attach(let handle, let epoch, let next): attach(handle, epoch, next, peer)
    case .read(let handle, let from, let upTo): sendOlder(handle, from, upTo, to: peer)
    case .look(let handle): look(handle, for: peer)
    case .detach(let handle, let epoch), .forget(let handle, let epoch),
      .credit(let handle, let epoch, _),
      .input(let handle, let epoch, _, _, _), .answer(let handle, let epoch, _, _),
      .discard(let handle, let epoch, _, _), .resize(let handle, let epoch, _, _),
      .signal(let handle, let epoch, _), .end(let handle, let epoch, _),
      .state(let handle, let epoch, _),
      .checkpoint(let handle, let epoch, _, _, _, _, _, _):
      // From a node that was replaced, or on its way when the session was: it counts for nothing.
      guard let held = sessions[handle], held.rules.isServed(by: peer.number, epoch: epoch) else {
        return
      }
      change(held, by: frame, from: peer)
    }
  }

  private func prove(_ version: UInt8, _ nonce: [UInt8], _ mac: [UInt8], _ peer: Peer) {
    guard !peer.isProven, version == Handshake.version,
      MAC.isEqual(
        mac,
        Handshake.nodesProof(key: key, holder: identity, holderNonce: peer.nonce, nodeNonce: nonce))
    else { return markOver(peer) }
    peer.isProven = true
    let proof = Handshake.holdersProof(
      key: key, holder: identity, holderNonce: peer.nonce, nodeNonce: nonce)
    send(.welcome(mac: proof), to: peer)
  }

  /// A node may have died that had asked for a start which has not come out: the next one is told of what comes of it, and
  /// does not take the session for lost. Its own starts it knows, and what is asked for meanwhile holds it up no longer.
  private func list(to peer: Peer) {
    guard peer.listingAwaits == nil else { return }
    peer.listingAwaits = processes.startsUnderWay(besides: peer.number)?.youngest
    if peer.listingAwaits == nil { beginListing(to: peer) }
  }

  /// Begins the listings that no start holds up any more.
  func startIsOver() {
    for peer in peers.values {
      guard let awaited = peer.listingAwaits else { continue }
      if let left = processes.startsUnderWay(besides: peer.number), left.oldest <= awaited {
        continue
      }
      peer.listingAwaits = nil
      beginListing(to: peer)
      markBusy(peer)
    }
  }

  private func beginListing(to peer: Peer) {
    let handles = Array(sessions.keys)
    peer.listing = (handles, UInt32(truncatingIfNeeded: handles.count))
    listNext(to: peer)
  }

  /// As much of a listing as there is room for: all descriptors together may be more than waits for a peer.
  func listNext(to peer: Peer) {
    while peer.unsent < HolderLimits.outbox, let handle = peer.listing?.left.popLast() {
      guard let held = sessions[handle] else {
        peer.listing?.count -= 1
        continue
      }
      let rules = held.rules
      let heard = self.peer(of: held).map { now - min(now, $0.lastHeard) }
      send(
        .entry(
          HeldEntry(
            handle: held.handle, epoch: rules.epoch, isAttached: rules.peer != nil,
            unheard: heard ?? 0,
            hasEnded: rules.hasEnded, descriptor: rules.descriptor)), to: peer)
    }
    guard let listing = peer.listing, listing.left.isEmpty else { return }
    peer.listing = nil
    send(.listed(count: listing.count), to: peer)
  }

  private func attach(_ handle: UInt64, _ epoch: UInt64, _ next: UInt64?, _ peer: Peer) {
    guard let held = sessions[handle] else {
      return send(.refused(handle: handle, epoch: 0), to: peer)
    }
    switch held.rules.attach(peer: peer.number, epoch: epoch, next: next, now: now) {
    case .refused(let highest): send(.refused(handle: handle, epoch: highest), to: peer)
    case .attached(let former):
      if let other = former.flatMap({ peers[$0] }) {
        send(.superseded(handle: handle, epoch: epoch), to: other)
      }
      send(.attached(held.rules.found), to: peer)
      giveTurn(held)
      updateInterest(of: held)
    }
  }

  private func sendOlder(_ handle: UInt64, _ from: UInt64, _ upTo: UInt64, to peer: Peer) {
    var offset = from
    if let log = sessions[handle]?.rules.log, from >= log.start, from < upTo {
      // Of a longer piece the node asks for the rest.
      let end = min(
        upTo, log.end, from.addingReportingOverflow(UInt64(HolderLimits.outbox)).partialValue)
      while offset < end {
        var bytes: [UInt8] = []
        let count = log.read(
          at: offset, most: min(HolderLimits.payload, Int(end - offset)), into: &bytes)
        guard count > 0 else { break }
        send(.older(handle: handle, offset: offset, bytes: bytes), to: peer)
        offset += UInt64(count)
      }
    }
    // That was all.
    send(.older(handle: handle, offset: offset, bytes: []), to: peer)
  }

  /// By the peer that serves it.
  private func change(_ held: Held, by frame: NodeFrame, from peer: Peer) {
    switch frame {
    case .detach:
      held.rules.detach()
      updateInterest(of: held)
    case .credit(_, _, let upTo):
      held.rules.grant(upTo: upTo)
      giveTurn(held)
      updateInterest(of: held)
    case .input(_, _, let client, let offset, let bytes):
      switch held.rules.input.take(client, offset: offset, bytes) {
      case .taken: writeTerminal(held)
      // Its node waits to be told of it, however often it says it.
      case .duplicate:
        if let written = held.rules.input.written(of: client) {
          report(.written(client, written), of: held)
        }
      // Its node keeps to what it was told; one that does not has lost its way.
      case .gap, .tooMuch: markOver(peer)
      }
    case .answer(_, _, let query, let bytes): answer(held, query, bytes, peer)
    case .discard(_, _, let key, let ends):
      let did = held.master >= 0 && system.discardInput(held.master, for: key)
      send(.discarded(handle: held.handle, key: key, did: did), to: peer)
      guard did else { return }
      for given in held.rules.input.discard(upTo: ends) { report(given, of: held) }
      updateInterest(of: held)
    case .resize(_, _, let columns, let rows): resize(held, columns, rows)
    case .signal(_, _, let number): signal(held, Int32(number))
    case .end(_, _, let grace): end(held, grace: UInt64(grace))
    case .state(_, _, let bytes): held.rules.state = bytes
    case .checkpoint(_, _, let part, let isFirst, let isLast, let offset, let drop, let bytes):
      // It shows nothing that its node was not sent.
      let verdict = held.rules.keepCheckpoint(
        part, isFirst: isFirst, isLast: isLast, offset: offset, drop: drop, bytes)
      if verdict == .wrong { markOver(peer) }
      if verdict == .whole { updateInterest(of: held) }
    case .forget: if held.rules.hasEnded { forget(held) }
    case .proof, .ping, .list, .start, .attach, .read, .look: break
    }
  }

  private func answer(_ held: Held, _ query: UInt64, _ bytes: [UInt8], _ peer: Peer) {
    guard query <= held.rules.log.end else { return markOver(peer) }
    switch held.rules.input.answer(query: query, bytes, settled: held.rules.settled(now: now)) {
    case .taken: writeTerminal(held)
    case .duplicate: send(.answered(handle: held.handle, query: query), to: peer)
    case .gap, .tooMuch: markOver(peer)
    }
  }

  private func resize(_ held: Held, _ columns: UInt16, _ rows: UInt16) {
    guard columns > 0, rows > 0, held.master >= 0,
      system.resize(held.master, columns: columns, rows: rows)
    else { return }
    held.rules.log.resize(columns: columns, rows: rows)
    giveTurn(held)
  }
}

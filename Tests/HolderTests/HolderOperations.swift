// The whole holder under a fuzzer that is guided by coverage: bytes are what its nodes say, what programs do at their
// terminals, and what the system answers. `deploy/fuzz.sh holder` runs it for long; HolderCorpusTests replays what it
// found.

import CHolder

#if !FUZZING
  @testable import Holder
#endif

func holderOperations(_ input: UnsafeRawBufferPointer) {
  var operations = HolderOperations(input)
  operations.run()
}

private struct HolderOperations {
  private static let key = [UInt8](repeating: 9, count: 32)
  private static let mostTurns = 4_000

  private var rest: Slice<UnsafeRawBufferPointer>
  private let system = SimulatedSystem()
  private let holder: Holder<SimulatedSystem>
  private var peers: [SimulatedPeer] = []
  private var invariants = HolderInvariants()
  private var tag: UInt32 = 0
  private var printed = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    rest = bytes[...]
    var kept: Int32 = -1
    guard
      let holder = try? Holder(
        system, identity: [UInt8](repeating: 1, count: 16), key: Self.key, path: [],
        keeping: &kept)
    else { preconditionFailure("it does not start") }
    self.holder = holder
  }

  // MARK: What the bytes mean

  private mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// Near `here`, small, or far out.
  private mutating func number(near here: UInt64) -> UInt64 {
    let kind = byte()
    switch kind & 3 {
    case 0: return here &+ UInt64(kind >> 2)
    case 1: return here &- UInt64(kind >> 2)
    case 2: return (UInt64(1) << UInt64(kind >> 2)) &+ UInt64(byte()) &- 128
    default: return UInt64(kind >> 2)
    }
  }

  private mutating func count() -> Int { Int(byte()) << Int(byte() % 10) }

  private var handles: [UInt64] { holder.sessions.keys.sorted() }

  private mutating func session() -> Held? {
    let (handles, index) = (handles, Int(byte()))
    return handles.isEmpty ? nil : holder.sessions[handles[index % handles.count]]
  }

  private mutating func peer() -> SimulatedPeer? {
    let index = Int(byte())
    return peers.isEmpty ? nil : peers[index % peers.count]
  }

  /// Who serves the session, mostly.
  private mutating func peer(of held: Held) -> SimulatedPeer? {
    let other = peer()
    guard other != nil, rest.first.map({ $0 < 200 }) ?? true else { return other }
    return peers.first {
      !$0.isGone && $0.attachments[held.handle]?.epoch == held.rules.epoch
    } ?? other
  }

  mutating func run() {
    connect()
    var turns = 0
    while !rest.isEmpty, turns < Self.mostTurns, !holder.isOver {
      let operation = byte()
      step(operation & 0x3f)
      guard operation & 0x80 == 0 else { continue }
      turns += 1
      turn(reads: operation & 0x40 == 0)
    }
    end()
  }

  private mutating func turn(reads: Bool) {
    holder.turn()
    if reads { for peer in peers { peer.read() } }
    peers.removeAll { $0.isGone && $0.socket.fromHolder.isEmpty }
    invariants.check(holder)
  }

  private mutating func connect() {
    guard peers.count < 80 else { return }
    let peer = SimulatedPeer(holder)
    peers.append(peer)
    system.backlog.append(peer.socket)
    turn(reads: true)
    peer.prove(key: Self.key)
    turn(reads: true)
  }

  private mutating func step(_ operation: UInt8) {
    switch operation {
    case 0: connect()
    case 1: for _ in 0..<byte() { stranger() }
    case 2: peer()?.send(.list)
    case 3: start()
    case 4...21: frame(operation)
    case 22: raw()
    case 23: peer()?.socket.isClosedByPeer = true
    case 24: if let terminal = terminal() { printOutput(terminal) }
    case 25:
      let isHungUp = byte() & 1 == 0
      terminal()?.isHungUp = isHungUp
    case 26: child()
    case 27: answer()
    case 28:
      system.now += UInt64(byte()) << UInt64(byte() % 16)
    case 29:
      let capacity = count()
      peer()?.socket.capacity = capacity
    case 30:
      let capacity = count()
      terminal()?.capacity = capacity
    case 31: system.acceptError = byte() & 1 == 0 ? 0 : EMFILE
    case 32: system.startError = byte() & 1 == 0 ? 0 : EAGAIN
    case 33: system.killError = byte() & 1 == 0 ? 0 : EAGAIN
    case 34: system.groupError = byte() & 1 == 0 ? 0 : ENOENT
    case 35: system.groupRemovalError = byte() & 1 == 0 ? 0 : EBUSY
    case 36: if byte() == 7 { system.pendingSignals |= 2 }
    case 37:
      let discards = byte() & 1 == 0
      terminal()?.discards = discards
    case 38:
      let most = count()
      peer()?.read(most)
    case 39: for _ in 0..<byte() { many() }
    default: system.patience = UInt64(operation) * 100
    }
  }

  private mutating func stranger() {
    guard peers.count < 200 else { return }
    let peer = SimulatedPeer(holder)
    peers.append(peer)
    system.backlog.append(peer.socket)
  }

  /// Input of clients that come once.
  private mutating func many() {
    guard let held = session(), let peer = peer(of: held) else { return }
    let client = ClientKey(high: 99, low: UInt64(byte()))
    peer.send(
      .input(
        handle: held.handle, epoch: held.rules.epoch, client: client,
        offset: UInt64(byte() & 3), bytes: [0xb0]))
  }

  private mutating func start() {
    let kind = byte()
    tag += 1
    let text = Array("x".utf8)
    var request = StartRequest(
      tag: tag, epoch: UInt64(kind & 7), columns: 80, rows: UInt16(kind >> 7 ^ 1),
      logLimit: UInt32(byte()) << UInt32(kind >> 3 & 7), orphanAfter: UInt32(byte()),
      descriptor: [UInt8](repeating: 1, count: Int(byte())), mark: kind & 8 == 0 ? text : [],
      paths: [text, text], names: kind & 16 == 0 ? [] : [text, text], arguments: [text],
      environment: [text, [], [0, 1]], directory: kind & 32 == 0 ? [] : text,
      isDirectoryPreferred: true,
      user: kind & 64 == 0 ? nil : HeldUser(uid: 1, gid: 1, groups: [1]),
      filesSoft: 1, filesHard: 2)
    if kind == 255 { request.names = [text] }
    peer()?.send(.start(request))
  }

  private mutating func frame(_ operation: UInt8) {
    guard let held = session() else { return }
    let handle = held.handle
    guard let peer = peer(of: held) else { return }
    let epoch = byte() & 7 == 7 ? number(near: held.rules.epoch) : held.rules.epoch
    let rules = held.rules
    switch operation {
    case 4, 5:
      let next = byte() & 1 == 0 ? nil : number(near: rules.cursor)
      peer.send(.attach(handle: handle, epoch: number(near: rules.epoch &+ 1), next: next))
    case 6, 7:
      peer.send(.credit(handle: handle, epoch: epoch, upTo: number(near: rules.log.end &+ 4_096)))
    case 8, 9: input(held, peer, epoch, isFenced: operation == 8)
    case 10:
      let query = number(near: rules.log.end)
      peer.send(
        .answer(
          handle: handle, epoch: epoch, query: query,
          bytes: [UInt8](repeating: 0xc0 | UInt8(query & 63), count: Int(byte() & 15))))
    case 11:
      let ends = (0..<byte() & 3).map { _ in
        let client = client(epoch, isFenced: byte() & 1 == 0)
        return HeldLedger(
          client: client, written: number(near: rules.input.written(of: client) ?? 0))
      }
      peer.send(.discard(handle: handle, epoch: epoch, key: byte() & 63, upTo: ends))
    case 12:
      // The columns tell under which epoch.
      peer.send(
        .resize(handle: handle, epoch: epoch, columns: UInt16(1 + epoch % 60_000), rows: 3))
    case 13: peer.send(.signal(handle: handle, epoch: epoch, number: byte()))
    case 14: peer.send(.end(handle: handle, epoch: epoch, grace: UInt32(byte()) * 100))
    case 15: peer.send(.forget(handle: handle, epoch: epoch))
    case 16:
      peer.send(.state(handle: handle, epoch: epoch, bytes: [UInt8](repeating: 5, count: count())))
    case 17, 18: checkpoint(held, peer, epoch)
    case 19:
      peer.send(
        .read(
          handle: handle, from: number(near: rules.log.start), upTo: number(near: rules.log.end)))
    case 20: peer.send(.look(handle: handle))
    default: peer.send(.detach(handle: handle, epoch: epoch))
    }
  }

  /// One for all nodes, or one of this epoch alone, whose input no other may bring.
  private func client(_ epoch: UInt64, isFenced: Bool) -> ClientKey {
    isFenced ? ClientKey(high: epoch &+ 1_000, low: 1) : ClientKey(high: 0, low: 1)
  }

  private mutating func input(_ held: Held, _ peer: SimulatedPeer, _ epoch: UInt64, isFenced: Bool)
  {
    let client = client(epoch, isFenced: isFenced)
    let offset = number(near: held.rules.input.written(of: client) ?? 0)
    let bytes = (0..<min(count(), 40_000)).map { index in
      // What it is an offset of, so that none comes twice or is left out.
      (isFenced ? 0x80 : 0) | UInt8(truncatingIfNeeded: offset &+ UInt64(index)) & 0x3f
    }
    peer.send(
      .input(handle: held.handle, epoch: epoch, client: client, offset: offset, bytes: bytes))
  }

  private mutating func checkpoint(_ held: Held, _ peer: SimulatedPeer, _ epoch: UInt64) {
    let kind = byte()
    let offset = kind & 8 == 0 ? held.rules.cursor : number(near: held.rules.cursor)
    let count = count()
    var parts = 1 + Int(kind >> 6)
    var isFirst = kind & 16 == 0
    while parts > 0 {
      parts -= 1
      peer.send(
        .checkpoint(
          handle: held.handle, epoch: epoch,
          part: parts > 0 && kind & 1 == 0 ? .scrollback : .screen, isFirst: isFirst,
          isLast: parts == 0 && kind & 32 == 0, offset: offset,
          drop: kind & 6 == 6 ? UInt32(byte()) : UInt32(kind >> 1 & 1),
          bytes: [UInt8](repeating: kind, count: count)))
      isFirst = false
    }
  }

  private mutating func raw() {
    guard let peer = peer() else { return }
    var writer = FrameWriter()
    let frame = writer.beginFrame(byte())
    for _ in 0..<byte() { writer.write(byte()) }
    writer.endFrame(frame)
    if byte() == 1 { writer.bytes[Int(byte()) % writer.bytes.count] = byte() }
    peer.send(writer.bytes)
  }

  // MARK: Programs and the system

  private mutating func terminal() -> SimulatedSystem.Terminal? {
    session().flatMap { system.terminals[$0.master] }
  }

  private mutating func printOutput(_ terminal: SimulatedSystem.Terminal) {
    let count = count()
    guard printed < 1 << 22 else { return }
    printed += count
    terminal.printed += UInt64(count)
  }

  /// One ends: a leader, or one that kills.
  private mutating func child() {
    let (kind, value) = (byte(), Int32(byte()))
    if kind & 1 == 0, let killer = system.killers.first {
      system.exit(killer, kind & 2 == 0 ? 1 : 2, value & 1)
    } else if let held = session(), held.rules.exit == nil {
      system.exit(held.rules.process, kind & 2 == 0 ? 1 : 2, value)
    } else if kind & 4 == 0, let start = holder.processes.starts.values.first {
      system.exit(start.process, 1, value)
    }
  }

  private mutating func answer() {
    let (kind, descriptors) = (byte(), system.answers.keys.sorted())
    guard !descriptors.isEmpty else { return }
    let descriptor = descriptors[Int(byte()) % descriptors.count]
    watch(descriptor, kind)
  }

  private mutating func watch(_ descriptor: Int32, _ kind: UInt8) {
    if kind & 3 == 1 {
      system.answers[descriptor]?.step = CChar(UInt8(ascii: "x"))
      system.answers[descriptor]?.error = ENOENT
    }
    if kind & 4 != 0 {
      system.answers[descriptor]?.bytes = [UInt8](repeating: kind, count: count()) + [10, 47]
    }
    system.answers[descriptor]?.isDone = kind & 8 == 0
  }

  // MARK: The end

  /// All that waits comes, each process ends, and the holder is told to.
  private mutating func end() {
    system.acceptError = 0
    system.killError = 0
    system.groupRemovalError = 0
    system.pendingSignals |= 2
    system.patience = 60_000
    var turns = 0
    while !holder.isOver {
      turns += 1
      precondition(turns < 20_000, "it does not end")
      for descriptor in Array(system.answers.keys) { system.answers[descriptor]?.isDone = true }
      for held in holder.sessions.values where held.rules.exit == nil {
        if !system.exits.contains(where: { $0.process == held.rules.process }) {
          system.exit(held.rules.process, 2, 9)
        }
      }
      for killer in system.killers where !system.exits.contains(where: { $0.process == killer }) {
        system.exit(killer, 1, 0)
      }
      for peer in peers { peer.socket.isClosedByPeer = true }
      turn(reads: true)
    }
    precondition(system.terminals.isEmpty, "a terminal is left")
  }
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    holderOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif

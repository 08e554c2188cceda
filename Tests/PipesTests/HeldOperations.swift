// A node's side of a connection to a holder, under a fuzzer that is guided by coverage: bytes are what a holder says,
// which may be forged, and what the node's sessions do meanwhile. `deploy/fuzz.sh held` runs it for long;
// PipesCorpusTests replays what it found.

import Glibc
import Holder
import Logging
import NIOCore
import NIOEmbedded
import Wire

#if !FUZZING
  @testable import Pipes
#endif

func heldOperations(_ input: UnsafeRawBufferPointer) {
  let left = HeldOperations(input).run()
  precondition(left.connection == nil && left.loop == nil, "a connection outlives its end")
}

/// What goes with the last who needs it.
private struct Left {
  weak var connection: HolderConnection?
  weak var loop: EmbeddedEventLoop?
}

/// A session, as far as its pipe can tell.
private final class Listener: PipeDelegate {
  /// What the holder has said with the right offset, and was not told yet.
  var due = 0
  var given = 0
  var isOver = false
  var isDiscarding = false

  func pipeDidRead(_ bytes: ByteBuffer) {
    precondition(!isOver, "output after the end")
    due -= bytes.readableBytes
    precondition(due >= 0, "output that nobody printed")
  }
  func pipeDidWrite(_ count: Int) {
    precondition(count > 0 && count <= given, "more was written than was given")
    given -= count
  }
  func pipeDidDiscardInput(_ did: Bool, for key: UInt8) {
    precondition(isDiscarding, "a discard that nobody asked for")
    isDiscarding = false
  }
  func pipeDidResize(_ size: TerminalSize) { precondition(size.isValid && !isOver) }
  func pipeHasCheckpoint(at offset: UInt64) {}
  func pipeWasTaken() { end() }
  func pipeDidEnd(_ status: ExitStatus?, reason: String?) { end() }
  private func end() {
    precondition(!isOver, "it ends twice")
    isOver = true
  }
}

private final class HeldOperations {
  private static let home: HolderHome? = try? HolderHome(
    "/tmp/fairlead-held-\(getpid())-\(UInt32.random(in: 0...(.max)))",
    logger: Logger(label: "held", factory: { _ in SwiftLogNoOpLogHandler() }))
  private static let mostConnections = 30

  private var rest: Slice<UnsafeRawBufferPointer>
  private let loop = EmbeddedEventLoop()
  private let connection: HolderConnection
  private let secret: HolderSecret
  private var channel: EmbeddedChannel
  private var connections = 0
  private var splitter = FrameSplitter()
  private var pipes: [(pipe: HeldPipe, listener: Listener)] = []
  private var handles: [UInt64] = [1, 2, 3]
  private var lastTag: UInt32 = 0
  private var lastAttach: (handle: UInt64, epoch: UInt64) = (1, 1)
  private var epoch: UInt64 = 1
  /// Where each pipe's output stands, as its holder would have it.
  private var ends: [UInt64: UInt64] = [:]

  init(_ bytes: UnsafeRawBufferPointer) {
    rest = bytes[...]
    guard let home = Self.home else { preconditionFailure("no directory is to be had") }
    secret = home.secret
    connection = HolderConnection(home.current, eventLoop: loop)
    channel = EmbeddedChannel(loop: loop)
  }

  private func byte() -> UInt8 { rest.popFirst() ?? 0 }

  private func number(near here: UInt64) -> UInt64 {
    let kind = byte()
    switch kind & 3 {
    case 0: return here &+ UInt64(kind >> 2)
    case 1: return here &- UInt64(kind >> 2)
    case 2: return (UInt64(1) << UInt64(kind >> 2)) &+ UInt64(byte()) &- 128
    default: return UInt64(kind >> 2)
    }
  }

  private func count() -> Int { min(Int(byte()) << Int(byte() % 10), 60_000) }
  private func bytes() -> [UInt8] { [UInt8](repeating: byte(), count: count()) }
  private func handle() -> UInt64 { handles[Int(byte()) % handles.count] }
  private func entry() -> (pipe: HeldPipe, listener: Listener)? {
    let index = Int(byte())
    return pipes.isEmpty ? nil : pipes[index % pipes.count]
  }

  // MARK: The connection

  /// A channel whose greeting goes as it should, or as the bytes say.
  private func connect(isRight: Bool) {
    connections += 1
    let proven = loop.makePromise(of: Void.self)
    // What is not closed has hold of its loop.
    _ = try? channel.finish(acceptAlreadyClosed: true)
    channel = EmbeddedChannel(
      handler: HolderHandler(connection, secret: secret, proven: proven), loop: loop)
    _ = try? channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
    splitter = FrameSplitter()
    let nonce = [UInt8](repeating: 7, count: 32)
    say(
      .hello(
        version: isRight ? Handshake.version : byte(),
        holder: isRight ? secret.identity : [UInt8](repeating: byte(), count: 16), nonce: nonce))
    var mac = [UInt8](repeating: 0, count: 32)
    for case .proof(_, let nodes, let proof) in heard() {
      precondition(
        proof
          == Handshake.nodesProof(
            key: secret.key, holder: secret.identity, holderNonce: nonce, nodeNonce: nodes))
      mac = Handshake.holdersProof(
        key: secret.key, holder: secret.identity, holderNonce: nonce, nodeNonce: nodes)
    }
    if !isRight { mac[Int(byte() & 31)] ^= 1 }
    say(.welcome(mac: mac))
    precondition(isRight == channel.isActive, "a forged holder is believed")
    _ = heard()
  }

  private func say(_ frame: HolderFrame) {
    var writer = FrameWriter()
    frame.write(to: &writer)
    say(writer.bytes)
  }

  private func say(_ bytes: [UInt8]) {
    if channel.isActive { _ = try? channel.writeInbound(ByteBuffer(bytes: bytes)) }
  }

  /// What the node has said.
  private func heard() -> [NodeFrame] {
    loop.run()
    var frames: [NodeFrame] = []
    while let bytes = try? channel.readOutbound(as: ByteBuffer.self) {
      splitter.append(Array(bytes.readableBytesView)[...])
    }
    while true {
      switch splitter.next() {
      case .frame(let type, let body):
        guard let frame = NodeFrame(type: type, body: body) else {
          preconditionFailure("the node says \(type), which is no frame")
        }
        frames.append(frame)
      case .incomplete: return frames
      case .invalid: preconditionFailure("the node's frame has no possible length")
      }
    }
  }

  func run() -> Left {
    connect(isRight: true)
    while !rest.isEmpty {
      step(byte())
      for frame in heard() {
        if case .start(let request) = frame { lastTag = request.tag }
      }
      if !channel.isActive {
        guard connections < Self.mostConnections else { break }
        if byte() == 9 { connect(isRight: false) }
        connect(isRight: true)
        continue
      }
    }
    _ = connection.close()
    if channel.isActive { _ = try? channel.finish(acceptAlreadyClosed: true) }
    // No timer may hold the loop, and the loop them.
    loop.advanceTime(by: .hours(1))
    return Left(connection: connection, loop: loop)
  }

  // MARK: What the bytes mean

  private func step(_ operation: UInt8) {
    switch operation & 0x1f {
    case 0: start()
    case 1: attach()
    case 2: say(.started(tag: lastTag &- UInt32(byte() & 1), handle: handle(), process: 1))
    case 3: say(.notStarted(tag: lastTag, step: byte(), error: UInt32(byte())))
    case 4, 5: attached()
    case 6: say(.refused(handle: handle(), epoch: UInt64(byte())))
    case 7: say(.superseded(handle: handle(), epoch: 1))
    case 8:
      say(
        .checkpoint(
          handle: handle(), part: byte() & 1 == 0 ? .screen : .scrollback,
          isLast: byte() & 1 == 0, bytes: checkpointBytes()))
    case 9: older()
    case 10, 11: output()
    case 12:
      let handle = handle()
      say(
        .resized(
          handle: handle, offset: number(near: ends[handle] ?? 0), columns: UInt16(byte()) << 3,
          rows: UInt16(byte())))
    case 13: written()
    case 14: say(.answered(handle: handle(), query: number(near: 100)))
    case 15: say(.discarded(handle: handle(), key: byte() & 3, did: byte() & 1 == 0))
    case 16: say(.looked(handle: handle(), isForeground: true, words: bytes(), directory: bytes()))
    case 17:
      let handle = handle()
      let exits: [HeldExit] = [.exited(1), .signalled(9), .unknown]
      say(
        .exited(
          handle: handle, exit: exits[Int(byte()) % 3], end: number(near: ends[handle] ?? 0)))
    case 18: say(.survivors(handle: handle()))
    case 19: list()
    case 20: raw()
    case 21: channel.close(promise: nil)
    case 22: write()
    case 23: discard()
    case 24: entry()?.pipe.isReading = byte() & 1 == 0
    case 25:
      entry()?.pipe.resize(
        TerminalSize(columns: 2 + Int(byte()), rows: 1 + Int(byte())))
    case 26: keep()
    case 27: if let (pipe, _) = entry() { _ = pipe.hasForegroundJob }
    case 28: entry()?.pipe.terminate(grace: .seconds(1))
    case 29: detach()
    case 30: loop.advanceTime(by: .milliseconds(Int64(byte()) << Int64(byte() % 8)))
    default: say(.ping(UInt64(byte())))
    }
  }

  private func add(_ pipe: any Pipe, at offset: UInt64) {
    guard let pipe = pipe as? HeldPipe else { return }
    let listener = Listener()
    pipe.delegate = listener
    pipes.append((pipe, listener))
    ends[pipe.handle] = offset
  }

  private func start() {
    guard pipes.count < 50 else { return }
    let request = StartRequest(
      tag: 0, epoch: 1, columns: 80, rows: 24, logLimit: 1, orphanAfter: 1, descriptor: [],
      mark: [], paths: [[1]], names: [], arguments: [[1]], environment: [], directory: [],
      isDirectoryPreferred: true, user: nil, filesSoft: 0, filesHard: 0)
    connection.start(request, size: TerminalSize(columns: 80, rows: 24)).assumeIsolated()
      .whenSuccess {
        [unowned self] pipe in add(pipe.value, at: 0)
      }
  }

  private func attach() {
    guard pipes.count < 50 else { return }
    epoch += 1
    let handle = handle()
    lastAttach = (handle, epoch)
    connection.attach(handle, epoch: epoch, latest: Int(byte()) << 8).assumeIsolated().whenSuccess {
      [unowned self] attached in
      let (pipe, terminal) = (attached.value.pipe, attached.value.terminal)
      precondition(terminal.size.isValid && terminal.offset <= terminal.end)
      precondition(terminal.end <= Varint.maximum)
      precondition(UInt64(terminal.older.readableBytes) <= terminal.offset)
      precondition(terminal.checkpoint != nil || terminal.offset == 0)
      precondition(
        terminal.olderSizes.allSatisfy { $0.offset <= terminal.offset && $0.size.isValid })
      add(pipe, at: terminal.offset)
    }
  }

  private func attached() {
    let kind = byte()
    let handle = kind & 1 == 0 ? lastAttach.handle : handle()
    // Of a pipe that attaches again, or of the attachment under way.
    let known = pipes.last { $0.pipe.handle == handle }?.pipe
    let at = number(near: ends[handle] ?? 0)
    var state = HeldState(
      handle: handle, epoch: kind & 2 == 0 ? known?.epoch ?? lastAttach.epoch : lastAttach.epoch,
      process: 1, columns: 2 + UInt16(byte()), rows: UInt16(byte()),
      logStart: kind & 4 == 0 ? 0 : number(near: at), logEnd: number(near: at),
      checkpoint: kind & 8 == 0 ? at : number(near: at), answered: number(near: at), next: at,
      sizes: (0..<Int(byte() & 3)).map { _ in
        HeldSize(offset: number(near: at), columns: UInt16(byte()), rows: UInt16(byte()))
      },
      ledgers: (0..<Int(byte() & 7) * (kind & 64 == 0 ? 1 : 100)).map {
        HeldLedger(client: ClientKey(high: 0, low: UInt64($0)), written: UInt64(byte()))
      }, hasForgotten: false, exit: nil, state: kind & 16 == 0 ? [] : bytes())
    if kind & 32 == 0 { state.logEnd = max(state.logEnd, at) }
    state.state.removeLast(max(0, state.state.count - HolderLimits.state))
    say(.attached(state))
  }

  private func checkpointBytes() -> [UInt8] {
    let kind = byte()
    return kind & 1 == 0 ? [80, 0, 24, 0, 65] : bytes()
  }

  private func older() {
    let handle = handle()
    say(.older(handle: handle, offset: number(near: UInt64(byte())), bytes: bytes()))
  }

  private func output() {
    let handle = handle()
    let bytes = bytes()
    let offset = number(near: ends[handle] ?? 0)
    if let end = ends[handle], end == offset {
      ends[handle] = end + UInt64(bytes.count)
      for (pipe, listener) in pipes where pipe.handle == handle { listener.due += bytes.count }
    }
    say(.output(handle: handle, offset: offset, bytes: bytes))
  }

  private func written() {
    let client = byte() & 1 == 0 ? ClientKey.node : connection.keys.key(of: Self.client)
    say(.written(handle: handle(), client: client, offset: number(near: 10)))
  }

  private func list() {
    switch byte() & 3 {
    case 0: _ = connection.list()
    case 1: say(.listed(count: 1))
    default:
      say(
        .entry(
          HeldEntry(
            handle: handle(), epoch: 1, isAttached: false, unheard: 0, hasEnded: false,
            descriptor: bytes())))
    }
  }

  private func raw() {
    var writer = FrameWriter()
    let frame = writer.beginFrame(byte())
    for _ in 0..<byte() { writer.write(byte()) }
    writer.endFrame(frame)
    if byte() == 1 { writer.bytes[Int(byte()) % writer.bytes.count] = byte() }
    say(writer.bytes)
  }

  private static let client = ClientIdentity(client: ClientID.random(), subject: "x")

  private func write() {
    guard let (pipe, listener) = entry(), listener.given == 0, !listener.isOver else { return }
    let bytes = ByteBuffer(bytes: [1] + bytes())
    listener.given = bytes.readableBytes
    switch byte() & 3 {
    case 0: pipe.write(bytes, from: .answer(before: number(near: 100)))
    case 1: pipe.write(bytes, from: .report)
    default: pipe.write(bytes, from: .client(Self.client, offset: number(near: 10)))
    }
  }

  private func discard() {
    guard let (pipe, listener) = entry(), !listener.isDiscarding else { return }
    listener.isDiscarding =
      pipe.discardInput(
        for: byte() & 3, givingUp: [GivenUpInput(client: Self.client, end: UInt64(byte()))]) == nil
  }

  private func keep() {
    guard let (pipe, _) = entry() else { return }
    if byte() & 1 == 0 {
      pipe.keep(state: [1])
    } else {
      pipe.keep(
        checkpoint: ByteBuffer(bytes: bytes()), size: TerminalSize(columns: 80, rows: 24),
        at: ends[pipe.handle] ?? 0)
    }
  }

  private func detach() {
    guard let (pipe, listener) = entry() else { return }
    if byte() & 1 == 0 { pipe.detach() } else { pipe.forget() }
    listener.given = 0
  }
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    heldOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif

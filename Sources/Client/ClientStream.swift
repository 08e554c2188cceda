// One stream's side of `fairlead.v1`, without a connection: what to send, what to tell the user,
// and what to remember so that the next connection goes on at the same byte (promises P1, P2).
// Frames come in, actions go out; `TerminalClient` carries them out.

public import NIOCore
public import Wire

public struct ClientStream: Sendable {
  public enum Action: Sendable, Equatable {
    case send(Frame)
    case emit(TerminalEvent)
    /// REFUSED for now: OPEN again after so many milliseconds, on a new stream number.
    case reopen(afterMilliseconds: Int, reason: String)
    /// OPEN again at once, on a new stream number.
    case openAgain
    /// Call ``ClientStream/acknowledge()`` within ``ClientLimits/acknowledgeWithin``.
    case acknowledgeSoon
    /// The stream is over; its last event was told.
    case finish
  }

  public let session: SessionID
  /// The session's life, as far as it is known.
  public private(set) var life: Life?
  /// The next output offset needed; nil while there is no screen that it could continue.
  public private(set) var next: UInt64?
  /// Input acknowledged: it was written to the pipe up to here.
  public var acknowledgedInput: UInt64 { input.acknowledged }
  /// Bytes of input that are not acknowledged, sent or waiting.
  public var unacknowledgedInput: Int { input.unacknowledged }
  /// Bytes of input that have yet to be sent.
  public var waitingInput: Int { input.waiting }

  private var open: Open
  private var phase = Phase.opening
  private var input = InputBuffer()
  private var snapshot: PartialSnapshot?
  /// Cumulative body bytes of this stream number: come in, consumed, acknowledged.
  private var received: UInt64 = 0
  private var consumed: UInt64 = 0
  private var acknowledged: UInt64 = 0
  /// Consumptions yet to be reported that belong to an earlier stream number.
  private var stale = 0
  private var wantsKill = false
  private var sizeWish: SizeWish
  private var startsAnew: Bool

  private enum Phase { case opening, live, paused, over }

  private struct PartialSnapshot {
    var id: UInt64
    var offset: UInt64
    var size: TerminalSize
    var bytes: ByteBuffer
  }

  /// - Parameters:
  ///   - open: a random session id is chosen if it has none, so that an OPEN that is sent twice creates one
  ///     session.
  ///   - client: whose stream it is.
  ///   - startsAnew: if it is to be created, and one of its id was lost with its node, this is told, and then
  ///     it is created.
  public init(_ open: Open, of client: ClientID = .random(), startsAnew: Bool = false) {
    sizeWish = SizeWish(of: client)
    self.startsAnew = startsAnew && open.create != nil
    var open = open
    session = open.session ?? .random()
    open.session = session
    life = open.resume?.life
    next = open.resume?.next
    self.open = open
  }

  public var isLive: Bool { phase == .live }
  public var isOver: Bool { phase == .over }

  // MARK: The connection comes and goes

  /// OPEN for a new stream number, on this connection or a new one.
  /// - Parameter time: milliseconds since 1970. With them the OPENs of a client are in order, even
  ///   those of two processes that used one ClientID after each other.
  public mutating func begin(at time: UInt64 = 0) -> Frame {
    phase = .opening
    open.attempt = max(time, (open.attempt ?? 0) + 1)
    dropSnapshot()
    stale += Int(received - consumed)
    (received, consumed, acknowledged) = (0, 0, 0)
    return .open(open)
  }

  // MARK: From the server

  /// - Throws: what the server did wrong; the connection is of no use any more.
  public mutating func receive(_ frame: Frame) throws(WireError) -> [Action] {
    switch frame {
    case .opened(let opened): return try didOpen(opened)
    case .output(let offset, let bytes): return try didReceive(output: bytes, at: offset)
    case .snapshot(let part): return try didReceive(part)
    case .inputAck(let offset):
      try input.acknowledge(offset)
      remember()
      return typed()
    case .resized(let offset, let size): return [.emit(.resized(offset: offset, size))]
    case .event(let event):
      if case .refused = event { wantsKill = false }
      sizeWish.hear(event)
      guard event == .paused else { return [.emit(.event(event))] }
      phase = .paused
      return [.emit(.state(.paused))]
    case .refused(let refused):
      if let retry = refused.retry {
        phase = .opening
        return [.reopen(afterMilliseconds: max(0, retry), reason: refused.message)]
      }
      if refused.code == .lost, startsAnew {
        startsAnew = false
        return [.emit(.lost(refused)), .openAgain]
      }
      // What was typed meanwhile is not sent anywhere any more.
      return (input.drop().map { [.emit(.inDoubt($0))] } ?? []) + finish(.refused(refused))
    case .ended(let ended): return finish(.ended(ended))
    case .close(let close): return finish(.closed(reason: close.reason.rawValue))
    default: throw WireError(.unexpected, "\(frame.type) is not for a server to send on a stream")
    }
  }

  private mutating func didOpen(_ opened: Opened) throws(WireError) -> [Action] {
    let isOtherLife = life != nil && life != opened.life
    if opened.resumed == .exact {
      guard let next, !isOtherLife, opened.output == next else {
        throw WireError(.unexpected, "OPENED goes on at \(opened.output), not where it was left")
      }
    }
    let isInDoubt = isOtherLife || opened.inDoubt == true
    // The last that may throw: what is not told to the user has not changed where the stream stands.
    let lost = try input.opened(at: opened.input, isInDoubt: isInDoubt)
    if opened.resumed != .exact { next = opened.resumed == .new ? opened.output : nil }
    dropSnapshot()
    life = opened.life
    open.create = nil
    startsAnew = false
    remember()
    phase = .live
    var actions: [Action] = [.emit(.opened(opened)), .emit(.state(.live))]
    if let lost { actions.append(.emit(.inDoubt(lost))) }
    if sizeWish.isOpen { actions.append(.send(.take)) }
    if wantsKill { actions.append(.send(.kill)) }
    // What was consumed while the stream was paused could not be acknowledged then, and nothing more may
    // come that would be: the server would wait for credit for good.
    return actions + acknowledgeIfDue() + typed()
  }

  private mutating func didReceive(output bytes: ByteBuffer, at offset: UInt64) throws(WireError)
    -> [Action]
  {
    guard phase == .live, snapshot == nil, let next, offset == next else {
      let wanted = next.map { "\($0)" } ?? "a snapshot"
      throw WireError(.unexpected, "OUTPUT at \(offset), where \(wanted) was due")
    }
    received += UInt64(bytes.readableBytes)
    self.next = offset + UInt64(bytes.readableBytes)
    remember()
    return [.emit(.output(offset: offset, bytes))]
  }

  private mutating func didReceive(_ part: SnapshotPart) throws(WireError) -> [Action] {
    guard phase == .live, part.isFirst || snapshot?.id == part.id else {
      throw WireError(.unexpected, "a part of a snapshot that did not begin")
    }
    received += UInt64(part.bytes.readableBytes)
    var whole: PartialSnapshot
    if part.isFirst {
      dropSnapshot()
      whole = PartialSnapshot(
        id: part.id, offset: part.offset, size: part.size, bytes: ByteBuffer())
      next = nil
    } else if let begun = snapshot {
      whole = begun
    } else {
      return []
    }
    snapshot = nil
    whole.bytes.writeImmutableBuffer(part.bytes)
    guard whole.bytes.readableBytes <= ClientLimits.snapshot else {
      throw WireError(.unexpected, "a snapshot of more than \(ClientLimits.snapshot) bytes")
    }
    guard part.isLast else {
      snapshot = whole
      remember()
      // While it waits here for its other parts it must not use the window up: credit is given as parts
      // come, and the whole is not counted again when it is consumed.
      return acknowledgeIfDue(collected: whole.bytes.readableBytes)
    }
    next = whole.offset
    remember()
    return [.emit(.snapshot(offset: whole.offset, size: whole.size, whole.bytes))]
  }

  /// An interrupted snapshot is sent again whole; what came of it counts as consumed.
  private mutating func dropSnapshot() {
    consumed = min(received, consumed + UInt64(snapshot?.bytes.readableBytes ?? 0))
    snapshot = nil
  }

  private mutating func finish(_ event: TerminalEvent) -> [Action] {
    phase = .over
    return [.emit(event), .finish]
  }

  // MARK: From the user

  /// Types; what does not fit the window waits, and what does not fit there is told as not typed.
  public mutating func type(_ bytes: ByteBuffer) -> [Action] {
    guard phase != .over else { return [] }
    guard input.append(bytes) else {
      return [.emit(.notTyped(bytes: bytes.readableBytes, because: .tooMuchWaits))]
    }
    return typed()
  }

  /// Types what interrupts (a Ctrl-C): it takes the place of all that waits and was not sent yet, as a
  /// terminal throws away what was typed before an interrupt (NOFLSH in termios(3)).
  public mutating func interrupt(_ bytes: ByteBuffer) -> [Action] {
    guard phase != .over else { return [] }
    let discarded = input.interrupt(bytes)
    let told: [Action] =
      discarded > 0 ? [.emit(.notTyped(bytes: discarded, because: .interrupted))] : []
    return told + typed()
  }

  public mutating func resize(_ size: TerminalSize) -> [Action] {
    guard size.isValid else { return [] }
    open.size = size
    return isLive ? [.send(.resize(size))] : []
  }

  /// The user's terminal has these colours now, for programs that ask.
  public mutating func recolor(_ colors: ThemeColors) -> [Action] {
    open.colors = colors
    return isLive ? [.send(.colors(colors))] : []
  }

  /// Takes the size.
  public mutating func take() -> [Action] {
    sizeWish.take()
    return isLive ? [.send(.take)] : []
  }

  /// Ends the session, as soon as it is open.
  public mutating func kill() -> [Action] {
    wantsKill = true
    return isLive ? [.send(.kill)] : []
  }

  /// Leaves the stream; the session lives on.
  public mutating func leave() -> [Action] {
    guard phase != .over else { return [] }
    return [.send(.close(.done))] + finish(.closed(reason: Close.done.reason.rawValue))
  }

  /// The user has consumed so many bytes of what was told. Acknowledged at half a window; when nothing is left to
  /// consume, with the next input, or soon.
  public mutating func consume(_ count: Int) -> [Action] {
    let count = max(0, count)
    let late = min(stale, count)
    stale -= late
    consumed = min(received, consumed + UInt64(count - late))
    return acknowledgeIfDue()
  }

  /// - Parameter collected: bytes of a snapshot that is not whole yet.
  private mutating func acknowledgeIfDue(collected: Int = 0) -> [Action] {
    let count = min(received, consumed + UInt64(collected))
    guard phase == .live, count > acknowledged else { return [] }
    if count - acknowledged >= UInt64(WireLimits.acknowledgeAt) { return acknowledge(upTo: count) }
    return count == received ? [.acknowledgeSoon] : []
  }

  /// Acknowledges what was consumed and is not acknowledged yet.
  public mutating func acknowledge() -> [Action] {
    isLive && consumed > acknowledged ? acknowledge(upTo: consumed) : []
  }

  private mutating func acknowledge(upTo count: UInt64) -> [Action] {
    acknowledged = count
    return [.send(.outputAck(offset: next ?? 0, consumed: count))]
  }

  private mutating func typed() -> [Action] {
    guard isLive else { return [] }
    var actions: [Action] = []
    while let frame = input.next() {
      if actions.isEmpty { actions = acknowledge() }
      actions.append(.send(frame))
    }
    return actions
  }

  /// Keeps the OPEN of the next connection: it resumes, and a resume never creates.
  private mutating func remember() {
    guard let life else { return }
    open.resume = Resume(life: life, next: next, input: input.resumeOffset)
  }
}

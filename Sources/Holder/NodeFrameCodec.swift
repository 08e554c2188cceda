// What a node says, as bytes.

extension NodeFrame {
  private enum Code: UInt8 {
    case proof = 0x01
    case ping = 0x02
    case list = 0x03
    case start = 0x10
    case attach = 0x11
    case detach = 0x12
    case credit = 0x13
    case input = 0x14
    case answer = 0x15
    case discard = 0x16
    case resize = 0x17
    case signal = 0x18
    case end = 0x19
    case state = 0x1a
    case checkpoint = 0x1b
    case read = 0x1c
    case look = 0x1d
    case forget = 0x1e
  }

  /// For who writes these without a copy of their bytes.
  public static var inputType: UInt8 { Code.input.rawValue }
  public static var answerType: UInt8 { Code.answer.rawValue }

  /// Nil: no frame of this version, or one that contradicts itself.
  public init?(type: UInt8, body: ArraySlice<UInt8>) {
    guard let code = Code(rawValue: type) else { return nil }
    var reader = FrameReader(body)
    guard let frame = NodeFrame(code, &reader), reader.isDone else { return nil }
    self = frame
  }

  private init?(_ code: Code, _ reader: inout FrameReader) {
    switch code {
    case .proof:
      self = .proof(version: reader.byte(), nonce: reader.fixed(32), mac: reader.fixed(32))
    case .ping: self = .ping(reader.long())
    case .list: self = .list
    case .start:
      guard let request = StartRequest(&reader) else { return nil }
      self = .start(request)
    case .attach:
      let (handle, epoch, hasNext, next) = (
        reader.long(), reader.long(), reader.bool(), reader.long()
      )
      self = .attach(handle: handle, epoch: epoch, next: hasNext ? next : nil)
    case .detach: self = .detach(handle: reader.long(), epoch: reader.long())
    case .credit: self = .credit(handle: reader.long(), epoch: reader.long(), upTo: reader.long())
    case .input:
      self = .input(
        handle: reader.long(), epoch: reader.long(), client: ClientKey(&reader),
        offset: reader.long(),
        bytes: reader.counted(most: HolderLimits.input))
    case .answer:
      self = .answer(
        handle: reader.long(), epoch: reader.long(), query: reader.long(),
        bytes: reader.counted(most: HolderLimits.input))
    case .discard:
      self = .discard(
        handle: reader.long(), epoch: reader.long(), key: reader.byte(),
        upTo: HeldLedger.list(&reader))
    case .resize:
      self = .resize(
        handle: reader.long(), epoch: reader.long(), columns: reader.short(), rows: reader.short())
    case .signal: self = .signal(handle: reader.long(), epoch: reader.long(), number: reader.byte())
    case .end: self = .end(handle: reader.long(), epoch: reader.long(), grace: reader.word())
    case .state:
      self = .state(
        handle: reader.long(), epoch: reader.long(), bytes: reader.counted(most: HolderLimits.state)
      )
    case .checkpoint:
      let (handle, epoch) = (reader.long(), reader.long())
      guard let part = CheckpointPart(rawValue: reader.byte()) else { return nil }
      self = .checkpoint(
        handle: handle, epoch: epoch, part: part, isFirst: reader.bool(), isLast: reader.bool(),
        offset: reader.long(), drop: reader.word(), bytes: reader.counted())
    case .read: self = .read(handle: reader.long(), from: reader.long(), upTo: reader.long())
    case .look: self = .look(handle: reader.long())
    case .forget: self = .forget(handle: reader.long(), epoch: reader.long())
    }
  }

  public func write(to writer: inout FrameWriter) {
    let start = writer.beginFrame(code.rawValue)
    writeBody(to: &writer)
    writer.endFrame(start)
  }

  private var code: Code {
    switch self {
    case .proof: .proof
    case .ping: .ping
    case .list: .list
    case .start: .start
    case .attach: .attach
    case .detach: .detach
    case .credit: .credit
    case .input: .input
    case .answer: .answer
    case .discard: .discard
    case .resize: .resize
    case .signal: .signal
    case .end: .end
    case .state: .state
    case .checkpoint: .checkpoint
    case .read: .read
    case .look: .look
    case .forget: .forget
    }
  }

  private func writeBody(to writer: inout FrameWriter) {
    switch self {
    case .proof(let version, let nonce, let mac):
      writer.write(version)
      writer.write(fixed: nonce)
      writer.write(fixed: mac)
    case .ping(let token): writer.write(token)
    case .list: break
    case .start(let request): request.write(to: &writer)
    case .attach(let handle, let epoch, let next):
      writer.write(handle, epoch)
      writer.write(next != nil)
      writer.write(next ?? 0)
    case .detach(let handle, let epoch), .forget(let handle, let epoch): writer.write(handle, epoch)
    case .credit(let handle, let epoch, let upTo):
      writer.write(handle, epoch)
      writer.write(upTo)
    case .input(let handle, let epoch, let client, let offset, let bytes):
      writer.write(handle, epoch)
      writer.write(client)
      writer.write(offset)
      writer.write(bytes)
    case .answer(let handle, let epoch, let query, let bytes):
      writer.write(handle, epoch)
      writer.write(query)
      writer.write(bytes)
    case .discard(let handle, let epoch, let key, let ends):
      writer.write(handle, epoch)
      writer.write(key)
      writer.write(ends)
    case .resize(let handle, let epoch, let columns, let rows):
      writer.write(handle, epoch)
      writer.write(columns)
      writer.write(rows)
    case .signal(let handle, let epoch, let number):
      writer.write(handle, epoch)
      writer.write(number)
    case .end(let handle, let epoch, let grace):
      writer.write(handle, epoch)
      writer.write(grace)
    case .state(let handle, let epoch, let bytes):
      writer.write(handle, epoch)
      writer.write(bytes)
    case .checkpoint(
      let handle, let epoch, let part, let isFirst, let isLast, let offset, let drop, let bytes):
      writer.write(handle, epoch)
      writer.write(part.rawValue)
      writer.write(isFirst)
      writer.write(isLast)
      writer.write(offset)
      writer.write(drop)
      writer.write(bytes)
    case .read(let handle, let from, let upTo):
      writer.write(handle, from)
      writer.write(upTo)
    case .look(let handle): writer.write(handle)
    }
  }
}

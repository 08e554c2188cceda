// The frames as bytes.

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

extension HolderFrame {
  private enum Code: UInt8 {
    case hello = 0x81
    case ping = 0x82
    case welcome = 0x83
    case entry = 0x84
    case listed = 0x85
    case started = 0x90
    case notStarted = 0x91
    case attached = 0x92
    case refused = 0x93
    case superseded = 0x94
    case checkpoint = 0x95
    case output = 0x96
    case resized = 0x97
    case written = 0x98
    case answered = 0x99
    case older = 0x9a
    case looked = 0x9b
    case exited = 0x9c
    case survivors = 0x9d
    case discarded = 0x9e
  }

  public init?(type: UInt8, body: ArraySlice<UInt8>) {
    guard let code = Code(rawValue: type) else { return nil }
    var reader = FrameReader(body)
    guard let frame = HolderFrame(code, &reader), reader.isDone else { return nil }
    self = frame
  }

  private init?(_ code: Code, _ reader: inout FrameReader) {
    switch code {
    case .hello:
      self = .hello(version: reader.byte(), holder: reader.fixed(16), nonce: reader.fixed(32))
    case .ping: self = .ping(reader.long())
    case .welcome: self = .welcome(mac: reader.fixed(32))
    case .entry:
      self = .entry(
        HeldEntry(
          handle: reader.long(), epoch: reader.long(), isAttached: reader.bool(),
          unheard: reader.long(),
          hasEnded: reader.bool(), descriptor: reader.counted(most: HolderLimits.descriptor)))
    case .listed: self = .listed(count: reader.word())
    case .started:
      self = .started(tag: reader.word(), handle: reader.long(), process: reader.word())
    case .notStarted:
      self = .notStarted(tag: reader.word(), step: reader.byte(), error: reader.word())
    case .attached:
      guard let state = HeldState(&reader) else { return nil }
      self = .attached(state)
    case .refused: self = .refused(handle: reader.long(), epoch: reader.long())
    case .superseded: self = .superseded(handle: reader.long(), epoch: reader.long())
    case .checkpoint:
      let handle = reader.long()
      guard let part = CheckpointPart(rawValue: reader.byte()) else { return nil }
      self = .checkpoint(handle: handle, part: part, isLast: reader.bool(), bytes: reader.counted())
    case .output:
      self = .output(handle: reader.long(), offset: reader.long(), bytes: reader.counted())
    case .resized:
      self = .resized(
        handle: reader.long(), offset: reader.long(), columns: reader.short(), rows: reader.short())
    case .written:
      self = .written(handle: reader.long(), client: ClientKey(&reader), offset: reader.long())
    case .answered: self = .answered(handle: reader.long(), query: reader.long())
    case .older:
      self = .older(handle: reader.long(), offset: reader.long(), bytes: reader.counted())
    case .looked:
      self = .looked(
        handle: reader.long(), isForeground: reader.bool(), words: reader.counted(),
        directory: reader.counted())
    case .exited:
      let handle = reader.long()
      guard let exit = HeldExit.read(&reader) ?? nil else { return nil }
      self = .exited(handle: handle, exit: exit, end: reader.long())
    case .survivors: self = .survivors(handle: reader.long())
    case .discarded:
      self = .discarded(handle: reader.long(), key: reader.byte(), did: reader.bool())
    }
  }

  public func write(to writer: inout FrameWriter) {
    let start = writer.beginFrame(code.rawValue)
    writeBody(to: &writer)
    writer.endFrame(start)
  }

  /// The output's head alone: `count` bytes of it are to follow.
  /// For who reads OUTPUT without a copy of its bytes.
  public static var outputType: UInt8 { Code.output.rawValue }

  static func writeOutputHead(
    handle: UInt64, offset: UInt64, count: Int, to writer: inout FrameWriter
  ) {
    let start = writer.beginFrame(Code.output.rawValue)
    writer.write(handle, offset)
    writer.write(UInt32(truncatingIfNeeded: count))
    // As `endFrame`, with the bytes that are not there yet.
    var length = UInt32(truncatingIfNeeded: writer.bytes.count - start - 4 + count)
    for index in start..<start + 4 {
      writer.bytes[index] = UInt8(truncatingIfNeeded: length)
      length >>= 8
    }
  }

  private var code: Code {
    switch self {
    case .hello: .hello
    case .ping: .ping
    case .welcome: .welcome
    case .entry: .entry
    case .listed: .listed
    case .started: .started
    case .notStarted: .notStarted
    case .attached: .attached
    case .refused: .refused
    case .superseded: .superseded
    case .checkpoint: .checkpoint
    case .output: .output
    case .resized: .resized
    case .written: .written
    case .answered: .answered
    case .older: .older
    case .looked: .looked
    case .exited: .exited
    case .survivors: .survivors
    case .discarded: .discarded
    }
  }

  private func writeBody(to writer: inout FrameWriter) {
    switch self {
    case .hello(let version, let holder, let nonce):
      writer.write(version)
      writer.write(fixed: holder)
      writer.write(fixed: nonce)
    case .ping(let token): writer.write(token)
    case .welcome(let mac): writer.write(fixed: mac)
    case .entry(let entry):
      writer.write(entry.handle, entry.epoch)
      writer.write(entry.isAttached)
      writer.write(entry.unheard)
      writer.write(entry.hasEnded)
      writer.write(entry.descriptor)
    case .listed(let count): writer.write(count)
    case .started(let tag, let handle, let process):
      writer.write(tag)
      writer.write(handle)
      writer.write(process)
    case .notStarted(let tag, let step, let error):
      writer.write(tag)
      writer.write(step)
      writer.write(error)
    case .attached(let state): state.write(to: &writer)
    case .refused(let handle, let epoch), .superseded(let handle, let epoch):
      writer.write(handle, epoch)
    case .checkpoint(let handle, let part, let isLast, let bytes):
      writer.write(handle)
      writer.write(part.rawValue)
      writer.write(isLast)
      writer.write(bytes)
    case .output(let handle, let offset, let bytes), .older(let handle, let offset, let bytes):
      writer.write(handle, offset)
      writer.write(bytes)
    case .resized(let handle, let offset, let columns, let rows):
      writer.write(handle, offset)
      writer.write(columns)
      writer.write(rows)
    case .written(let handle, let client, let offset):
      writer.write(handle)
      writer.write(client)
      writer.write(offset)
    case .answered(let handle, let query): writer.write(handle, query)
    case .discarded(let handle, let key, let did):
      writer.write(handle)
      writer.write(key)
      writer.write(did)
    case .looked(let handle, let isForeground, let words, let directory):
      writer.write(handle)
      writer.write(isForeground)
      writer.write(words)
      writer.write(directory)
    case .exited(let handle, let exit, let end):
      writer.write(handle)
      HeldExit.write(exit, to: &writer)
      writer.write(end)
    case .survivors(let handle): writer.write(handle)
    }
  }
}

extension FrameWriter {
  mutating func write(_ handle: UInt64, _ epoch: UInt64) {
    write(handle)
    write(epoch)
  }

  mutating func write(_ client: ClientKey) {
    write(client.high)
    write(client.low)
  }
}

extension ClientKey {
  init(_ reader: inout FrameReader) { self.init(high: reader.long(), low: reader.long()) }
}

extension HeldLedger {
  static func list(_ reader: inout FrameReader) -> [HeldLedger] {
    let count = Int(reader.word())
    var list: [HeldLedger] = []
    for _ in 0..<min(count, reader.rest / 24) {
      list.append(HeldLedger(client: ClientKey(&reader), written: reader.long()))
    }
    // More than there are is a frame that is too short.
    if list.count < count { _ = reader.fixed(reader.rest + 1) }
    return list
  }
}

extension FrameWriter {
  mutating func write(_ ledgers: [HeldLedger]) {
    write(UInt32(truncatingIfNeeded: ledgers.count))
    for ledger in ledgers {
      write(ledger.client)
      write(ledger.written)
    }
  }
}

extension HeldExit {
  static func write(_ exit: HeldExit?, to writer: inout FrameWriter) {
    let (kind, value): (UInt8, Int32) =
      switch exit {
      case nil: (0, 0)
      case .exited(let code): (1, code)
      case .signalled(let number): (2, number)
      case .unknown: (3, 0)
      }
    writer.write(kind)
    writer.write(UInt32(bitPattern: value))
  }

  /// Nil: none of these; a nil within: it runs.
  static func read(_ reader: inout FrameReader) -> HeldExit?? {
    let kind = reader.byte()
    let value = Int32(bitPattern: reader.word())
    switch kind {
    case 0: return .some(nil)
    case 1: return .exited(value)
    case 2: return .signalled(value)
    case 3: return .unknown
    default: return nil
    }
  }
}

extension StartRequest {
  init?(_ reader: inout FrameReader) {
    self.init(
      tag: reader.word(), epoch: reader.long(), columns: reader.short(), rows: reader.short(),
      logLimit: reader.word(), orphanAfter: reader.word(),
      descriptor: reader.counted(most: HolderLimits.descriptor), mark: reader.counted(),
      paths: reader.list(), names: reader.list(), arguments: reader.list(),
      environment: reader.list(), directory: reader.counted(),
      isDirectoryPreferred: reader.bool(), user: HeldUser.read(&reader), filesSoft: reader.long(),
      filesHard: reader.long())
  }

  func write(to writer: inout FrameWriter) {
    writer.write(tag)
    writer.write(epoch)
    writer.write(columns)
    writer.write(rows)
    writer.write(logLimit)
    writer.write(orphanAfter)
    writer.write(descriptor)
    writer.write(mark)
    writer.write(list: paths)
    writer.write(list: names)
    writer.write(list: arguments)
    writer.write(list: environment)
    writer.write(directory)
    writer.write(isDirectoryPreferred)
    writer.write(user != nil)
    if let user {
      writer.write(user.uid)
      writer.write(user.gid)
      writer.write(UInt32(truncatingIfNeeded: user.groups.count))
      for group in user.groups { writer.write(group) }
    }
    writer.write(filesSoft)
    writer.write(filesHard)
  }
}

extension HeldUser {
  static func read(_ reader: inout FrameReader) -> HeldUser? {
    guard reader.bool() else { return nil }
    var user = HeldUser(uid: reader.word(), gid: reader.word(), groups: [])
    let count = Int(reader.word())
    for _ in 0..<min(count, reader.rest / 4) { user.groups.append(reader.word()) }
    // More than there are is a frame that is too short.
    if user.groups.count < count { _ = reader.fixed(reader.rest + 1) }
    return user
  }
}

extension HeldState {
  init?(_ reader: inout FrameReader) {
    self.init(
      handle: reader.long(), epoch: reader.long(), process: reader.word(), columns: reader.short(),
      rows: reader.short(), logStart: reader.long(), logEnd: reader.long(),
      checkpoint: reader.long(),
      answered: reader.long(), next: reader.long(), sizes: [], ledgers: [],
      hasForgotten: reader.bool(),
      exit: nil,
      state: reader.counted(most: HolderLimits.state))
    guard let exit = HeldExit.read(&reader) else { return nil }
    self.exit = exit
    ledgers = HeldLedger.list(&reader)
    let count = Int(reader.word())
    guard count <= reader.rest / 12 else { return nil }
    for _ in 0..<count {
      sizes.append(
        HeldSize(offset: reader.long(), columns: reader.short(), rows: reader.short()))
    }
  }

  func write(to writer: inout FrameWriter) {
    writer.write(handle, epoch)
    writer.write(process)
    writer.write(columns)
    writer.write(rows)
    writer.write(logStart)
    writer.write(logEnd)
    writer.write(checkpoint)
    writer.write(answered)
    writer.write(next)
    writer.write(hasForgotten)
    writer.write(state)
    HeldExit.write(exit, to: &writer)
    writer.write(ledgers)
    writer.write(UInt32(truncatingIfNeeded: sizes.count))
    for size in sizes {
      writer.write(size.offset)
      writer.write(size.columns)
      writer.write(size.rows)
    }
  }
}

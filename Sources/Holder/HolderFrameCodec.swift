// What the holder says, as bytes.

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

  /// For who reads OUTPUT without a copy of its bytes.
  public static var outputType: UInt8 { Code.output.rawValue }
  /// For who reads what was written to terminals, of which each keystroke tells.
  public static var writtenType: UInt8 { Code.written.rawValue }
  /// For who must know whether a holder begins to speak.
  public static var helloType: UInt8 { Code.hello.rawValue }

  /// The output's head alone: `count` bytes of it are to follow.
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

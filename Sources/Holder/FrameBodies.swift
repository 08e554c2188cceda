// What the frames of both are made of, as bytes.

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
      environment: reader.list(), addsHoldersEnvironment: reader.bool(),
      directory: reader.counted(),
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
    writer.write(addsHoldersEnvironment)
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

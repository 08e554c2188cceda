// Who typed what into a session, and how far it was written to the terminal: each byte once, whichever node brings
// it, and however often. Answers to the program's queries go the same way, each query's once.

struct HeldInput {
  private struct Ledger {
    var client: ClientKey
    /// Taken, from whichever node is attached now; what is not written when another attaches, it brings again.
    var taken: UInt64
    var written: UInt64
  }

  /// A piece that waits for the terminal.
  private struct Piece {
    /// Nil: an answer.
    var client: ClientKey?
    /// The offset after its last byte; of an answer the query's.
    var end: UInt64
    var bytes: [UInt8]
    /// So much of it is written.
    var done = 0
  }

  enum Verdict { case taken, duplicate, gap, tooMuch }

  /// The longest unused first. Few: a list is searched faster than anything.
  private var ledgers: [Ledger] = []
  private(set) var hasForgotten = false
  /// Queries before this offset are answered.
  private(set) var answered: UInt64 = 0
  private var pieces: [Piece] = []
  private var first = 0
  private(set) var waiting = 0

  var isEmpty: Bool { first == pieces.count }
  var states: [HeldLedger] { ledgers.map { HeldLedger(client: $0.client, written: $0.written) } }

  private func hasRoom(for bytes: [UInt8]) -> Bool {
    waiting + bytes.count <= HolderLimits.input && pieces.count - first < HolderLimits.inputPieces
  }

  mutating func take(_ client: ClientKey, offset: UInt64, _ bytes: [UInt8]) -> Verdict {
    guard hasRoom(for: bytes) else { return .tooMuch }
    let (end, overflow) = offset.addingReportingOverflow(UInt64(bytes.count))
    guard !overflow else { return .gap }
    guard let index = ledger(of: client, startingAt: offset) else { return .tooMuch }
    guard offset <= ledgers[index].taken else { return .gap }
    guard end > ledgers[index].taken else { return .duplicate }
    let fresh = Int(truncatingIfNeeded: end - ledgers[index].taken)
    ledgers[index].taken = end
    append(Piece(client: client, end: end, bytes: Array(bytes.suffix(fresh))))
    return .taken
  }

  /// The ledger of the client, which becomes the last used; nil: there is no place for one.
  private mutating func ledger(of client: ClientKey, startingAt offset: UInt64) -> Int? {
    if let index = ledgers.lastIndex(where: { $0.client == client }) {
      if index != ledgers.count - 1 { ledgers.append(ledgers.remove(at: index)) }
      return ledgers.count - 1
    }
    if ledgers.count >= HolderLimits.ledgers {
      guard let unused = ledgers.firstIndex(where: { $0.taken == $0.written }) else { return nil }
      ledgers.remove(at: unused)
      hasForgotten = true
    }
    // A client that begins elsewhere than at 0 typed before its ledger was forgotten, or into another life: its node
    // has told it that this is in doubt.
    ledgers.append(Ledger(client: client, taken: offset, written: offset))
    return ledgers.count - 1
  }

  /// - Parameter settled: queries before this offset are too old to be answered.
  mutating func answer(query: UInt64, _ bytes: [UInt8], settled: UInt64) -> Verdict {
    guard hasRoom(for: bytes) else { return .tooMuch }
    answered = max(answered, settled)
    let pending = pieces[first...].last { $0.client == nil }?.end ?? 0
    guard query > answered, query > pending else { return .duplicate }
    // Nothing is to be written: a piece without bytes would stay the next one for good.
    guard !bytes.isEmpty else {
      answered = query
      return .duplicate
    }
    append(Piece(client: nil, end: query, bytes: bytes))
    return .taken
  }

  mutating func settle(_ offset: UInt64) { answered = max(answered, offset) }

  private mutating func append(_ piece: Piece) {
    waiting += piece.bytes.count
    pieces.append(piece)
  }

  /// What is to be written next.
  func withNext(_ body: (UnsafeRawBufferPointer) -> Int) -> Int {
    guard first < pieces.count else { return 0 }
    let piece = pieces[first]
    return piece.bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[piece.done...])) }
  }

  enum Report: Equatable {
    case written(ClientKey, UInt64)
    case answered(UInt64)
  }

  /// The terminal took so many bytes of the next piece; returns what its node is to be told.
  mutating func wrote(_ count: Int) -> Report? {
    guard first < pieces.count else { return nil }
    let taken = min(max(0, count), pieces[first].bytes.count - pieces[first].done)
    pieces[first].done += taken
    waiting -= taken
    let piece = pieces[first]
    let left = piece.bytes.count - piece.done
    if left == 0 { dropFirst() }
    guard let client = piece.client else {
      guard left == 0 else { return nil }
      answered = max(answered, piece.end)
      return .answered(piece.end)
    }
    let written = piece.end - UInt64(left)
    if let index = ledgers.lastIndex(where: { $0.client == client }) {
      ledgers[index].written = written
    }
    return .written(client, written)
  }

  private mutating func dropFirst() {
    first += 1
    if first == pieces.count {
      pieces.removeAll(keepingCapacity: true)
      first = 0
    } else if first >= HolderLimits.inputPiecesDone {
      pieces.removeFirst(first)
      first = 0
    }
  }

  /// Another node attaches, or none is left: what was not written is its clients' to bring again. A piece that is
  /// half written stays if it is an answer, which would be none without its end.
  mutating func takeBack() {
    var kept: [Piece] = []
    if first < pieces.count, pieces[first].client == nil, pieces[first].done > 0 {
      kept.append(pieces[first])
    }
    pieces = kept
    first = 0
    waiting = kept.isEmpty ? 0 : kept[0].bytes.count - kept[0].done
    for index in ledgers.indices { ledgers[index].taken = ledgers[index].written }
  }

  /// A key that interrupts overtakes what was typed before it: all that waits is given up, and the clients' input up
  /// to these offsets counts as written.
  mutating func discard(upTo ends: [HeldLedger]) -> [Report] {
    var reports: [Report] = []
    var given = ends
    for piece in pieces[first...] {
      if let client = piece.client { given.append(HeldLedger(client: client, written: piece.end)) }
    }
    pieces.removeAll(keepingCapacity: true)
    first = 0
    waiting = 0
    for end in given {
      guard let index = ledger(of: end.client, startingAt: end.written),
        ledgers[index].taken <= end.written
      else { continue }
      ledgers[index].taken = end.written
      ledgers[index].written = end.written
      reports.append(.written(end.client, end.written))
    }
    return reports
  }

  /// How far the client's input was written; nil: there is no ledger of it.
  func written(of client: ClientKey) -> UInt64? {
    ledgers.last { $0.client == client }?.written
  }
}

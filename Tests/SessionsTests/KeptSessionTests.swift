// Promise P11: a session outlives its node. Made again from what was left with its holder, it shows what it showed, byte
// for byte, and has answered each of the program's questions once.

import Holder
import NIOCore
import Screen
import TestSupport
import Testing
import Wire

@testable import Sessions

@Suite("A session that is kept (promise P11)") struct KeptSessionTests {
  @Test("waits for an answer for as long as its holder takes one") func answerable() {
    #expect(SessionLimits.answerable == .milliseconds(Int64(HolderLimits.query)))
  }

  @Test("says why it stands still, also to who comes then, and that it goes on")
  func aStall() {
    let test = TestSession(kept: KeptSession(size: .standard))
    test.attach(1, isNew: true)
    test.stalls("why")
    test.stalls("why")
    test.attach(2)
    #expect(test.summary.stalled == "why")
    test.stalls(nil)
    test.attach(3)
    func told(_ stream: UInt64) -> [Frame] {
      test.frames(stream).filter { if case .event(.stalled) = $0 { true } else { false } }
    }
    #expect(told(1) == [.event(.stalled("why")), .event(.stalled(nil))])
    #expect(told(2) == told(1))
    #expect(told(3).isEmpty)
    #expect(test.summary.stalled == nil)
  }

  /// What a holder has of a session, and the node that has it now.
  private struct Kept {
    var output: [UInt8] = []
    var sizes: [(offset: UInt64, size: TerminalSize)] = []
    var answered: UInt64 = 0
    var answers: [UInt8] = []
    var checkpoint: (bytes: ByteBuffer, size: TerminalSize, offset: UInt64)?
    var state = KeptState()
    /// How much its node has been told.
    var told = 0
    var toldSizes = 0
    var session: TestSession

    static let size = TerminalSize(columns: 80, rows: 24)
    static let settings = SessionSettings(logLimit: 16 * 1024, scrollback: 50)
    let settings: SessionSettings

    init(_ settings: SessionSettings = Self.settings) {
      self.settings = settings
      session = TestSession(
        size: Self.size, kept: KeptSession(size: Self.size, logLimit: settings.heldLog),
        settings: settings)
    }

    func size(at offset: UInt64) -> TerminalSize {
      sizes.last { $0.offset <= offset }?.size ?? Self.size
    }

    /// - Parameter pieces: how much of what was written has come; nil: all.
    mutating func takeWhatWasLeft(pieces count: Int? = nil) {
      let count = count ?? session.pieces.count
      if let left = session.checkpoint, session.piecesBeforeCheckpoint <= count {
        checkpoint = left
      }
      if let state = session.state { self.state = state }
      for piece in session.pieces.prefix(count) {
        guard case .answer(let query) = piece.source, query > answered else { continue }
        answered = query
        answers += piece.bytes.readableBytesView
      }
    }

    /// The node is killed; another makes the session again.
    mutating func kill() {
      let offset = checkpoint?.offset ?? 0
      let start = max(0, Int(offset) - 10_000)
      session = TestSession(
        size: Self.size,
        kept: KeptSession(
          state: state, checkpoint: checkpoint.map { ($0.bytes, $0.size) }, size: size(at: offset),
          older: ByteBuffer(bytes: output[start..<Int(offset)]),
          olderSizes: sizes.filter { $0.offset >= UInt64(start) && $0.offset <= offset }
            .map { ($0.offset, $0.size) },
          offset: offset, end: UInt64(output.count), answered: answered,
          logLimit: settings.heldLog), settings: settings)
      told = Int(offset)
      toldSizes = sizes.count { $0.offset <= offset }
    }

    /// The node is told of output, and of sizes at their places.
    mutating func tell(_ count: Int = 1 << 30) {
      let end = min(output.count, told + count)
      while true {
        let next = toldSizes < sizes.count ? sizes[toldSizes] : nil
        let stop = min(end, next.map { Int($0.offset) } ?? end)
        if stop > told {
          session.prints(ByteBuffer(bytes: output[told..<stop]))
          told = stop
        }
        guard let next, Int(next.offset) <= told, Int(next.offset) <= end else { break }
        session.resizes(to: next.size)
        toldSizes += 1
      }
      session.settle()
    }
  }

  @Test("shows what it showed, whenever its nodes are killed", arguments: [0, 1, 3, 50, 400])
  func killedAtRandom(scrollback: Int) {
    for _ in 0..<5 { historyOfKills(scrollback) }
  }

  private func historyOfKills(_ scrollback: Int) {
    let seed = SeededGenerator.announcedSeed("killedAtRandom")
    var output = OutputGenerator(seed: seed)
    var random = SeededGenerator(seed: seed &+ 1)
    var kept = Kept(SessionSettings(logLimit: 16 * 1024, scrollback: scrollback))
    let reference = Screen(columns: 80, rows: 24, scrollback: scrollback)
    var answers: [UInt8] = []
    for _ in 0..<400 {
      switch output.number(10) {
      case 0...5:
        for _ in 0..<output.number(100) {
          let piece = output.piece()
          kept.output += piece
          reference.write(piece)
          answers += reference.takeAnswers()
        }
      case 6:
        let size = TerminalSize(columns: 20 + output.number(100), rows: 5 + output.number(30))
        kept.sizes.append((UInt64(kept.output.count), size))
        reference.resize(columns: size.columns, rows: size.rows)
      case 7, 8:
        kept.tell(output.number(5_000))
        kept.takeWhatWasLeft()
      default:
        // Some of what it was told has led to nothing that anybody else knows.
        kept.tell(output.number(3_000))
        kept.takeWhatWasLeft(pieces: Int.random(in: 0...kept.session.pieces.count, using: &random))
        kept.kill()
      }
    }
    kept.tell()
    kept.takeWhatWasLeft()
    let isSame = kept.session.core.screen.snapshot() == reference.snapshot()
    #expect(isSame, "another screen, with FAIRLEAD_SEED=\(seed)")
    let end = kept.session.core.log.end
    #expect(end == UInt64(kept.output.count))
    let areSame = kept.answers == answers
    let first = zip(kept.answers, answers).prefix { $0 == $1 }.count
    let (got, wanted) = (kept.answers.dropFirst(first), answers.dropFirst(first))
    #expect(
      areSame,
      """
      other answers from \(first) on, with FAIRLEAD_SEED=\(seed): \(got.count) bytes, and not \(wanted.count): \
      \(String(decoding: got.prefix(60), as: UTF8.self).debugDescription), and not \
      \(String(decoding: wanted.prefix(60), as: UTF8.self).debugDescription)
      """)
  }

  @Test("has each size that its terminal had right behind its checkpoint")
  func sizesAtTheCheckpoint() {
    var kept = Kept()
    // Without scrollback a row that a smaller size took away does not come back with a larger one.
    kept.output = Array((String(repeating: "a", count: 13_000) + "\u{1B}[?1049h\u{1B}[20;3H").utf8)
    kept.tell()
    kept.takeWhatWasLeft()
    let end = UInt64(kept.output.count)
    #expect(kept.checkpoint?.offset == end)
    let reference = Screen(columns: 80, rows: 24, scrollback: 50)
    reference.write(kept.output)
    for rows in [5, 15] {
      kept.sizes.append((end, TerminalSize(columns: 80, rows: rows)))
      reference.resize(columns: 80, rows: rows)
    }
    kept.kill()
    kept.tell()
    let isSame = kept.session.core.screen.snapshot() == reference.snapshot()
    #expect(isSame && reference.cursorRow == 4)
  }

  @Test(
    "answers with the colours of who has the size, also at a node where nobody with colours came")
  func theme() {
    var kept = Kept()
    let colors = ThemeColors(foreground: "#0102fe", background: "#030405", cursor: "#060708")
    let client = LinkOpen(
      client: .random(), access: .open, from: "a test", sent: 0, consumed: 0,
      open: Open(session: kept.session.core.id, size: Kept.size, colors: colors))
    kept.session.open(1, client)
    kept.tell()
    kept.takeWhatWasLeft()
    kept.kill()
    kept.output = Array("\u{1B}]11;?\u{07}".utf8)
    kept.tell()
    kept.takeWhatWasLeft()
    let answer = String(decoding: kept.answers, as: UTF8.self)
    #expect(answer.contains("rgb:0303/0404/0505"), "\(answer.debugDescription)")
    // The next node has the answer from the holder, and gives none.
    kept.kill()
    kept.tell()
    kept.takeWhatWasLeft()
    #expect(String(decoding: kept.answers, as: UTF8.self) == answer)
  }

  @Test(
    "leaves a checkpoint of all that it shows before it moves, unless there is little to read since the last"
  )
  func lastCheckpoint() {
    // The holder's log has room for far more.
    var kept = Kept(SessionSettings(logLimit: 1 << 20, scrollback: 10_000))
    kept.output = (0..<1_000).flatMap { Array("line \($0) of some output\r\n".utf8) }
    kept.tell()
    kept.takeWhatWasLeft()
    #expect(kept.checkpoint == nil)
    kept.session.core.leaveCheckpoint(now: kept.session.now)
    kept.session.settle()
    kept.takeWhatWasLeft()
    #expect(kept.checkpoint?.offset == UInt64(kept.output.count))
    kept.output += Array("and a line".utf8)
    kept.tell()
    kept.session.core.leaveCheckpoint(now: kept.session.now)
    let isMaking = kept.session.core.isMakingCheckpoint
    #expect(!isMaking)
    let shown = kept.session.core.screen.snapshot()
    kept.kill()
    kept.tell()
    let isSame = kept.session.core.screen.snapshot() == shown
    #expect(isSame)
  }

  @Test("In a flood no checkpoint tells the scrollback, and yet it is there again") func flood() {
    var kept = Kept(SessionSettings(logLimit: 64 * 1024, scrollback: 300))
    let reference = Screen(columns: 80, rows: 24, scrollback: 300)
    var checkpoints: Set<UInt64> = []
    for number in 0..<20_000 {
      let line = Array("line \(number) \u{1B}[3\(number % 8)mof a flood\u{1B}[m\r\n".utf8)
      kept.output += line
      reference.write(line)
      guard number % 100 == 0 else { continue }
      kept.tell()
      kept.takeWhatWasLeft()
      guard let checkpoint = kept.checkpoint, checkpoints.insert(checkpoint.offset).inserted
      else { continue }
      #expect(checkpoint.bytes.readableBytes < 4_000)
      let behind = kept.session.core.log.end - checkpoint.offset
      #expect(behind <= UInt64(kept.settings.heldLog))
    }
    #expect(checkpoints.count > 10)
    kept.kill()
    kept.tell()
    let isSame = kept.session.core.screen.snapshot() == reference.snapshot()
    #expect(isSame)
  }

  @Test("A checkpoint that is too large is without the oldest lines, or blank; the process goes on")
  func tooLarge() {
    var kept = Kept(SessionSettings(logLimit: 64 * 1024, scrollback: 2_000))
    kept.session.core.kept?.most = 20_000
    // The scrollback is filled, and then nothing scrolls.
    kept.output = (0..<3_000).flatMap { Array("a line that scrolls out \($0)\r\n".utf8) }
    kept.tell()
    for number in 0..<60_000 { kept.output += Array("\u{1B}[H\(number)".utf8) }
    for _ in 0..<10 { kept.tell(100_000) }
    kept.takeWhatWasLeft()
    let bytes = kept.checkpoint?.bytes.readableBytes ?? 0
    #expect((2_000...20_000).contains(bytes))
    kept.session.core.kept?.most = 10
    for number in 0..<60_000 { kept.output += Array("\u{1B}[H\(number)".utf8) }
    for _ in 0..<10 { kept.tell(100_000) }
    kept.takeWhatWasLeft()
    #expect(kept.checkpoint.map { Array($0.bytes.readableBytesView) } == Screen.freshTerminal)
  }

  @Test("lets a client that comes back go on at its byte, from before the checkpoint too")
  func resumes() {
    var kept = Kept()
    kept.output = Array(repeating: UInt8(ascii: "a"), count: 12_000)
    // Enough to fill the scrollback anew behind a checkpoint.
    for _ in 0..<2 { kept.tell(4_500) }
    kept.takeWhatWasLeft()
    #expect(kept.checkpoint?.offset == 4_500)
    let life = kept.session.core.life
    kept.kill()
    let session = TestSession(
      size: Kept.size,
      kept: KeptSession(
        checkpoint: kept.checkpoint.map { ($0.bytes, $0.size) }, size: Kept.size,
        older: ByteBuffer(bytes: kept.output[..<Int(kept.checkpoint?.offset ?? 0)]),
        offset: kept.checkpoint?.offset ?? 0, end: 12_000), settings: Kept.settings, life: life)
    let isBefore = session.core.isUpToDate
    #expect(!isBefore)
    let rest = Array(kept.output[Int(kept.checkpoint?.offset ?? 0)...])
    session.prints(ByteBuffer(bytes: rest))
    session.settle()
    let isAfter = session.core.isUpToDate
    #expect(isAfter)
    session.attach(1, resume: Resume(life: life, next: 100, input: 0))
    let opened = session.frames().lazy.compactMap { frame -> Opened? in
      if case .opened(let opened) = frame { opened } else { nil }
    }.first
    #expect(opened?.resumed == .exact)
    #expect(opened?.output == 100)
  }

  @Test("takes a client's input from where its holder says") func input() {
    let session = TestSession(size: Kept.size, kept: KeptSession(size: Kept.size))
    let client = ClientID.random()
    session.core.open(
      TestSession.id(1),
      LinkOpen(
        client: client, access: .open, from: "a test", sent: 0, consumed: 0,
        open: Open(session: session.core.id, resume: nil, size: Kept.size, mode: .driver)),
      isFirst: false, written: 7, work: Screen.workPerCall, now: session.now)
    session.type("hello", at: 5)
    #expect(
      session.pieces.map(\.source)
        == [.client(ClientIdentity(client: client, subject: nil), offset: 7)])
    #expect(session.pieces.map { String(buffer: $0.bytes) } == ["llo"])
  }

  @Test("has the size that its holder says, where it says so") func size() {
    let session = TestSession(size: Kept.size, kept: KeptSession(size: Kept.size))
    let (small, large) = (
      TerminalSize(columns: 40, rows: 10), TerminalSize(columns: 100, rows: 30)
    )
    session.attach(1, size: small)
    #expect(session.wantedSize == small)
    let before = session.core.size
    #expect(before == Kept.size, "asked for, and not yet changed")
    session.wait(.seconds(1))
    session.resize(large)
    #expect(session.sizes == [small], "one change is under way at a time")
    session.prints("before")
    session.resizes(to: small)
    let after = session.core.size
    #expect(after == small)
    session.settle()
    session.wait(.seconds(1))
    session.settle()
    #expect(session.sizes == [small, large])
    let mark = session.core.log.mark(session.core.log.firstMark)
    #expect(mark == OutputLog.SizeMark(offset: 6, size: small))
  }
}

// A session's input: what its clients type, and what its screen answers to the program's queries (promise P2).

import DequeModule
public import NIOCore
import Screen
import Wire

extension SessionCore {
  /// INPUT of a stream: what of it is new goes to the pipe.
  public mutating func receive(
    _ bytes: ByteBuffer, at offset: UInt64, from stream: StreamID, now: NIODeadline
  ) {
    noteAnswered(stream)
    guard let index = streams.index(of: stream), streams.list[index].mode == .driver else { return }
    let client = streams.list[index].identity
    switch input.receive(client, offset: offset, count: bytes.readableBytes) {
    case .accept(let fresh):
      lastUsed = now
      streams.list[index].output.didType(now: now)
      if sizeRule.sizeOwner != client, typingTakesSize || sizeRule.sizeOwner == nil {
        takeSize(index, now: now)
      }
      // A copy: a slice would keep the whole buffer alive that it was read into, for as long as the
      // process does not read.
      if isRunning {
        let new = bytes.readableBytesView.suffix(fresh)
        type(new, from: .client(client, offset: offset + UInt64(bytes.readableBytes - fresh)))
      }
    case .duplicate: break
    case .gap: leave(stream, telling: .inputGap, now: now)
    case .overflow: leave(stream, telling: .inputOverflow, now: now)
    }
  }

  private mutating func type(_ bytes: ByteBufferView, from source: InputSource) {
    if let (key, givenUp) = pipeInput.keyThatMayInterrupt(bytes) {
      actions.append(.discardInput(key: key, givingUp: givenUp))
    }
    pipeInput.append(bytes, from: source)
    writeInput()
  }

  /// The program asked its terminal something: the screen alone answers, at once, attached or not, so
  /// that no replay types junk and two clients do not answer twice.
  mutating func answerQueries() {
    let answers = screen.takeAnswers()
    // Another node has read this before, and has answered it.
    guard log.end > (kept?.answered ?? 0) else { return }
    answer(answers, .answer(before: log.end))
  }

  /// Tells the program what it asked to be told of, such as another theme.
  mutating func report() { answer(screen.takeAnswers(), .report) }

  private mutating func answer(_ answers: [UInt8], _ source: InputSource) {
    let isFirst = input.unwrittenAnswers == 0
    guard !answers.isEmpty, isRunning, input.answer(answers.count) else { return }
    if isFirst { kept?.unansweredSince = lastPrinted }
    pipeInput.append(answers, from: source)
    writeInput()
  }

  private mutating func writeInput() {
    if let piece = pipeInput.next() { actions.append(.write(piece.bytes, from: piece.source)) }
  }

  /// The kernel, or the engine's socket, has taken `count` more bytes.
  public mutating func pipeDidWrite(_ count: Int, now: NIODeadline) {
    let (written, interrupt) = pipeInput.wrote(count)
    if let interrupt { actions.append(.discardInputAgain(key: interrupt)) }
    Self.note(written, in: &input, for: &streams, isKept: kept != nil, &actions)
    writeInput()
  }

  /// Notes the acknowledgements that are due to those whose input this was.
  private static func note(
    _ written: Int, in input: inout InputQueue<ClientIdentity>, for streams: inout StreamTable,
    isKept: Bool, _ actions: inout Deque<SessionAction>
  ) {
    input.wrote(written) { client, offset in
      for index in streams.indices where streams.list[index].identity == client {
        // The acknowledgements of one tick become one frame, and one of a key goes with its echo. A holder has waited for
        // that already, and tells of both at once.
        let mayWait = streams.list[index].noteWritten(upTo: offset) && !isKept
        let stream = streams.list[index].id
        actions.append(mayWait ? .giveTurnSoon(stream) : .giveTurn(stream))
      }
    }
  }

  /// The answer to ``SessionAction/discardInput(key:givingUp:)``: whether the terminal discards input for this key.
  public mutating func inputWasDiscarded(_ wasIt: Bool, for key: UInt8, now: NIODeadline) {
    if pipeInput.terminalDidDiscard(wasIt, for: key) { waitToInterrupt(now: now) }
    writeInput()
  }

  private mutating func waitToInterrupt(now: NIODeadline) {
    actions.append(.wait(.interrupt, until: now + SessionLimits.interruptRetry))
  }

  mutating func interruptOnceMore(now: NIODeadline) {
    guard let key = pipeInput.nextTry() else { return }
    actions.append(.discardInputAgain(key: key))
    waitToInterrupt(now: now)
  }
}

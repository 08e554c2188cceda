// Random histories of one stream between a client and a node that are as the protocol says: whatever breaks, and
// whenever, the client sees each byte of output once and in order, and the node each byte of input (promises P1, P2).

import Auth
import DequeModule
import NIOCore
import Registry
import TestSupport
import Testing
import Wire

@testable import Router

private struct History {
  var random: SeededGenerator
  var test = StreamUnderTest()
  /// What the stream waits for, beside its link.
  var isLookingUp = false
  var isTimerSet = false
  var isFinished = false
  /// Until then it is a first OPEN, which is refused after some tries.
  var wasOpened = false

  // The client.
  var toClient: Deque<Frame> = []
  var toRouter: Deque<Frame> = []
  var isLive = false
  var typed: UInt64 = 0
  var typedSent: UInt64 = 0
  var seen: UInt64 = 0
  var consumed: UInt64 = 0
  var size = TerminalSize.standard
  var takes = 0

  // The node: nil: it has no link.
  var link: Link?
  var produced: UInt64 = 0
  var accepted: UInt64 = 0
  var nodeSize = TerminalSize.standard
  var takesHeard = 0
  var forwarded: UInt64 = 0

  struct Link {
    var request: LinkOpen
    var isOpened = false
    var cursor: UInt64 = 0
    var sent: UInt64
    var consumed: UInt64
    var toNode: Deque<Frame> = []
  }

  /// An expectation costs much more than this, and there are many.
  private func check(
    _ isTrue: Bool, _ what: Comment = "", at location: SourceLocation = #_sourceLocation
  ) {
    if !isTrue { Issue.record(what, sourceLocation: location) }
  }

  mutating func tell(_ event: RoutedStream.Event) {
    test.stream.handle(event)
    while let action = test.stream.nextAction() { carryOut(action) }
  }

  private mutating func carryOut(_ action: RoutedStream.Action) {
    check(!isFinished, "nothing comes after the end")
    switch action {
    case .resolve:
      check(link == nil && !isTimerSet && !isLookingUp)
      isLookingUp = true
    case .retry:
      check(link == nil && !isTimerSet && !isLookingUp)
      isTimerSet = true
    case .open(_, let request):
      check(link == nil && !isTimerSet && !isLookingUp)
      check(request.sent == forwarded, "credit goes on where it stood")
      check(request.consumed <= request.sent)
      check(request.open.problem == nil)
      link = Link(request: request, sent: request.sent, consumed: request.consumed)
    case .send(let frame):
      check(link?.isOpened == true, "nothing is sent before OPENED")
      link?.toNode.append(frame)
    case .leave:
      check(link != nil)
      link = nil
    case .deliver(let frame):
      forwarded += UInt64(frame.creditedBytes)
      toClient.append(frame)
    case .finish: isFinished = true
    case .remember, .forget, .noteRefused, .audit, .discard: break
    }
  }

  // MARK: The node

  mutating func answerOpen(mayRefuse: Bool) {
    guard var link, !link.isOpened else { return }
    if mayRefuse, random.chance(0.1) {
      return tell(.node(.refused(Refused(.unavailable, "busy", retry: 1))))
    }
    let resume = link.request.open.resume
    link.isOpened = true
    wasOpened = true
    link.cursor = resume?.next ?? 0
    nodeSize = link.request.open.size
    self.link = link
    tell(StreamUnderTest.opened(output: link.cursor, input: accepted))
  }

  mutating func nodeReads() {
    guard let frame = link?.toNode.popFirst() else { return }
    switch frame {
    case .input(let offset, let bytes):
      check(offset <= accepted, "input has no gap")
      accepted = max(accepted, offset + UInt64(bytes.readableBytes))
      tell(.node(.inputAck(offset: accepted)))
    case .outputAck(_, let consumed):
      check(consumed <= link?.sent ?? 0)
      let before = link?.consumed ?? 0
      link?.consumed = max(before, consumed)
    case .resize(let size): nodeSize = size
    case .take:
      takesHeard += 1
      tell(.node(.event(.sizeOwner(ClientID(unchecked: "tab")))))
    default: Issue.record("\(frame)")
    }
  }

  mutating func nodePrints(_ count: UInt64) {
    produced += count
    nodeWrites()
  }

  mutating func nodeWrites() {
    guard var link, link.isOpened, link.cursor < produced else { return }
    let credit = 100 - Int(link.sent - link.consumed)
    let count = min(credit, Int(produced - link.cursor))
    guard count > 0 else { return }
    let frame = Frame.output(
      offset: link.cursor, Pattern.bytes(at: Int(link.cursor), count: count))
    link.cursor += UInt64(count)
    link.sent += UInt64(count)
    self.link = link
    tell(.node(frame))
  }

  mutating func breakLink() {
    guard link != nil else { return }
    link = nil
    tell(.linkBroke(because: "chance"))
  }

  // MARK: The client

  mutating func clientReads() {
    guard let frame = toClient.popFirst() else { return }
    if frame.creditedBytes > 0 { tell(.handedOver(UInt64(frame.creditedBytes))) }
    switch frame {
    case .opened(let opened):
      isLive = true
      typedSent = opened.input
      check(opened.output == seen)
      type(0)
    case .event(.paused): isLive = false
    case .output(let offset, let bytes):
      check(offset == seen, "output is in order, and comes once")
      check(bytes == Pattern.bytes(at: Int(offset), count: bytes.readableBytes))
      seen += UInt64(bytes.readableBytes)
      consumed += UInt64(bytes.readableBytes)
      toRouter.append(.outputAck(offset: seen, consumed: consumed))
    case .inputAck, .event(.sizeOwner): break
    default: Issue.record("\(frame)")
    }
  }

  mutating func type(_ count: UInt64) {
    typed += count
    guard isLive, typedSent < typed else { return }
    let bytes = Pattern.bytes(at: Int(typedSent), count: Int(typed - typedSent))
    toRouter.append(.input(offset: typedSent, bytes))
    typedSent = typed
  }

  mutating func routerReads() {
    if let frame = toRouter.popFirst() { tell(.client(frame)) }
  }

  mutating func answerLookUp(mayFail: Bool) {
    guard isLookingUp else { return }
    isLookingUp = false
    if mayFail, random.chance(0.2) {
      tell(.notFound(Refused(.unavailable, "away", retry: 1)))
    } else {
      tell(.found(StreamUnderTest.route()))
    }
  }

  mutating func time() {
    guard isTimerSet else { return }
    isTimerSet = false
    tell(.timeToRetry)
  }

  // MARK: What happens

  mutating func step() {
    switch Int.random(in: 0..<14, using: &random) {
    case 0: if wasOpened, random.chance(0.3) { breakLink() }
    case 1: answerLookUp(mayFail: wasOpened)
    case 2: time()
    case 3: answerOpen(mayRefuse: wasOpened)
    case 4: nodePrints(UInt64.random(in: 1...30, using: &random))
    case 5, 6: nodeReads()
    case 7, 8: clientReads()
    case 9, 10: routerReads()
    case 11: type(UInt64.random(in: 1...5, using: &random))
    case 12:
      size = TerminalSize(columns: Int.random(in: 1...200, using: &random), rows: 24)
      toRouter.append(.resize(size))
    default:
      if random.chance(0.3) {
        let subject = "\(Int.random(in: 0...3, using: &random))"
        tell(.reauthorized(Access(subject: subject, rights: .write, asCreator: nil)))
      } else {
        takes += 1
        toRouter.append(.take)
      }
    }
  }

  /// Nothing breaks any more, until nothing is under way.
  mutating func settle() {
    for _ in 0..<10_000 {
      answerLookUp(mayFail: false)
      time()
      answerOpen(mayRefuse: false)
      nodeReads()
      nodeWrites()
      clientReads()
      routerReads()
      if toClient.isEmpty, toRouter.isEmpty, link?.isOpened == true, link?.toNode.isEmpty == true,
        seen == produced
      {
        return
      }
    }
    Issue.record("it does not come to rest")
  }
}

@Suite struct StreamHistoryTests {
  /// Each run has a seed of its own.
  private static let runs = 1...4

  @Test(arguments: runs) func whateverBreaksNoByteIsLostOrDoubled(run: Int) {
    var seeds = SeededGenerator.announced("\(#function) \(run)")
    for _ in 0..<100 {
      var history = History(random: SeededGenerator(seed: seeds.next()))
      history.carryOutFirst()
      for _ in 0..<400 where !history.isFinished { history.step() }
      history.settle()
      #expect(!history.isFinished)
      #expect(history.seen == history.produced)
      #expect(history.accepted == history.typed)
      #expect(history.nodeSize == history.size)
      #expect(history.takes == 0 || history.takesHeard > 0)
    }
  }

  /// Whatever comes in whatever order: once it has ended it asks for nothing, and it waits for one thing at a time.
  @Test(arguments: runs) func noOrderOfEventsLeavesItWithoutAnEnd(run: Int) {
    var random = SeededGenerator.announced("\(#function) \(run)")
    let refusals = [
      Refused(.notOwner, ""), Refused(.noCapacity, "", retry: 1), Refused(.gone, ""),
      Refused(.unavailable, "", retry: 1),
    ]
    for _ in 0..<1_000 {
      var test = StreamUnderTest(create: random.chance(0.5) ? Creation() : nil)
      var linked = false
      _ = test.actions()
      var isFinished = false
      for _ in 0..<60 {
        let event: RoutedStream.Event
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: event = .found(StreamUnderTest.route(epoch: random.chance(0.5) ? 1 : nil))
        case 2: event = .notFound(refusals.randomElement(using: &random)!)
        case 3: event = .linkBroke(because: "", isFinal: random.chance(0.3))
        case 4: event = .nodeHangs(because: "")
        case 5: event = .timeToRetry
        case 6, 7: event = StreamUnderTest.opened(mayKill: random.chance(0.5))
        case 8: event = .node(.refused(refusals.randomElement(using: &random)!))
        case 9: event = .client([.take, .kill].randomElement(using: &random)!)
        case 10: event = .client(.input(offset: 0, ByteBuffer(string: "x")))
        default:
          event = .reauthorized(
            Access(
              subject: "\(Int.random(in: 0...3, using: &random))", rights: .write, asCreator: nil))
        }
        // What cannot happen does not: no link breaks that is not there.
        switch event {
        case .linkBroke, .nodeHangs, .node: guard linked else { continue }
        case .found, .notFound: guard test.stream.question != nil else { continue }
        case .timeToRetry: guard !linked, test.stream.question == nil else { continue }
        default: break
        }
        if case .linkBroke = event { linked = false }
        for action in test.handle(event) {
          if isFinished { Issue.record("it asks for \(action) after its end, at \(event)") }
          switch action {
          case .open: linked = true
          case .leave:
            if !linked { Issue.record("it leaves no link, at \(event)") }
            linked = false
          case .send: if !linked { Issue.record("it sends over no link, at \(event)") }
          case .finish: isFinished = true
          default: break
          }
        }
        if test.stream.isClosed != isFinished || (isFinished && linked) {
          Issue.record("it ends without saying so, at \(event)")
        }
      }
    }
  }
}

extension History {
  fileprivate mutating func carryOutFirst() { tell(.handedOver(0)) }
}

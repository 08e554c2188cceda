// A node's side of a connection to a holder whose system is played. It reads what the holder says, and stops at what no
// holder of ours may say.

import CHolder

#if !FUZZING
  @testable import Holder
#endif

final class SimulatedPeer {
  /// What it was told of a session that it serves.
  struct Attachment {
    var epoch: UInt64
    /// The offset that has to come next.
    var next: UInt64
    var checkpoint: [UInt8] = []
    var isOver = false
  }

  let socket = SimulatedSystem.Socket()
  private(set) var attachments: [UInt64: Attachment] = [:]
  private(set) var frames: [HolderFrame] = []
  private(set) var isProven = false
  private(set) var hello: (identity: [UInt8], nonce: [UInt8])?
  /// For tests that look at them.
  var keepsFrames = false
  private var splitter = FrameSplitter()
  private let nonce = [UInt8](repeating: 3, count: Handshake.nonce)
  private unowned let holder: Holder<SimulatedSystem>
  private var starts: [UInt32: UInt64] = [:]
  /// What it has asked for, by sessions and epochs.
  private var credits: [UInt64: [UInt64: UInt64]] = [:]

  init(_ holder: Holder<SimulatedSystem>) { self.holder = holder }

  var isGone: Bool { socket.isClosedByPeer || socket.isClosedByHolder }

  func send(_ frame: NodeFrame) {
    var writer = FrameWriter()
    frame.write(to: &writer)
    switch frame {
    case .credit(let handle, let epoch, let upTo):
      credits[handle, default: [:]][epoch, default: 0] = max(
        credits[handle]?[epoch] ?? 0, upTo)
    case .start(let request): starts[request.tag] = request.epoch
    default: break
    }
    send(writer.bytes)
  }

  func send(_ bytes: [UInt8]) { if !isGone { socket.toHolder += bytes } }

  func prove(key: [UInt8]) {
    guard let hello else { return }
    send(
      .proof(
        version: Handshake.version, nonce: nonce,
        mac: Handshake.nodesProof(
          key: key, holder: hello.identity, holderNonce: hello.nonce, nodeNonce: nonce)))
  }

  /// Reads up to so many bytes of what the holder has said.
  func read(_ most: Int = .max) {
    let count = min(most, socket.fromHolder.count)
    splitter.append(socket.fromHolder[..<count])
    socket.fromHolder.removeFirst(count)
    while true {
      switch splitter.next() {
      case .frame(let type, let body):
        guard let frame = HolderFrame(type: type, body: body) else {
          preconditionFailure("the holder says \(type), which is no frame")
        }
        if keepsFrames { frames.append(frame) }
        receive(frame)
      case .incomplete: return
      case .invalid: preconditionFailure("the holder's frame has no possible length")
      }
    }
  }

  private func receive(_ frame: HolderFrame) {
    switch frame {
    case .hello(_, let identity, let nonce): hello = (identity, nonce)
    case .welcome(let mac):
      guard let hello else { preconditionFailure("welcome without a hello") }
      precondition(
        mac
          == Handshake.holdersProof(
            key: holder.key, holder: hello.identity, holderNonce: hello.nonce, nodeNonce: nonce))
      isProven = true
    default:
      precondition(isProven || frame == .ping(0), "a stranger is told something")
      receiveProven(frame)
    }
  }

  private func receiveProven(_ frame: HolderFrame) {
    switch frame {
    case .ping(let token): send(.ping(token))
    case .started(let tag, let handle, _):
      guard let epoch = starts[tag] else { preconditionFailure("a start that nobody asked for") }
      attachments[handle] = Attachment(epoch: epoch, next: 0)
    case .attached(let state):
      precondition(state.logStart <= state.checkpoint && state.checkpoint <= state.logEnd)
      precondition(state.logStart <= state.next && state.next <= state.logEnd)
      precondition(state.ledgers.count <= HolderLimits.ledgers)
      precondition(state.sizes.allSatisfy { $0.offset <= state.next })
      attachments[state.handle] = Attachment(epoch: state.epoch, next: state.next)
    case .superseded(let handle, _): attachments[handle] = nil
    case .checkpoint(let handle, _, let isLast, let bytes):
      attachments[handle]?.checkpoint += bytes
      if isLast { checkCheckpoint(handle) }
    case .output(let handle, let offset, let bytes): didRead(handle, offset, bytes)
    case .resized(let handle, let offset, let columns, let rows):
      precondition(columns > 0 && rows > 0)
      if let attachment = attachments[handle] { precondition(offset == attachment.next) }
    case .exited(let handle, _, let end):
      guard let attachment = attachments[handle] else { return }
      precondition(!attachment.isOver, "an end is told twice")
      precondition(end == attachment.next, "an end before the last byte")
      attachments[handle]?.isOver = true
    default: break
    }
  }

  private func checkCheckpoint(_ handle: UInt64) {
    guard let attachment = attachments[handle], let rules = holder.sessions[handle]?.rules,
      rules.epoch == attachment.epoch, rules.checkpoint.offset == attachment.next
    else { return }
    precondition(
      attachment.checkpoint == rules.checkpoint.scrollback.flatMap { $0 } + rules.checkpoint.screen,
      "another checkpoint than the one that was left")
  }

  private func didRead(_ handle: UInt64, _ offset: UInt64, _ bytes: [UInt8]) {
    // What was on its way when another took it is read, too.
    guard let attachment = attachments[handle] else { return }
    precondition(offset == attachment.next, "output at \(offset) instead of \(attachment.next)")
    precondition(!attachment.isOver, "output after the end")
    let end = offset + UInt64(bytes.count)
    attachments[handle]?.next = end
    guard let held = holder.sessions[handle] else { return }
    precondition(
      end <= credits[handle]?[attachment.epoch] ?? 0 || held.rules.exit != nil,
      "more output than was asked for")
    if let terminal = holder.system.terminals[held.master] {
      for (index, byte) in bytes.enumerated() {
        precondition(byte == terminal.byte(offset + UInt64(index)), "another byte")
      }
    }
  }
}

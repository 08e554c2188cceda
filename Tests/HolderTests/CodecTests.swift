// Frames of nodes and holders are read as they were written, and nothing else is taken for one (promise P9).

import Foundation
import Holder
import TestSupport
import Testing

@Suite("Frames of node and holder") struct CodecTests {
  static let start = StartRequest(
    tag: 7, epoch: 9, columns: 80, rows: 24, logLimit: 1 << 20, orphanAfter: 3_600,
    descriptor: [1, 2],
    mark: Array("FAIRLEAD_MARK=x".utf8), paths: [Array("/bin/sh".utf8), [9]], names: [[1], []],
    arguments: [Array("sh".utf8), []],
    environment: [Array("A=b".utf8)], addsHoldersEnvironment: true, directory: [],
    isDirectoryPreferred: true,
    user: HeldUser(uid: 1, gid: 2, groups: [3, 4]), filesSoft: 1_024, filesHard: 4_096)
  static let client = ClientKey(high: .max, low: 3)
  static let nodeFrames: [NodeFrame] = [
    .proof(
      version: 1, nonce: [UInt8](repeating: 1, count: 32), mac: [UInt8](repeating: 2, count: 32)),
    .ping(.max), .list, .start(start),
    .attach(handle: 1, epoch: 2, next: nil), .attach(handle: 1, epoch: 2, next: .max),
    .detach(handle: 1, epoch: 2), .credit(handle: 1, epoch: 2, upTo: 3),
    .input(handle: 1, epoch: 2, client: client, offset: 4, bytes: [5, 6]),
    .answer(handle: 1, epoch: 2, query: 3, bytes: [27]),
    .discard(
      handle: 1, epoch: 2, key: 3, upTo: [HeldLedger(client: client, written: 9)]),
    .resize(handle: 1, epoch: 2, columns: 100, rows: 30), .signal(handle: 1, epoch: 2, number: 15),
    .end(handle: 1, epoch: 2, grace: 5_000), .state(handle: 1, epoch: 2, bytes: [1]),
    .checkpoint(
      handle: 1, epoch: 2, part: .screen, isFirst: true, isLast: false, offset: 77, drop: 2,
      bytes: [8]),
    .read(handle: 1, from: 2, upTo: 3), .look(handle: 4), .forget(handle: 1, epoch: 2),
  ]
  static let state = HeldState(
    handle: 1, epoch: 2, process: 3, columns: 4, rows: 5, logStart: 6, logEnd: 7, checkpoint: 8,
    answered: 9,
    next: 10, sizes: [HeldSize(offset: 6, columns: 4, rows: 5)],
    ledgers: [HeldLedger(client: client, written: 11)], hasForgotten: true,
    exit: .signalled(9),
    state: [12])
  static let holderFrames: [HolderFrame] = [
    .hello(
      version: 1, holder: [UInt8](repeating: 1, count: 16), nonce: [UInt8](repeating: 2, count: 32)),
    .welcome(mac: [UInt8](repeating: 3, count: 32)), .ping(4),
    .entry(
      HeldEntry(handle: 1, epoch: 2, isAttached: true, unheard: 3, hasEnded: false, descriptor: [4])
    ),
    .listed(count: 1), .started(tag: 1, handle: 2, process: 3),
    .notStarted(tag: 1, step: 120, error: 2),
    .attached(state), .refused(handle: 1, epoch: 2), .superseded(handle: 1, epoch: 2),
    .checkpoint(handle: 1, part: .scrollback, isLast: false, bytes: [1]),
    .output(handle: 1, offset: 2, bytes: [3]), .resized(handle: 1, offset: 2, columns: 3, rows: 4),
    .written(handle: 1, client: client, offset: 2), .answered(handle: 1, query: 2),
    .older(handle: 1, offset: 2, bytes: []),
    .looked(handle: 1, isForeground: true, words: [1, 0], directory: [2]),
    .exited(handle: 1, exit: .exited(-1), end: 3), .exited(handle: 1, exit: .unknown, end: 3),
    .survivors(handle: 1), .discarded(handle: 1, key: 3, did: true),
  ]

  private func bytes(_ write: (inout FrameWriter) -> Void) -> [UInt8] {
    var writer = FrameWriter()
    write(&writer)
    return writer.bytes
  }

  /// Who looks for a holder that it can speak to may ask the program.
  @Test("are of the version that the program says") func versionOfTheProgram() {
    #expect(HolderCommand.version == "fairlead-holder \(Handshake.version)\n")
  }

  /// A holder outlives many nodes: what a version said it says for good. Who changes a frame makes a new version, which
  /// gets a file of its own, and keeps the code that reads the old.
  @Test("of version 1 are what they were") func versionOne() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "Protocol/1.txt")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      .filter { !$0.hasPrefix("#") }.map(String.init)
    let node = Self.nodeFrames.map { frame in bytes { frame.write(to: &$0) } }
    let holder = Self.holderFrames.map { frame in bytes { frame.write(to: &$0) } }
    let written = (node + holder).map { bytes in
      bytes.map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()
    }
    #expect(lines == written, "\(written.joined(separator: "\n"))")
    #expect(Handshake.versions.contains(1), "some holder may still speak it")
  }

  @Test("are read as they were written", arguments: nodeFrames) func nodeFramesReturn(
    _ frame: NodeFrame
  ) {
    let bytes = bytes { frame.write(to: &$0) }
    #expect(NodeFrame(type: bytes[4], body: bytes[5...]) == frame)
  }

  @Test("are read as they were written", arguments: holderFrames) func holderFramesReturn(
    _ frame: HolderFrame
  ) {
    let bytes = bytes { frame.write(to: &$0) }
    #expect(HolderFrame(type: bytes[4], body: bytes[5...]) == frame)
  }

  @Test("that are cut, or longer than what they say, are none") func cutFramesAreNone() {
    for frame in Self.nodeFrames {
      let bytes = bytes { frame.write(to: &$0) }
      for end in 5..<bytes.count { #expect(NodeFrame(type: bytes[4], body: bytes[5..<end]) == nil) }
      #expect(NodeFrame(type: bytes[4], body: (bytes + [0])[5...]) == nil)
    }
    for frame in Self.holderFrames {
      let bytes = bytes { frame.write(to: &$0) }
      for end in 5..<bytes.count {
        #expect(HolderFrame(type: bytes[4], body: bytes[5..<end]) == nil)
      }
    }
    #expect(NodeFrame(type: 0x77, body: []) == nil)
  }

  @Test("are found in a stream that is cut anywhere") func framesAreFound() {
    var random = SeededGenerator.announced()
    let stream = bytes { writer in for frame in Self.nodeFrames { frame.write(to: &writer) } }
    for _ in 0..<100 {
      var splitter = FrameSplitter()
      var found: [NodeFrame] = []
      var rest = stream[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: 1...40, using: &random))
        rest = rest.dropFirst(piece.count)
        splitter.append(piece)
        while case .frame(let type, let body) = splitter.next() {
          if let frame = NodeFrame(type: type, body: body) { found.append(frame) }
        }
      }
      #expect(found == Self.nodeFrames)
    }
  }

  @Test("of an impossible length end the stream") func lengths() {
    for length in [[0, 0, 0, 0], [1, 0, 16, 0], [255, 255, 255, 255]] as [[UInt8]] {
      var splitter = FrameSplitter()
      splitter.append((length + [1])[...])
      guard case .invalid = splitter.next() else {
        Issue.record("\(length) was taken")
        continue
      }
    }
  }

  @Test("with any bytes change nothing but what they say") func anyBytes() {
    var random = SeededGenerator.announced()
    for _ in 0..<20_000 {
      let body = (0..<Int.random(in: 0...120, using: &random)).map { _ in
        random.chance(0.5) ? 0 : UInt8.random(in: 0...255, using: &random)
      }
      let type = UInt8.random(in: 0...0x9f, using: &random)
      if let frame = NodeFrame(type: type, body: body[...]) {
        let written = bytes { frame.write(to: &$0) }
        #expect(written.count <= body.count + 5)
      }
      _ = HolderFrame(type: type, body: body[...])
    }
  }
}

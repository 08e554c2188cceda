// A holder as a process of its own, and a node's side of a connection to it.

import CHolder
import CHolderBinary
import Crypto
import Foundation
import Glibc
import Holder
import TestSupport
import Testing

/// A process of the static holder, with its standard input from a text and its output to be read.
final class HolderProcess {
  let pid: pid_t
  let output: Int32
  private var status: Int32?

  /// - Parameter program: its path, and what stands before the arguments; nil: the one that the build carries.
  init(
    _ arguments: [String], of program: [String]? = nil, input: [UInt8], keepsInputOpen: Bool = false
  ) throws {
    var (inputs, outputs) = ([Int32](repeating: -1, count: 2), [Int32](repeating: -1, count: 2))
    guard pipe(&inputs) == 0, pipe(&outputs) == 0 else { throw POSIXError(.EMFILE) }
    for end in inputs + outputs { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, inputs[0], 0)
    posix_spawn_file_actions_adddup2(&actions, outputs[1], 1)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let command = try program ?? RunningHolder.program.get()
    var words: [UnsafeMutablePointer<CChar>?] = (command + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    guard posix_spawn(&pid, command[0], &actions, nil, words, environ) == 0 else {
      throw POSIXError(.ENOEXEC)
    }
    self.pid = pid
    output = outputs[0]
    close(inputs[0])
    close(outputs[1])
    _ = input.withUnsafeBytes { write(inputs[1], $0.baseAddress, $0.count) }
    self.input = inputs[1]
    if !keepsInputOpen { closeInput() }
  }

  deinit {
    closeInput()
    close(output)
    if status == nil {
      kill(pid, SIGKILL)
      _ = waitForExit()
    }
  }

  private var input: Int32
  func closeInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  /// What it says next; empty at the end.
  func read() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(output, $0.baseAddress, $0.count) }
    return Array(bytes.prefix(max(0, count)))
  }

  /// Its exit status, or minus the signal that ended it.
  func waitForExit() -> Int32 {
    if let status { return status }
    var raw: Int32 = 0
    while waitpid(pid, &raw, 0) < 0, errno == EINTR {}
    let status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : -(raw & 0x7f)
    self.status = status
    return status
  }
}

/// The static holder, in a directory of its own; it ends with this.
final class RunningHolder {
  let directory: String
  let process: HolderProcess
  let key: [UInt8]
  let identity: [UInt8]

  var socket: String { directory + "/holder" }

  init(of program: [String]? = nil) throws {
    directory = try Self.makeDirectory()
    key = (0..<32).map { _ in UInt8.random(in: 0...255) }
    identity = (0..<16).map { _ in UInt8.random(in: 0...255) }
    process = try HolderProcess(["serve", directory], of: program, input: identity + key)
    try #require(process.read() == Array("ready\n".utf8))
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  static func makeDirectory() throws -> String {
    var name = Array((NSTemporaryDirectory() + "/fl-holder-XXXXXX").utf8CString)
    guard mkdtemp(&name) != nil else { throw POSIXError(.EIO) }
    return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static var isStatic: Bool {
    var count = 0
    return holder_binary(&count) != nil
  }

  /// Where deploy/holder.sh has had that processor's musl, a build without it is one that was forgotten.
  static func hasMusl(of processor: String) -> Bool {
    FileManager.default.fileExists(
      atPath: root.appendingPathComponent(".build-musl/\(processor)/libc.a").path)
  }

  /// Where the compiler is there, a build without it is one that was forgotten.
  static var canBuild: Bool {
    let places = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return places.split(separator: ":").contains { access("\($0)/musl-gcc", X_OK) == 0 }
  }

  /// The static binary that the build put into this one, as a file; without one what serves in its place.
  static let program: Result<[String], any Error> = Result {
    var count = 0
    guard let bytes = holder_binary(&count) else { return [Fairlead.path, "holder"] }
    return [try file(of: Data(bytes: bytes, count: count))]
  }

  /// The one for arm64, run by an emulator; nil: the build carries none, or there is no emulator.
  static let arm64Program: Result<[String]?, any Error> = Result {
    var count = 0
    let emulator = "/usr/bin/qemu-aarch64-static"
    guard let bytes = holder_binary_of("aarch64", &count), access(emulator, X_OK) == 0 else {
      return nil
    }
    return [emulator, try file(of: Data(bytes: bytes, count: count))]
  }

  private static func file(of program: Data) throws -> String {
    let path = try makeDirectory() + "/fairlead-holder"
    try program.write(to: URL(fileURLWithPath: path))
    chmod(path, 0o755)
    return path
  }

  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// As deploy/holder.sh makes it.
  static func hashOfSources() throws -> String {
    func files(_ folder: String, _ suffix: String) throws -> [String] {
      try FileManager.default.contentsOfDirectory(
        atPath: root.appendingPathComponent(folder).path
      ).filter { $0.hasSuffix(suffix) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        .map { folder + "/" + $0 }
    }
    let sources =
      try files("Sources/Holder", ".swift") + files("Sources/Holder/Static", "")
      + files("Sources/CHolder", ".c") + files("Sources/CHolder/include", "") + ["deploy/holder.sh"]
    var hash = Crypto.SHA256()
    for file in sources {
      hash.update(data: try Data(contentsOf: root.appendingPathComponent(file)))
    }
    return hash.finalize().map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()
  }

  func connect() throws -> HolderClient {
    let client = try HolderClient(socket)
    try client.prove(key: key)
    return client
  }
}

/// A node's side, that waits for what it asks for.
final class HolderClient {
  let descriptor: Int32
  private var splitter = FrameSplitter()
  private(set) var identity: [UInt8] = []
  private var nonce: [UInt8] = []
  /// What came and was not asked for yet.
  private var pending: [HolderFrame] = []
  /// A hang of this many seconds is one.
  static let patience =
    15 * (Double(ProcessInfo.processInfo.environment["FAIRLEAD_PATIENCE"] ?? "") ?? 1)

  struct Ended: Error {}
  struct Hangs: Error { var waitingFor: String }

  init(_ path: String) throws {
    let connected = path.withCString { holder_connect($0) }
    guard connected >= 0 else { throw POSIXError(.ECONNREFUSED) }
    descriptor = connected
    guard case .hello(_, let identity, let nonce) = try next("hello") else { throw Ended() }
    self.identity = identity
    self.nonce = nonce
  }

  deinit { close(descriptor) }

  func prove(key: [UInt8]) throws {
    let mine = [UInt8](repeating: 5, count: 32)
    send(
      .proof(
        version: Handshake.version, nonce: mine,
        mac: Handshake.nodesProof(key: key, holder: identity, holderNonce: nonce, nodeNonce: mine)))
    guard case .welcome(let mac) = try next("welcome") else { throw Ended() }
    #expect(
      mac == Handshake.holdersProof(key: key, holder: identity, holderNonce: nonce, nodeNonce: mine)
    )
  }

  func send(_ frame: NodeFrame) {
    var writer = FrameWriter()
    frame.write(to: &writer)
    send(bytes: writer.bytes)
  }

  /// All of them, or as many as the other side takes before it ends.
  func send(bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        guard wait(POLLOUT) else { return }
      } else if errno != EINTR {
        return
      }
    }
  }

  private func wait(_ events: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    return poll(&entry, 1, Int32(Self.patience * 1_000)) > 0
  }

  /// The next frame of the holder; its pings are answered.
  func next(_ waitingFor: String = "a frame") throws -> HolderFrame {
    let deadline = Date().addingTimeInterval(Self.patience)
    while Date() < deadline {
      switch splitter.next() {
      case .frame(let type, let body):
        guard let frame = HolderFrame(type: type, body: body) else { throw Ended() }
        guard case .ping(let token) = frame else { return frame }
        send(.ping(token))
      case .invalid: throw Ended()
      case .incomplete:
        guard wait(Int32(POLLIN)) else { throw Hangs(waitingFor: waitingFor) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = bytes.withUnsafeMutableBytes {
          holder_read(descriptor, $0.baseAddress, $0.count)
        }
        if count == -Int(EAGAIN) { continue }
        guard count > 0 else { throw Ended() }
        splitter.append(bytes[..<count])
      }
    }
    throw Hangs(waitingFor: waitingFor)
  }

  /// The next frame that `pick` takes, also of those that were passed over before; the others are kept.
  func first<Value>(_ waitingFor: String, _ pick: (HolderFrame) -> Value?) throws -> Value {
    for index in pending.indices {
      if let value = pick(pending[index]) {
        pending.remove(at: index)
        return value
      }
    }
    while true {
      let frame = try next(waitingFor)
      if let value = pick(frame) { return value }
      pending.append(frame)
    }
  }

  // MARK: What tests do often

  func start(
    _ command: [String], epoch: UInt64 = 1, mark: String = "", directory: String = "/",
    path: String? = nil
  ) throws -> UInt64 {
    try #require(
      try tryToStart(command, epoch: epoch, mark: mark, directory: directory, path: path).handle)
  }

  func tryToStart(
    _ command: [String], epoch: UInt64 = 1, mark: String = "", directory: String = "/",
    path: String? = nil
  ) throws -> (handle: UInt64?, step: UInt8, error: UInt32) {
    var environment = ["PATH=/usr/bin:/bin", "TERM=xterm"]
    if !mark.isEmpty { environment.append(mark) }
    send(
      .start(
        StartRequest(
          tag: 1, epoch: epoch, columns: 80, rows: 24, logLimit: 1 << 20, orphanAfter: 3_600,
          descriptor: Array(command.joined(separator: " ").utf8), mark: Array(mark.utf8),
          paths: [Array((path ?? command[0]).utf8)], names: [],
          arguments: command.map { Array($0.utf8) },
          environment: environment.map { Array($0.utf8) }, directory: Array(directory.utf8),
          isDirectoryPreferred: false, user: nil, filesSoft: 0, filesHard: 0)))
    return try first("a start") { frame in
      switch frame {
      case .started(_, let handle, _): return (handle, 0, 0)
      case .notStarted(_, let step, let error): return (nil, step, error)
      default: return nil
      }
    }
  }

  /// Attaches and takes all output.
  func attach(_ handle: UInt64, epoch: UInt64, next: UInt64? = nil) throws -> HeldState {
    send(.attach(handle: handle, epoch: epoch, next: next))
    let state = try first("attached") { if case .attached(let state) = $0 { state } else { nil } }
    send(.credit(handle: handle, epoch: epoch, upTo: 1 << 40))
    return state
  }

  /// Reads output until it holds the text.
  func output(of handle: UInt64, until text: String) throws -> String {
    var all: [UInt8] = []
    while !String(decoding: all, as: UTF8.self).contains(text) {
      all += try first("output with \(text), not \(String(decoding: all, as: UTF8.self))") {
        if case .output(handle, _, let bytes) = $0 { bytes } else { nil }
      }
    }
    return String(decoding: all, as: UTF8.self)
  }

  func exit(of handle: UInt64) throws -> HeldExit {
    try first("the end") { if case .exited(handle, let exit, _) = $0 { exit } else { nil } }
  }
}

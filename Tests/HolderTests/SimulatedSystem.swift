// A system that is played: sockets, terminals, children, control groups and the time are what a test or the fuzzer says
// they are, so that the whole holder runs in one process, and each of its turns when it is told to.

import CHolder

#if !FUZZING
  @testable import Holder
#endif

final class SimulatedSystem: HolderSystem {
  /// Both ends of a connection.
  final class Socket {
    /// What the peer has said and the holder has not read.
    var toHolder: [UInt8] = []
    /// What the holder has said and the peer has not taken.
    var fromHolder: [UInt8] = []
    /// How much of that there may be.
    var capacity = 1 << 20
    var isClosedByPeer = false
    var isClosedByHolder = false
  }

  final class Terminal {
    let process: Int32
    var printed: UInt64 = 0
    /// Of what it has printed so much was read.
    var read: UInt64 = 0
    var capacity = 4_095
    /// No process has it open.
    var isHungUp = false
    var isOpen = true
    var discards = true
    var size: (columns: UInt16, rows: UInt16)?
    /// Told of what is written to it.
    var didTake: (UnsafeRawBufferPointer) -> Void = { _ in }
    init(_ process: Int32) { self.process = process }

    /// What it prints at an offset.
    func byte(_ offset: UInt64) -> UInt8 {
      UInt8(truncatingIfNeeded: offset &* 7 &+ offset >> 8 &+ UInt64(UInt32(bitPattern: process)))
    }
  }

  /// A child that has not come to its exec, or one that looks or kills.
  struct Answer {
    var bytes: [UInt8] = []
    var isDone = false
    var step: CChar = 0
    var error: Int32 = 0
  }

  var now: UInt64 = 1_000_000
  /// So much time passes in a turn that finds nothing to do, at most.
  var patience: UInt64 = 0
  var backlog: [Socket] = []
  private(set) var sockets: [Int32: Socket] = [:]
  private(set) var terminals: [Int32: Terminal] = [:]
  var answers: [Int32: Answer] = [:]
  private var watched: [Int32: (interest: Int32, tag: UInt64)] = [:]
  var pendingSignals: Int32 = 0
  var exits: [(process: Int32, kind: Int32, value: Int32)] = []
  /// Children that kill, and what was killed.
  private(set) var killers: [Int32] = []
  private(set) var marksKilled: [[UInt8]] = []
  private(set) var signalled: [(group: Int32, number: Int32)] = []
  private(set) var groups: Set<[UInt8]> = []
  var groupsTried = 0
  /// Errors that it gives instead.
  var acceptError: Int32 = 0
  var startError: Int32 = 0
  var killError: Int32 = 0
  var groupError: Int32 = ENOENT
  var groupRemovalError: Int32 = 0
  private var nextDescriptor: Int32 = 10
  private var nextProcess: Int32 = 1_000

  private func open() -> Int32 {
    nextDescriptor += 1
    return nextDescriptor
  }

  // MARK: The process itself

  func prepare(keeping kept: inout Int32) -> Int32 { 3 }
  func random(_ bytes: UnsafeMutableRawBufferPointer) {
    for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 31 &+ 7) }
  }

  // MARK: Descriptors

  func listen(_ path: [UInt8]) -> Int32 { 4 }
  func makePoll() -> Int32 { 5 }

  func accept(_ listener: Int32) -> Int32 {
    guard acceptError == 0 else { return -acceptError }
    guard !backlog.isEmpty else { return -EAGAIN }
    let descriptor = open()
    sockets[descriptor] = backlog.removeFirst()
    return descriptor
  }

  func watch(_ poll: Int32, _ descriptor: Int32, _ interest: Int32, was: Int32, _ tag: UInt64) {
    precondition((watched[descriptor]?.interest ?? 0) == was, "another interest than it was")
    watched[descriptor] = interest == 0 ? nil : (interest, tag)
  }

  private func state(_ descriptor: Int32) -> (isReadable: Bool, isWritable: Bool, isClosed: Bool) {
    switch descriptor {
    case 3: return (pendingSignals != 0, false, false)
    case 4: return (!backlog.isEmpty, false, false)
    default: break
    }
    if let socket = sockets[descriptor] {
      return (
        !socket.toHolder.isEmpty || socket.isClosedByPeer,
        socket.isClosedByPeer || socket.fromHolder.count < socket.capacity, socket.isClosedByPeer
      )
    }
    if let terminal = terminals[descriptor] {
      return (
        terminal.printed > terminal.read || terminal.isHungUp, terminal.capacity > 0,
        terminal.isHungUp
      )
    }
    if let answer = answers[descriptor] {
      return (answer.isDone || !answer.bytes.isEmpty, false, answer.isDone)
    }
    preconditionFailure("a closed descriptor is watched")
  }

  func wait(_ poll: Int32, _ events: inout [holder_event], _ milliseconds: Int32) -> Int32 {
    var count = 0
    for descriptor in watched.keys.sorted() where count < events.count {
      guard let (interest, tag) = watched[descriptor] else { continue }
      let state = state(descriptor)
      let isReadable = state.isReadable && interest & holder_readable != 0
      let isWritable = state.isWritable && interest & holder_writable != 0
      guard isReadable || isWritable || state.isClosed else { continue }
      events[count] = holder_event(
        tag: tag, is_readable: isReadable ? 1 : 0, is_writable: isWritable ? 1 : 0,
        is_closed: state.isClosed ? 1 : 0)
      count += 1
    }
    if count == 0 {
      now += milliseconds < 0 ? patience : min(patience, UInt64(milliseconds))
    }
    return Int32(count)
  }

  func signals(_ descriptor: Int32) -> Int32 {
    defer { pendingSignals = 0 }
    return pendingSignals
  }

  func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
    if let socket = sockets[descriptor] {
      guard !socket.toHolder.isEmpty else { return socket.isClosedByPeer ? 0 : -Int(EAGAIN) }
      let count = min(bytes.count, socket.toHolder.count)
      bytes.copyBytes(from: socket.toHolder[..<count])
      socket.toHolder.removeFirst(count)
      return count
    }
    if let terminal = terminals[descriptor] {
      let count = min(bytes.count, 4_095, Int(terminal.printed - terminal.read))
      guard count > 0 else { return terminal.isHungUp ? -Int(EIO) : -Int(EAGAIN) }
      for index in 0..<count { bytes[index] = terminal.byte(terminal.read + UInt64(index)) }
      terminal.read += UInt64(count)
      return count
    }
    guard var answer = answers[descriptor] else { preconditionFailure("a closed one is read") }
    guard !answer.bytes.isEmpty else { return answer.isDone ? 0 : -Int(EAGAIN) }
    let count = min(bytes.count, answer.bytes.count)
    bytes.copyBytes(from: answer.bytes[..<count])
    answer.bytes.removeFirst(count)
    answers[descriptor] = answer
    return count
  }

  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    if let socket = sockets[descriptor] {
      guard !socket.isClosedByPeer else { return -Int(EPIPE) }
      let count = min(bytes.count, socket.capacity - min(socket.capacity, socket.fromHolder.count))
      guard count > 0 else { return -Int(EAGAIN) }
      socket.fromHolder += bytes[..<count]
      return count
    }
    guard let terminal = terminals[descriptor] else {
      preconditionFailure("a closed one is written")
    }
    guard !terminal.isHungUp else { return -Int(EIO) }
    let count = min(bytes.count, terminal.capacity)
    guard count > 0 else { return -Int(EAGAIN) }
    terminal.capacity -= count
    terminal.didTake(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    return count
  }

  func close(_ descriptor: Int32) {
    precondition(watched[descriptor] == nil, "a watched descriptor is closed")
    if let socket = sockets.removeValue(forKey: descriptor) {
      socket.isClosedByHolder = true
    } else if let terminal = terminals.removeValue(forKey: descriptor) {
      terminal.isOpen = false
    } else {
      precondition(answers.removeValue(forKey: descriptor) != nil, "it is closed twice")
    }
  }

  // MARK: Terminals

  func resize(_ master: Int32, columns: UInt16, rows: UInt16) -> Bool {
    terminals[master]?.size = (columns, rows)
    return terminals[master] != nil
  }
  func foreground(_ master: Int32) -> Int32? { terminals[master]?.process }
  func discardInput(_ master: Int32, for key: UInt8) -> Bool {
    terminals[master]?.discards == true && key < 32
  }

  // MARK: Processes

  private func makeProcess() -> Int32 {
    nextProcess += 1
    return nextProcess
  }

  func start(_ command: inout holder_command, _ process: inout holder_process) -> Int32 {
    guard startError == 0 else { return -startError }
    precondition(command.paths[0] != nil && command.argv[0] != nil)
    process.pid = makeProcess()
    process.master = open()
    process.outcome = open()
    terminals[process.master] = Terminal(process.pid)
    answers[process.outcome] = Answer()
    return 0
  }

  func outcome(_ descriptor: Int32, _ step: inout CChar) -> Int32 {
    step = answers[descriptor]?.step ?? 0
    return answers[descriptor]?.error ?? 0
  }

  func reap(_ kind: inout Int32, _ value: inout Int32) -> Int32 {
    guard !exits.isEmpty else { return 0 }
    let exit = exits.removeFirst()
    (kind, value) = (exit.kind, exit.value)
    killers.removeAll { $0 == exit.process }
    return exit.process
  }

  func exit(_ process: Int32, _ kind: Int32, _ value: Int32) {
    exits.append((process, kind, value))
    pendingSignals |= 1
  }

  func signal(_ group: Int32, _ number: Int32) {
    precondition(group > 1, "everybody is signalled")
    signalled.append((group, number))
    if signalled.count > 1_000 { signalled.removeFirst(500) }
  }

  func killMarked(_ mark: [UInt8]) -> Int32 {
    guard killError == 0 else { return -killError }
    precondition(!mark.isEmpty)
    marksKilled.append(mark)
    killers.append(makeProcess())
    return nextProcess
  }

  func look(_ leader: Int32) -> Int32 {
    let descriptor = open()
    answers[descriptor] = Answer()
    return descriptor
  }

  // MARK: Control groups

  func makeGroup(_ name: UInt64) -> [UInt8]? {
    guard groupError == 0 else { return nil }
    let group = Array("/sys/fs/cgroup/\(name)".utf8)
    groups.insert(group)
    return group
  }
  func killGroup(_ group: [UInt8]) -> Int32 { groups.contains(group) ? 0 : -ENOENT }
  func removeGroup(_ group: [UInt8]) -> Int32 {
    groupsTried += 1
    guard groupRemovalError == 0 else { return -groupRemovalError }
    return groups.remove(group) == nil ? -ENOENT : 0
  }
}

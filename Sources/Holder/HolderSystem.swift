// What a holder needs of the system it runs on. The holder's own code is the same on one that a test or a fuzzer plays.

import CHolder

/// Results are a negative errno where something failed, unless it says otherwise; CHolder.h tells more of each.
protocol HolderSystem {
  // MARK: The process itself

  /// Milliseconds that never go back.
  var now: UInt64 { get }
  /// A descriptor by which signals are told.
  func prepare(keeping kept: inout Int32) -> Int32
  func random(_ bytes: UnsafeMutableRawBufferPointer)

  // MARK: Descriptors

  func listen(_ path: [UInt8]) -> Int32
  func accept(_ listener: Int32) -> Int32
  func makePoll() -> Int32
  /// No interest takes it out.
  func watch(_ poll: Int32, _ descriptor: Int32, _ interest: Int32, was: Int32, _ tag: UInt64)
  /// How many events there are.
  func wait(_ poll: Int32, _ events: inout [holder_event], _ milliseconds: Int32) -> Int32
  /// Bit 0: a child has ended; bit 1: this process is to end.
  func signals(_ descriptor: Int32) -> Int32
  func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int
  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int
  func close(_ descriptor: Int32)

  // MARK: Terminals

  func resize(_ master: Int32, columns: UInt16, rows: UInt16) -> Bool
  /// Nil: none that may be signalled.
  func foreground(_ master: Int32) -> Int32?
  func discardInput(_ master: Int32, for key: UInt8) -> Bool

  // MARK: Processes

  func start(_ command: inout holder_command, _ process: inout holder_process) -> Int32
  /// 0: it runs. Else the errno of the step.
  func outcome(_ descriptor: Int32, _ step: inout CChar) -> Int32
  /// A child that has ended; 0: none.
  func reap(_ kind: inout Int32, _ value: inout Int32) -> Int32
  func signal(_ group: Int32, _ number: Int32)
  /// A child that kills whoever has the mark in its environment, and exits with 1 if some are left.
  func killMarked(_ mark: [UInt8]) -> Int32
  /// A descriptor from which the answer comes.
  func look(_ leader: Int32) -> Int32

  // MARK: Control groups

  /// Nil: none may be made.
  func makeGroup(_ name: UInt64) -> [UInt8]?
  func killGroup(_ group: [UInt8]) -> Int32
  func removeGroup(_ group: [UInt8]) -> Int32
}

extension HolderSystem {
  func random(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { random($0) }
    return bytes
  }
}

/// The one there is.
struct LinuxSystem: HolderSystem {
  var now: UInt64 { holder_now() }
  func prepare(keeping kept: inout Int32) -> Int32 { holder_prepare(&kept) }
  func random(_ bytes: UnsafeMutableRawBufferPointer) {
    holder_random(bytes.baseAddress, bytes.count)
  }

  func listen(_ path: [UInt8]) -> Int32 { path.withCString { holder_listen($0) } }
  func accept(_ listener: Int32) -> Int32 { holder_accept(listener) }
  func makePoll() -> Int32 { holder_epoll() }
  func watch(_ poll: Int32, _ descriptor: Int32, _ interest: Int32, was: Int32, _ tag: UInt64) {
    _ = holder_watch(poll, descriptor, interest, was, tag)
  }
  func wait(_ poll: Int32, _ events: inout [holder_event], _ milliseconds: Int32) -> Int32 {
    holder_wait(poll, &events, Int32(events.count), milliseconds)
  }
  func signals(_ descriptor: Int32) -> Int32 { holder_signals(descriptor) }
  func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
    holder_read(descriptor, bytes.baseAddress, bytes.count)
  }
  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    holder_write(descriptor, bytes.baseAddress, bytes.count)
  }
  func close(_ descriptor: Int32) { holder_close(descriptor) }

  func resize(_ master: Int32, columns: UInt16, rows: UInt16) -> Bool {
    TerminalControl(master: master).resize(columns: columns, rows: rows)
  }
  func foreground(_ master: Int32) -> Int32? { TerminalControl(master: master).foreground }
  func discardInput(_ master: Int32, for key: UInt8) -> Bool {
    TerminalControl(master: master).discardInput(for: key)
  }

  func start(_ command: inout holder_command, _ process: inout holder_process) -> Int32 {
    holder_start(&command, &process)
  }
  func outcome(_ descriptor: Int32, _ step: inout CChar) -> Int32 {
    holder_outcome(descriptor, &step)
  }
  func reap(_ kind: inout Int32, _ value: inout Int32) -> Int32 { holder_reap(&kind, &value) }
  func signal(_ group: Int32, _ number: Int32) { holder_signal(group, number) }
  func killMarked(_ mark: [UInt8]) -> Int32 {
    mark.withCString {
      holder_kill_marked(
        $0, HolderLimits.killing, HolderLimits.killingLooks, HolderLimits.killingLooksAtOnce,
        HolderLimits.killingPause)
    }
  }
  func look(_ leader: Int32) -> Int32 { holder_look(leader, HolderLimits.look) }

  func makeGroup(_ name: UInt64) -> [UInt8]? {
    var path = [CChar](repeating: 0, count: 4_096)
    guard holder_cgroup_make(name, &path, path.count) == 0 else { return nil }
    return path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  }
  func killGroup(_ group: [UInt8]) -> Int32 { group.withCString { holder_cgroup_kill($0) } }
  func removeGroup(_ group: [UInt8]) -> Int32 { group.withCString { holder_cgroup_remove($0) } }
}

extension [UInt8] {
  /// As C has it, with a 0 behind.
  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (self + [0]).withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { body($0.baseAddress!) }
    }
  }
}

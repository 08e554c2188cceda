// How processes begin, and what is waited for. Nothing here waits itself: a child that hangs before its exec, a look at
// /proc that hangs, a process that does not die each have their time.

import CHolder

/// What is under way with the system.
struct Processes {
  /// A child that has not come to its exec.
  struct Start {
    var request: StartRequest
    var peer: UInt32
    var process: Int32
    var master: Int32
    var outcome: Int32
    var group: [UInt8]?
    var exit: HeldExit?
  }

  struct Look {
    var handle: UInt64
    var peer: UInt32
    var descriptor: Int32
    var answer: [UInt8] = []
  }

  enum Timer {
    case start(UInt32)
    case drain(UInt64)
    /// A terminal that no process had open.
    case open(UInt64)
    /// No descriptor was to be had for a peer.
    case accept
    /// SIGKILL for all that is left.
    case kill(Ending)
    /// A control group that was not empty, and how often it was tried.
    case removeGroup([UInt8], times: Int)
  }

  /// A session that is being ended; what is left of it is ended, too, after it was forgotten.
  struct Ending {
    var handle: UInt64
    var mark: [UInt8]
    var group: [UInt8]?
    /// How often it was killed.
    var times = 0
    /// How often no process was to be had to kill it with.
    var triesWithoutProcess = 0
  }

  var starts: [UInt32: Start] = [:]
  var looks: [UInt32: Look] = [:]
  var next: UInt32 = 1
  /// The session of a leader.
  var leaders: [Int32: UInt64] = [:]
  /// Children that kill what is left of a session.
  var killers: [Int32: Ending] = [:]
  var timers: [(due: UInt64, timer: Timer)] = []

  var isEmpty: Bool { starts.isEmpty && killers.isEmpty }

  /// The numbers of the first and the last of the children that have not come to their exec, and that another peer has asked
  /// for; nil: there is none.
  func startsUnderWay(besides peer: UInt32) -> (oldest: UInt32, youngest: UInt32)? {
    var found: (oldest: UInt32, youngest: UInt32)?
    for (number, start) in starts where start.peer != peer {
      found = (min(found?.oldest ?? number, number), max(found?.youngest ?? number, number))
    }
    return found
  }

  var nextTimer: UInt64? {
    var least: UInt64?
    for entry in timers { least = min(least ?? .max, entry.due) }
    return least
  }
}

extension Holder {
  // MARK: Beginning

  func start(_ request: StartRequest, for peer: Peer) {
    let count = sessions.count + processes.starts.count
    guard count < HolderLimits.sessions, !isEnding, !request.arguments.isEmpty,
      !request.paths.isEmpty,
      request.names.isEmpty || request.names.count == request.paths.count, request.columns > 0,
      request.rows > 0
    else {
      return send(
        .notStarted(tag: request.tag, step: StartStep.limit.rawValue, error: UInt32(EAGAIN)),
        to: peer)
    }
    let group = system.makeGroup(nextHandle &+ UInt64(processes.next) << 32)
    var process = holder_process()
    let result = run(request, group: group, &process)
    guard result == 0 else {
      if let group { removeGroup(group) }
      let error = UInt32(truncatingIfNeeded: -result)
      return send(
        .notStarted(tag: request.tag, step: StartStep.terminal.rawValue, error: error), to: peer)
    }
    let number = processes.next
    processes.next &+= 1
    processes.starts[number] = Processes.Start(
      request: request, peer: peer.number, process: process.pid, master: process.master,
      outcome: process.outcome,
      group: group)
    watch(process.outcome, holder_readable, was: 0, EventTag.outcome | UInt64(number))
    processes.timers.append((now + HolderLimits.start, .start(number)))
  }

  private func run(_ request: StartRequest, group: [UInt8]?, _ process: inout holder_process)
    -> Int32
  {
    var command = holder_command()
    command.is_directory_preferred = request.isDirectoryPreferred ? 1 : 0
    command.columns = request.columns
    command.rows = request.rows
    command.files_soft = request.filesSoft
    command.files_hard = request.filesHard
    if let user = request.user {
      command.has_user = 1
      command.uid = user.uid
      command.gid = user.gid
      command.group_count = user.groups.count
    }
    let groups = request.user?.groups ?? []
    return withCStrings(request.paths) { paths in
      withCStrings(request.names) { names in
        withCStrings(request.arguments) { arguments in
          withCStrings(environment(of: request)) { environment in
            request.directory.withCString { directory in
              (group ?? []).withCString { cgroup in
                groups.withUnsafeBufferPointer { groups in
                  command.paths = paths
                  command.names = request.names.isEmpty ? nil : names
                  command.argv = UnsafeMutablePointer(mutating: arguments)
                  command.envp = environment
                  command.directory = request.directory.isEmpty ? nil : directory
                  command.cgroup = group == nil ? nil : cgroup
                  command.groups = groups.baseAddress
                  return system.start(&command, &process)
                }
              }
            }
          }
        }
      }
    }
  }

  /// The texts as C has them: pointers into one array of bytes, with a null behind the last.
  private func environment(of request: StartRequest) -> [[UInt8]] {
    guard request.addsHoldersEnvironment else { return request.environment }
    func name(_ entry: [UInt8]) -> [UInt8] { Array(entry.prefix { $0 != UInt8(ascii: "=") }) }
    var given: Set<[UInt8]> = []
    for entry in request.environment { given.insert(name(entry)) }
    var environment = request.environment
    var next = holder_environment()
    while let at = next, let text = at.pointee {
      let entry = UnsafeBufferPointer(start: text, count: holder_length(text)).map {
        UInt8(bitPattern: $0)
      }
      if !given.contains(name(entry)) { environment.append(entry) }
      next = at + 1
    }
    return environment
  }

  private func withCStrings(
    _ texts: [[UInt8]], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
  ) -> Int32 {
    var bytes: [CChar] = []
    var starts: [Int] = []
    for text in texts {
      starts.append(bytes.count)
      // A text ends at its first 0.
      for byte in text.prefix(while: { $0 != 0 }) { bytes.append(CChar(bitPattern: byte)) }
      bytes.append(0)
    }
    return bytes.withUnsafeMutableBufferPointer { memory in
      var pointers = starts.map { start in memory.baseAddress.map { $0 + start } }
      pointers.append(nil)
      return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
    }
  }

  /// Its exec has closed the descriptor, or it says why it could not.
  func startDidComeOut(_ number: UInt32) {
    guard let start = processes.starts.removeValue(forKey: number) else { return }
    var step: CChar = 0
    let error = system.outcome(start.outcome, &step)
    watch(start.outcome, 0, was: holder_readable, 0)
    system.close(start.outcome)
    dropTimers { if case .start(let other) = $0 { other == number } else { false } }
    defer { startIsOver() }
    guard error == 0 else {
      fail(start, step: UInt8(bitPattern: step), error: UInt32(truncatingIfNeeded: error))
      return
    }
    let peer = peers[start.peer]
    let held = Held(
      HeldSession(
        handle: nextHandle, request: start.request, process: start.process, group: start.group,
        peer: peer?.number), master: start.master)
    nextHandle += 1
    sessions[held.handle] = held
    processes.leaders[start.process] = held.handle
    send(
      .started(
        tag: start.request.tag, handle: held.handle, process: UInt32(bitPattern: start.process)),
      aboutTo: held)
    updateInterest(of: held)
    if let exit = start.exit { leaderDidExit(held, exit) }
    if isEnding { endOrForget(held) }
  }

  private func fail(_ start: Processes.Start, step: UInt8, error: UInt32) {
    system.close(start.master)
    if let group = start.group { removeGroup(group) }
    guard let peer = peers[start.peer] else { return }
    send(.notStarted(tag: start.request.tag, step: step, error: error), to: peer)
  }

  // MARK: Time

  func handleProcessTimers() {
    guard let next = processes.nextTimer, next <= now else { return }
    let due = processes.timers.filter { $0.due <= now }
    processes.timers.removeAll { $0.due <= now }
    for entry in due {
      switch entry.timer {
      case .start(let number): startIsLate(number)
      case .drain(let handle): if let held = sessions[handle] { drain(held) }
      case .removeGroup(let group, let times): removeGroup(group, times: times)
      case .open(let handle): if let held = sessions[handle] { openAgain(held) }
      case .accept: acceptAgain()
      case .kill(let ending): kill(ending)
      }
    }
  }

  private func openAgain(_ held: Held) {
    held.isHungUp = false
    updateInterest(of: held)
  }

  private func startIsLate(_ number: UInt32) {
    guard let start = processes.starts.removeValue(forKey: number) else { return }
    system.signal(start.process, SIGKILL)
    watch(start.outcome, 0, was: holder_readable, 0)
    system.close(start.outcome)
    fail(start, step: StartStep.time.rawValue, error: UInt32(ETIMEDOUT))
    startIsOver()
  }

  func dropTimers(_ isOver: (Processes.Timer) -> Bool) {
    processes.timers.removeAll { isOver($0.timer) }
  }

  // MARK: Looking

  func look(_ handle: UInt64, for peer: Peer) {
    let descriptor =
      processes.looks.count < HolderLimits.peers
      ? sessions[handle].map { system.look($0.rules.process) } ?? -ESRCH : -EAGAIN
    guard descriptor >= 0 else {
      return send(.looked(handle: handle, isForeground: false, words: [], directory: []), to: peer)
    }
    let number = processes.next
    processes.next &+= 1
    processes.looks[number] = Processes.Look(
      handle: handle, peer: peer.number, descriptor: descriptor)
    watch(descriptor, holder_readable, was: 0, EventTag.look | UInt64(number))
  }

  func lookDidAnswer(_ number: UInt32) {
    guard let look = processes.looks[number] else { return }
    var bytes = [UInt8](repeating: 0, count: HolderLimits.lookRead)
    let count = bytes.withUnsafeMutableBytes { system.read(look.descriptor, $0) }
    if count == -Int(EAGAIN) { return }
    if count > 0, look.answer.count < HolderLimits.lookAnswer {
      processes.looks[number]?.answer.append(contentsOf: bytes[..<count])
      return
    }
    processes.looks[number] = nil
    watch(look.descriptor, 0, was: holder_readable, 0)
    system.close(look.descriptor)
    guard let held = sessions[look.handle], let peer = peers[look.peer] else { return }
    let foreground = held.master >= 0 ? system.foreground(held.master) : nil
    let end = look.answer.firstIndex(of: UInt8(ascii: "\n")) ?? look.answer.endIndex
    send(
      .looked(
        handle: look.handle, isForeground: foreground == nil || foreground == held.rules.process,
        words: Array(look.answer[..<end]), directory: Array(look.answer[end...].dropFirst())),
      to: peer)
  }
}

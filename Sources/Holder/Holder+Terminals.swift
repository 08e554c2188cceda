// What is read from terminals and written to them.

import CHolder

extension Holder {
  func updateInterest(of held: Held) {
    guard held.master >= 0 else { return }
    guard !held.isHungUp else { return setInterest(of: held, 0) }
    var wanted: Int32 = held.rules.isReading ? holder_readable : 0
    if !held.rules.input.isEmpty { wanted |= holder_writable }
    setInterest(of: held, wanted)
  }

  private func setInterest(of held: Held, _ wanted: Int32) {
    guard wanted != held.interest else { return }
    watch(held.master, wanted, was: held.interest, EventTag.terminal | held.handle)
    held.interest = wanted
  }

  func readTerminal(_ held: Held) {
    // Others' echoes wait no longer than for this.
    for _ in 0..<HolderLimits.terminalReads {
      guard held.master >= 0, held.rules.isReading else { break }
      let count = read(held)
      guard count > 0 else {
        if count != -Int(EAGAIN) { terminalDidClose(held) }
        break
      }
      if count < HolderLimits.terminalRead / 2 { break }
    }
    giveTurn(held)
    updateInterest(of: held)
  }

  /// Reads a piece of what the process prints into the log; returns how much, or why not.
  func read(_ held: Held) -> Int {
    let most = min(HolderLimits.terminalRead, held.rules.log.room)
    let count = scratch.withUnsafeMutableBytes {
      system.read(held.master, UnsafeMutableRawBufferPointer(rebasing: $0[..<most]))
    }
    guard count > 0 else { return count }
    held.rules.didRead(scratch[..<count], now: now)
    return count
  }

  func writeTerminal(_ held: Held) {
    while held.master >= 0, !held.rules.input.isEmpty {
      let count = held.rules.input.withNext { system.write(held.master, $0) }
      guard count > 0 else {
        if count != -Int(EAGAIN) { hangUp(held) }
        break
      }
      if let written = held.rules.input.wrote(count) {
        let isKey = count <= HolderLimits.key && held.rules.input.isEmpty
        report(written, of: held, soon: isKey)
      }
    }
    updateInterest(of: held)
  }

  /// - Parameter soon: it may wait for the program's echo.
  func report(_ report: HeldInput.Report, of held: Held, soon: Bool = false) {
    switch report {
    case .written(let client, let offset):
      let frame = HolderFrame.written(handle: held.handle, client: client, offset: offset)
      if soon { sendSoon(frame, aboutTo: held) } else { send(frame, aboutTo: held) }
    case .answered(let query): send(.answered(handle: held.handle, query: query), aboutTo: held)
    }
  }

  /// No process has the terminal open (EIO), or nothing more of it is to be read.
  func terminalDidClose(_ held: Held) {
    guard held.master >= 0 else { return }
    setInterest(of: held, 0)
    // While the leader lives it stays: to take it away would send it SIGHUP. Its descriptor would tell of the hangup
    // without end, and does not tell when the leader opens the terminal again: it is looked at again after a time.
    guard held.rules.exit != nil else { return hangUp(held) }
    system.close(held.master)
    held.master = -1
    held.rules.terminalDidClose()
    giveTurn(held)
    if isEnding, held.rules.peer == nil { forget(held) }
  }

  private func hangUp(_ held: Held) {
    guard !held.isHungUp else { return }
    held.isHungUp = true
    processes.timers.append((now + HolderLimits.endAgain, .open(held.handle)))
  }

  func forget(_ held: Held) {
    guard sessions.removeValue(forKey: held.handle) != nil else { return }
    processes.leaders[held.rules.process] = nil
    if let group = held.rules.group { removeGroup(group) }
    guard held.master >= 0 else { return }
    setInterest(of: held, 0)
    system.close(held.master)
    held.master = -1
  }
}

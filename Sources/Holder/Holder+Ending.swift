// How processes end: they are reaped, told, and what a session leaves behind is killed, for sure and in bounded time.

import CHolder

extension Holder {
  func reapChildren() {
    isReapDue = false
    // Orphans of a session that forks without end come as fast as they are reaped.
    for _ in 0..<HolderLimits.reaps {
      var kind: Int32 = 0
      var value: Int32 = 0
      let process = system.reap(&kind, &value)
      guard process > 0 else { return }
      let exit: HeldExit = kind == 2 ? .signalled(value) : .exited(value)
      if let held = processes.leaders[process].flatMap({ sessions[$0] }) {
        leaderDidExit(held, exit)
      } else if let ending = processes.killers.removeValue(forKey: process) {
        // It says by its status whether there was anybody left.
        if kind != 1 || value != 0 { killAgain(ending) }
      } else {
        for number in processes.starts.keys where processes.starts[number]!.process == process {
          processes.starts[number]!.exit = exit
        }
      }
    }
    isReapDue = true
  }

  func leaderDidExit(_ held: Held, _ exit: HeldExit) {
    held.rules.leaderDidExit(exit)
    processes.leaders[held.rules.process] = nil
    processes.timers.append((now + HolderLimits.drain, .drain(held.handle)))
    updateInterest(of: held)
  }

  func signal(_ held: Held, _ number: Int32) {
    guard held.rules.exit == nil, (1...HolderLimits.signals).contains(number) else { return }
    let foreground = held.master >= 0 ? system.foreground(held.master) : nil
    if let foreground, foreground != held.rules.process { system.signal(foreground, number) }
    system.signal(held.rules.process, number)
  }

  /// SIGHUP, as when a terminal is taken away; and after the grace all that is left of it is killed.
  func end(_ held: Held, grace: UInt64) {
    held.isEnding = true
    signal(held, SIGHUP)
    signal(held, SIGCONT)
    let handle = held.handle
    dropTimers { if case .kill(let ending) = $0 { ending.handle == handle } else { false } }
    let ending = Processes.Ending(handle: handle, mark: held.rules.mark, group: held.rules.group)
    processes.timers.append((now + min(grace, HolderLimits.grace), .kill(ending)))
  }

  func kill(_ ending: Processes.Ending) {
    // One that is at it already goes on.
    guard !processes.killers.values.contains(where: { $0.handle == ending.handle }) else { return }
    if let held = sessions[ending.handle] { signal(held, SIGKILL) }
    if let group = ending.group, system.killGroup(group) == 0 {
      // Whoever forgets the session has it removed; this may come after that.
      if sessions[ending.handle] == nil { removeGroup(group) }
      return
    }
    guard !ending.mark.isEmpty else { return }
    let child = system.killMarked(ending.mark)
    if child > 0 {
      processes.killers[child] = ending
    } else {
      killSoon(ending)
    }
  }

  /// Somebody is left of it.
  private func killAgain(_ ending: Processes.Ending) {
    var again = ending
    again.times += 1
    guard again.times < HolderLimits.ends else { return tellSurvivors(of: ending) }
    processes.timers.append((now + HolderLimits.endAgain, .kill(again)))
  }

  /// There is no process to be had: who takes them all is to lose the next that ends.
  private func killSoon(_ ending: Processes.Ending) {
    var again = ending
    again.triesWithoutProcess += 1
    guard again.triesWithoutProcess <= HolderLimits.endsWithoutProcess else {
      return tellSurvivors(of: ending)
    }
    processes.timers.append((now + HolderLimits.endSoon, .kill(again)))
  }

  private func tellSurvivors(of ending: Processes.Ending) {
    guard let held = sessions[ending.handle] else { return }
    send(.survivors(handle: ending.handle), aboutTo: held)
  }

  /// What is not empty yet is tried again, ever more seldom.
  func removeGroup(_ group: [UInt8], times: Int = 0) {
    let result = system.removeGroup(group)
    guard result != 0, result != -ENOENT, times < HolderLimits.groupRemovals else { return }
    let delay = min(HolderLimits.endSoon << UInt64(times), HolderLimits.tick)
    processes.timers.append((now + delay, .removeGroup(group, times: times + 1)))
  }

  /// What the terminal holds is read, and then it is over, whoever else may hold it open.
  func drain(_ held: Held) {
    guard held.master >= 0 else { return }
    while held.rules.isReading, read(held) > 0 {}
    let isAwaited = !held.isEnding || held.rules.peer != nil
    if held.rules.log.room == 0, held.rules.rest < HolderLimits.drained, isAwaited {
      // There is no room for what it may still hold: it is kept until there is.
      processes.timers.append((now + HolderLimits.endAgain, .drain(held.handle)))
    } else {
      terminalDidClose(held)
    }
  }
}

// What a role's process sets for itself before it does anything else: how many descriptors it may have,
// who may look into it, what happens to its children; and how many sessions that allows.

import CPTY
import Glibc
import NIOPosix

/// How many descriptors a process may have (RLIMIT_NOFILE).
public struct FileLimit: Sendable, Equatable {
  public var soft: UInt64
  public var hard: UInt64
}

public struct Surroundings: Sendable {
  /// The limit that this process was started with, which is its children's.
  public var inherited: FileLimit?
  /// Descriptors that this process may have now.
  public var files: Int
  /// Pseudo-terminals that this machine, or this container, gives at most.
  public var terminals: Int
  /// What could not be set.
  public var problems: [String]

  /// To be called once, before any thread is started that could miss it.
  public static func prepare() -> Surroundings {
    var problems: [String] = []
    // What opens next must not become the standard output of something.
    for descriptor in CInt(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", O_RDWR)
    }
    // Terminals' processes of the same user could read this one's environment, which may hold a password.
    if cpty_conceal() != 0 {
      problems.append("this process could not be hidden from its user's others")
    }
    // One who ignored it may have started this process; then nobody would be told how a child ends.
    signal(SIGCHLD, SIG_DFL)
    let inherited = limit()
    if let inherited, inherited.soft < inherited.hard {
      let error = cpty_set_files(inherited.hard, inherited.hard)
      if error != 0 {
        problems.append(
          "the limit of descriptors stays at \(inherited.soft): \(describe(errno: error))")
      }
    }
    do { try ExitWatcher.shared.reapOrphans() } catch { problems.append("\(error)") }
    // What NIO starts when it is first used it expects to get: now, while there is enough of everything.
    _ = NIOThreadPool.singleton
    PipeThreads.prepare()
    _ = MultiThreadedEventLoopGroup.singleton
    return Surroundings(
      inherited: inherited, files: Int(clamping: limit()?.soft ?? 1_024),
      terminals: mostTerminals(), problems: problems)
  }

  private static func limit() -> FileLimit? {
    var limit = FileLimit(soft: 0, hard: 0)
    return cpty_files(&limit.soft, &limit.hard) == 0 ? limit : nil
  }

  /// `kernel.pty.max`, or less where /dev/pts was mounted with a `max` of its own.
  private static func mostTerminals() -> Int {
    var most = Int.max
    if let text = ProcessTable.contents(of: "/proc/sys/kernel/pty/max") {
      most = Int(text.filter(\.isNumber)) ?? most
    }
    let mounts = ProcessTable.contents(of: "/proc/self/mounts") ?? ""
    for mount in mounts.split(separator: "\n") {
      let fields = mount.split(separator: " ")
      guard fields.count > 3, fields[1] == "/dev/pts", fields[2] == "devpts" else { continue }
      for option in fields[3].split(separator: ",") where option.hasPrefix("max=") {
        most = min(most, Int(option.dropFirst(4)) ?? most)
      }
    }
    return most
  }

  // MARK: Capacity

  /// How many sessions these limits allow, and which one decides.
  /// - Parameter terminalsOnly: every session needs a pseudo-terminal of this machine.
  public func capacity(terminalsOnly: Bool) -> (sessions: Int, because: String) {
    let byFiles = max(1, (files - PipeLimits.reservedDescriptors) / PipeLimits.descriptors)
    var allowed = (sessions: byFiles, because: "\(files) descriptors")
    if terminalsOnly, terminals < allowed.sessions {
      allowed = (max(1, terminals), "\(terminals) pseudo-terminals")
    }
    return allowed
  }
}

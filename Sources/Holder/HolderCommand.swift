// The holder's command line, as a static binary and as the hidden `fairlead holder`:
//
//     fairlead-holder serve DIRECTORY [--detach]   holds sessions; the socket is DIRECTORY/holder
//     fairlead-holder relay DIRECTORY              passes standard input and output on to that socket
//     fairlead-holder version
//
// `serve` reads 48 bytes from standard input: 16 by which it is told from others, and its key of 32. It writes
// `ready` and a line end to standard output once it listens; with --detach it then leaves its caller's session.

import CHolder

/// What its exit says, as sysexits(3) has it.
public enum HolderStatus {
  /// It was called wrongly.
  public static let usage: Int32 = 64
  /// Nobody listens there.
  public static let nobodyListens: Int32 = 69
  /// The system refused.
  public static let refused: Int32 = 71
  /// Another holder listens there.
  public static let taken: Int32 = 75
}

public enum HolderCommand {
  /// Says ``Handshake/version``, the version of the protocol that it speaks (docs/holder.md).
  public static let version = "fairlead-holder 1\n"

  /// Returns the exit status.
  public static func run(_ arguments: [[UInt8]]) -> Int32 {
    guard let verb = arguments.first else {
      return say("usage: fairlead-holder serve|relay DIRECTORY\n", HolderStatus.usage)
    }
    if verb == Array("version".utf8) {
      write(1, Array(version.utf8))
      return 0
    }
    guard arguments.count >= 2, arguments[1].first == UInt8(ascii: "/") else {
      return say("fairlead-holder: an absolute DIRECTORY is missing\n", HolderStatus.usage)
    }
    let path = arguments[1] + Array("/holder".utf8)
    if verb == Array("serve".utf8) {
      return serve(path, detach: arguments.dropFirst(2).contains(Array("--detach".utf8)))
    }
    if verb == Array("relay".utf8) { return Relay.run(path) }
    return say("fairlead-holder: no such command\n", HolderStatus.usage)
  }

  private static func serve(_ path: [UInt8], detach: Bool) -> Int32 {
    // Before there is a key to be read: others of its user may neither look into it nor at what it has open.
    holder_hide()
    guard let secret = readSecret() else {
      return say("fairlead-holder: 48 bytes are expected on standard input\n", HolderStatus.usage)
    }
    var starter: Int32 = detach ? holder_detach() : -1
    guard !detach || starter >= 0 else {
      return say("fairlead-holder: no process is to be had\n", HolderStatus.refused)
    }
    let holder: Holder<LinuxSystem>
    do throws(HolderError) {
      holder = try Holder(
        LinuxSystem(), identity: Array(secret[..<16]), key: Array(secret[16...]), path: path,
        keeping: &starter)
    } catch {
      let status: Int32 = -error.number == EADDRINUSE ? HolderStatus.taken : HolderStatus.refused
      let said = say("fairlead-holder: cannot listen in this directory\n", status)
      if detach { holder_detached(starter, UInt8(truncatingIfNeeded: status)) }
      return said
    }
    write(1, Array("ready\n".utf8))
    if detach { holder_detached(starter, 0) }
    holder.run()
    path.withCString { holder_remove($0) }
    return 0
  }

  private static func readSecret() -> [UInt8]? {
    var secret = [UInt8](repeating: 0, count: 16 + Handshake.key)
    var count = 0
    while count < secret.count {
      let got = secret.withUnsafeMutableBytes {
        holder_read(0, $0.baseAddress.map { $0 + count }, $0.count - count)
      }
      guard got > 0 else { return nil }
      count += got
    }
    return secret
  }

  private static func say(_ text: StaticString, _ status: Int32) -> Int32 {
    text.withUTF8Buffer { _ = holder_write(2, $0.baseAddress, $0.count) }
    return status
  }

  private static func write(_ descriptor: Int32, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { _ = holder_write(descriptor, $0.baseAddress, $0.count) }
  }
}

/// What an exec in a container runs for a node: it passes bytes on between its standard input and output and the
/// holder's socket, as they come.
enum Relay {
  static func run(_ path: [UInt8]) -> Int32 {
    let socket = path.withCString { holder_connect($0) }
    guard socket >= 0 else { return HolderStatus.nobodyListens }
    return holder_relay(socket)
  }
}

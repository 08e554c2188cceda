// Where the holder's program and its socket are in a container, and what is put there.

import CHolderBinary
import Holder
import NIOCore

struct HolderFiles: Sendable, Hashable {
  var program: String
  /// Its user's own, with the socket; the holder makes it.
  var directory: String

  /// Below the container's root, where only its root can have put something: the same for all its users, but for the
  /// last folder, whose name nobody can guess who would take it first.
  static func usual(_ token: String) -> HolderFiles {
    HolderFiles(program: "\(folder)/\(name)", directory: "\(folder)/\(token)")
  }

  /// What an exec of it shows. Nil: it is none, or none of ours.
  init?(_ exec: DockerEngine.ExecState, token: String) {
    guard let program = exec.processConfig?.entrypoint,
      let arguments = exec.processConfig?.arguments
    else { return nil }
    // By itself, or by the shell that looks whose it is.
    let words =
      arguments.count == Self.checked.count + 2 ? arguments.suffix(3) : [program] + arguments
    guard words.count == 3, words[0].hasSuffix("/\(Self.name)"), words[1] == "serve",
      words[2].utf8.count <= PipeLimits.holderDirectory, words[2].hasSuffix(token)
    else { return nil }
    self.program = words[0]
    directory = words[2]
  }

  /// - Parameter verb: `serve` or `relay`.
  func command(_ verb: String) -> [String] {
    (program.hasPrefix("/.fairlead-") ? [] : Self.checked) + [program, verb, directory]
  }

  /// In a folder that everybody may write to, somebody else may have put a program in the place of ours: what was there
  /// when it was put is not there any more after a restart. It is executed only if it, and its folder, are the user's.
  private static let checked = [
    "/bin/sh", "-c",
    """
    folder=${1%/*}
    [ -O "$folder" ] && [ ! -L "$folder" ] && [ -O "$1" ] && [ ! -L "$1" ] && exec "$@"
    exit 126
    """, "sh",
  ]

  init(program: String, directory: String) {
    self.program = program
    self.directory = directory
  }

  var isOfThisVersion: Bool { program.contains(".fairlead-\(Self.stamp)") }

  static let name = "fairlead-holder"
  /// Of each version one: an older holder stays until its last session has ended.
  static var stamp: String { String(String(cString: holder_stamp()).prefix(16)) }
  private static var folder: String { "/.fairlead-\(stamp)" }

  /// Whether this build carries any.
  static var areCarried: Bool { !String(cString: holder_stamp()).isEmpty }

  /// The program, for a processor that is called so by `uname -m`; nil: this build carries none for it.
  static func binary(for processor: String) -> ByteBuffer? {
    var count = 0
    guard let bytes = holder_binary_of(processor, &count), count > 0 else { return nil }
    return ByteBuffer(bytes: UnsafeBufferPointer(start: bytes, count: count))
  }

  /// To be unpacked in a container's root.
  static func archive(of binary: ByteBuffer) -> ByteBuffer {
    var archive = TarArchive()
    let folder = folder.dropFirst()
    // As /tmp: each user's holder makes a folder of its own in it, and nobody can replace the program. Who may not read it
    // may not look into the process either, from its first instruction on: its key comes by its input.
    archive.append(folder: "\(folder)/", mode: 0o1777)
    archive.append(file: "\(folder)/\(name)", binary, mode: 0o711)
    return archive.finish()
  }

  // MARK: By a shell

  /// Where the archive cannot go (a root file system that is read-only, or mounted so that nothing is executed): reads
  /// the program from its input into the first folder that it can be executed from, and prints which that is.
  static func command(size: Int, token: String) -> [String] {
    let script = """
      umask 077
      for place in /tmp /var/tmp /run /dev/shm "$HOME"; do
        folder=$place/$1
        mkdir "$folder" 2>/dev/null || { [ -O "$folder" ] && [ ! -L "$folder" ]; } || continue
        printf '#!/bin/sh\\n' >"$folder/try.$$" 2>/dev/null && chmod 700 "$folder/try.$$" &&
          "$folder/try.$$" 2>/dev/null && can=1 || can=
        rm -f "$folder/try.$$"
        [ "$can" ] || { rmdir "$folder" 2>/dev/null; continue; }
        head -c "$2" >"$folder/new.$$" && chmod 700 "$folder/new.$$" &&
          mv "$folder/new.$$" "$folder/\(name)" && echo "in:$folder" && exit 0
        exit 1
      done
      echo "no folder can be written to and executed from" >&2
      exit 1
      """
    return ["/bin/sh", "-c", script, "sh", ".fairlead-\(stamp)-\(token)", "\(size)"]
  }

  /// Reads the folder from what that command printed. Nil: the command has not printed one.
  init?(printed text: String) {
    guard let line = text.split(separator: "\n").first, line.hasPrefix("in:/"),
      line.utf8.count <= PipeLimits.holderDirectory
    else { return nil }
    let folder = line.dropFirst("in:".count)
    self.init(program: "\(folder)/\(Self.name)", directory: String(folder))
  }
}

/// A tar archive of what belongs to root (POSIX.1-1988, ustar).
private struct TarArchive {
  private var bytes = ByteBuffer()
  private static let block = 512

  mutating func append(folder name: String, mode: Int) {
    append(name, type: "5", mode: mode, size: 0)
  }

  mutating func append(file name: String, _ contents: ByteBuffer, mode: Int) {
    append(name, type: "0", mode: mode, size: contents.readableBytes)
    bytes.writeImmutableBuffer(contents)
    pad()
  }

  private mutating func append(_ name: String, type: String, mode: Int, size: Int) {
    func octal(_ value: Int, _ digits: Int) -> String {
      let text = String(value, radix: 8)
      return String(repeating: "0", count: max(0, digits - text.count)) + text + "\0"
    }
    func filled(_ text: String, _ length: Int) -> String {
      text + String(repeating: "\0", count: length - text.utf8.count)
    }
    // Owner and group 0, and of no time.
    let start =
      filled(name, 100) + octal(mode, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11)
      + octal(0, 11)
    let rest =
      type + filled("", 100) + "ustar\0" + "00" + filled("root", 32) + filled("root", 32)
      + octal(0, 7) + octal(0, 7) + filled("", 155)
    let spaces = "        "
    let sum = (start + spaces + rest).utf8.reduce(0) { $0 + Int($1) }
    bytes.writeString(start + octal(sum, 6) + " " + rest)
    pad()
  }

  private mutating func pad() {
    let over = bytes.readableBytes % Self.block
    if over > 0 { bytes.writeRepeatingByte(0, count: Self.block - over) }
  }

  consuming func finish() -> ByteBuffer {
    bytes.writeRepeatingByte(0, count: 2 * Self.block)
    return bytes
  }
}

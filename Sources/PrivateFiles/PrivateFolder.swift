// Folders that nobody but this user may enter.

import Glibc
public import Wire

public enum PrivateFolder {
  /// Makes the folder, and those where it lies, as far as they are missing.
  /// - Parameter path: absolute.
  /// - Throws: `notPrivate` if it was there and is not this user's alone.
  public static func make(_ path: String) throws(PrivateFileError) {
    try make(path.split(separator: "/"))
    try check(path)
  }

  /// - Throws: `notPrivate` if it is not this user's alone, `system` if there is none.
  public static func check(_ path: String) throws(PrivateFileError) {
    var found = stat()
    guard lstat(path, &found) == 0 else { throw .system("cannot look at \(path)", errno) }
    guard found.st_mode & S_IFMT == S_IFDIR, found.st_uid == geteuid(), found.st_mode & 0o077 == 0
    else {
      throw PrivateFileError(
        .notPrivate,
        "\(path) has to be a directory of this user that nobody else may enter (chmod 700)")
    }
  }

  /// Those where the file lies. They may be others' too: the file is not.
  static func makeParents(of path: String) throws(PrivateFileError) {
    try make(path.split(separator: "/").dropLast())
  }

  private static func make(_ parts: some Sequence<Substring>) throws(PrivateFileError) {
    var path = ""
    for part in parts {
      path += "/\(part)"
      if mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("cannot make \(path)", errno) }
    }
  }
}

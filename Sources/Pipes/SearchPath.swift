// Where a program may be, as execvp(3) looks for it.

enum SearchPath {
  /// Where the environment names none.
  static let usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// - Parameter path: the folders, with colons between them; an empty one is the working directory.
  /// - Returns: the places in their order; the first one that can be executed is it.
  static func places(of program: String, in path: String) -> [String] {
    if program.contains("/") { return [program] }
    return path.split(separator: ":", omittingEmptySubsequences: false)
      .map { ($0.isEmpty ? "." : String($0)) + "/" + program }
  }
}

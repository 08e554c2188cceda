// The locale of a process that was given none: without one a program takes every character beyond
// ASCII for bytes of no meaning.

enum Locale {
  static let variable = "LANG"
  /// In every glibc from 2.35 on, in Debian's before, and in musl. Who does not know it stays as without.
  static let usual = "C.UTF-8"

  /// Whether one of these variables decides it (locale(7)).
  static func isSet(in names: some Sequence<String>) -> Bool {
    names.contains { ["LANG", "LC_ALL", "LC_CTYPE"].contains($0) }
  }
}

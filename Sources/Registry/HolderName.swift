// The name of what holds a session's terminal, as records have it.

/// A holder's name: the start of its machine and its own identity, such as `BOOT-ID/IDENTITY`. It changes with each
/// start of either, so that sessions may live for as long as their node has the same one.
public enum HolderName {
  /// 1 to 128 visible characters of ASCII.
  public static func isValid(_ name: String) -> Bool {
    let bytes = name.utf8
    return (1...RegistryLimits.holderName).contains(bytes.count)
      && bytes.allSatisfy { (0x21...0x7e).contains($0) }
  }

  /// Nil for one that is not valid: what would make a record unreadable is not written.
  static func checked(_ name: String?) -> String? {
    name.flatMap { isValid($0) ? $0 : nil }
  }
}

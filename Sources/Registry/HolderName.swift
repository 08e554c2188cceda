// What holds a session's terminal, as records name it.

/// A holder's name: the start of its machine and its own identity, such as `BOOT-ID/IDENTITY`. Each start of either has
/// another, so that while a node has the same, its sessions may live.
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

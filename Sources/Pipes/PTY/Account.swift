// A user of this machine, as the password database knows it (getpwnam(3)).

import Glibc

public struct Account: Sendable, Equatable {
  public var name: String
  public var uid: UInt32
  public var gid: UInt32
  public var home: String
  public var shell: String
  /// All its groups.
  public var groups: [UInt32]

  /// Nil: there is no such user.
  public init?(named name: String) {
    guard
      let found = Self.look({ getpwnam_r(name, $0, $1, $2, $3) })
    else { return nil }
    self = found
  }

  /// Nil: there is no user of that number.
  public init?(uid: UInt32) {
    guard let found = Self.look({ getpwuid_r(uid, $0, $1, $2, $3) }) else { return nil }
    self = found
  }

  /// Whoever this process runs as; nil: a number without a name.
  public static let own = look { getpwuid_r(geteuid(), $0, $1, $2, $3) }

  private init(_ entry: passwd) {
    func text(_ value: UnsafeMutablePointer<CChar>?) -> String {
      value.map { String(cString: $0) } ?? ""
    }
    name = text(entry.pw_name)
    uid = entry.pw_uid
    gid = entry.pw_gid
    home = text(entry.pw_dir)
    shell = text(entry.pw_shell)
    var count: CInt = 256
    var groups = [gid_t](repeating: 0, count: Int(count))
    if getgrouplist(name, gid, &groups, &count) < 0, count > 0, count <= PipeLimits.groups {
      groups = [gid_t](repeating: 0, count: Int(count))
      if getgrouplist(name, gid, &groups, &count) < 0 { count = 0 }
    }
    self.groups = Array(groups.prefix(Int(max(0, count))))
  }

  private static func look(
    _ body: (
      UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
      UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> CInt
  ) -> Account? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    // The entry points into the buffer.
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: PipeLimits.account) { buffer in
      guard let base = buffer.baseAddress, body(&entry, base, buffer.count, &found) == 0,
        found != nil
      else { return nil }
      return Account(entry)
    }
  }
}

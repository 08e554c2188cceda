// What a command takes from the context that is in use, where neither an option nor the environment says it.

import Synchronization

enum ContextValues {
  /// Names, as those of the environment's variables without FAIRLEAD_, that a context may have. A role takes none: it is
  /// told by its options and its environment alone.
  static let names = [
    "API", "TOKEN_FILE", "CA", "CERT", "KEY", "REDIS", "CLUSTER", "REDIS_PASSWORD_FILE",
    "REDIS_SENTINEL_PASSWORD_FILE", "REDIS_CA",
    "REDIS_CERT", "REDIS_KEY", "CLUSTER_KEY_FILE", "LINK_CERT", "LINK_KEY", "LINK_CA", "OUTPUT",
  ]

  private static let used = Mutex<[String: String]>([:])

  static func use(_ values: [String: String]) { used.withLock { $0 = values } }

  static func value(_ name: String) -> String? { used.withLock { $0[name] } }
}

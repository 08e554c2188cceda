// What a command takes from the context that is in use, where neither an option nor the environment says it; one that its
// command line names goes before the environment.

import Synchronization

enum ContextValues {
  /// Names, as those of the environment's variables without FAIRLEAD_, that a context may have. A role takes none: it is
  /// told by its options and its environment alone.
  static let names = [
    "API", "TOKEN_FILE", "CA", "CERT", "KEY", "REDIS", "CLUSTER", "REDIS_PASSWORD_FILE",
    "REDIS_SENTINEL_PASSWORD_FILE", "REDIS_CA",
    "REDIS_CERT", "REDIS_KEY", "CLUSTER_KEY_FILE", "LINK_CERT", "LINK_KEY", "LINK_CA", "OUTPUT",
  ]

  /// A context in use.
  struct Context: Sendable {
    var name: String
    var values: [String: String]
    /// The command line names it.
    var isNamed: Bool
  }

  private static let used = Mutex<Context?>(nil)

  static var context: Context? { used.withLock { $0 } }

  static func use(_ context: Context) { used.withLock { $0 = context } }

  static func value(_ name: String) -> String? { context?.values[name] }

  /// What goes before the environment; nil: nothing does.
  static func overriding(_ name: String) -> String? {
    context.flatMap { $0.isNamed ? $0.values[name] : nil }
  }
}

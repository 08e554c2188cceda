// What is known of a request: whose it is.

import Auth
public import Hummingbird

/// Hummingbird's context, with who asks.
public struct APIContext: RequestContext {
  public var coreContext: CoreRequestContextStorage
  /// Where from, for the audit log.
  var from = "local"
  var identity: Result<Principal, AuthError> = .failure(AccessControl.open.missing)

  public init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
  }

  /// The cluster as who asks may use it.
  /// - Throws: `AuthError` when nobody is known to ask.
  func cluster(_ operations: any ClusterOperations) throws -> any ClusterOperations {
    operations.acting(for: Caller(principal: try identity.get(), from: from))
  }
}

// What to do about a failure of the HTTP API, said behind it: who has options and commands, and not requests, before
// them. Pure, but for where the commands ask.

import APIClient
import ArgumentParser
import Client
import Synchronization

enum NextStep {
  /// Where the API was looked for, and whether somebody had said so.
  struct Place: Sendable {
    var url: String
    var isNamed: Bool
  }

  private static let place = Mutex<Place?>(nil)

  static func asked(at url: String, isNamed: Bool) {
    place.withLock { $0 = Place(url: url, isNamed: isNamed) }
  }

  /// The failure, and what to do.
  static func advised(_ error: APIError) -> String {
    let place = place.withLock { $0 }
    switch (error.code, error.missing) {
    case (.unreachable, _), (.notUnderstood, _):
      let seen: Seen? =
        switch error.seen {
        case .plainText: .plainText
        case .silentEnd: .silentEnd
        case nil: nil
        }
      return error.message + (place.map { "; " + unreachable($0, seen) } ?? "")
    case (.failed(_, "tls_required"), _):
      return error.message + (place.map { "; " + unreachable($0, .tls) } ?? "")
    // Another token is of no more use there.
    case (.failed(status: 401, "token_no_keys"), _): return error.message
    case (.failed(status: 401, _), _): return "\(error.message); \(token)"
    case (.failed, .session):
      return "\(error.message); `fairlead sessions` lists those that there are"
    case (.failed, .node): return "\(error.message); `fairlead nodes` lists those that are"
    case (.failed, .client): return "\(error.message); `fairlead clients` lists those that are"
    case (.failed, nil): return error.message
    }
  }

  /// Of a router that was asked for without success.
  static func unreachable(_ code: ClientErrorCode) -> String {
    let seen: Seen? =
      switch code {
      case .plainText: .plainText
      case .tlsRequired: .tls
      case .badURL, .notConnected, .closed: nil
      }
    return place.withLock { $0 }.map { "; " + unreachable($0, seen) } ?? ""
  }

  /// What is there instead.
  enum Seen { case plainText, tls, silentEnd }

  static let token =
    "show one by --token-file FILE or FAIRLEAD_TOKEN; to a `fairlead serve` of the same user none is needed"

  static func unreachable(_ place: Place, _ seen: Seen?) -> String {
    switch seen {
    case .plainText:
      return "there it may be \(place.url.replacing("https://", with: "http://"))"
    case .tls: return "it is \(place.url.replacing("http://", with: "https://"))"
    // As servers that take TLS only end a connection.
    case .silentEnd where place.url.hasPrefix("http://"):
      return "if it takes TLS only, it is \(place.url.replacing("http://", with: "https://"))"
    case .silentEnd, nil:
      return place.isNamed
        ? "does one run there? --api or FAIRLEAD_API says where the commands ask"
        : "start one by `fairlead serve`, or say where one is: --api URL or FAIRLEAD_API"
    }
  }
}

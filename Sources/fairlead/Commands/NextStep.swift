// What to do about a failure of the HTTP API, said behind it: who has options and commands, and not requests, before
// them. Pure, but for where the commands ask.

import APIClient
import ArgumentParser
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
    switch error.code {
    case .unreachable, .notUnderstood:
      return error.message
        + (place.map { "; " + unreachable($0, because: error.message) } ?? "")
    case .failed(_, "tls_required"):
      return error.message + (place.map { "; " + unreachable($0, because: error.message) } ?? "")
    case .failed(status: 401, _): return "\(error.message); \(token)"
    case .failed(status: 404, _) where error.message.hasPrefix("no session"):
      return "\(error.message); `fairlead sessions` lists those that there are"
    case .failed(status: 404, _) where error.message.hasPrefix("no node"):
      return "\(error.message); `fairlead nodes` lists those that are"
    case .failed: return error.message
    }
  }

  /// Of a router that was asked for without success.
  static func unreachable(_ reason: String) -> String {
    place.withLock { $0 }.map { "; " + unreachable($0, because: reason) } ?? ""
  }

  static let token =
    "show one by --token-file FILE or FAIRLEAD_TOKEN; to a `fairlead serve` of the same user none is needed"

  static func unreachable(_ place: Place, because reason: String) -> String {
    if reason.contains("does not speak TLS") {
      return "there it may be \(place.url.replacing("https://", with: "http://"))"
    }
    if reason.contains("speaks TLS") {
      return "it is \(place.url.replacing("http://", with: "https://"))"
    }
    // Other servers end such a connection without a word.
    if place.url.hasPrefix("http://"), reason.contains("was closed before the answer") {
      return "if it takes TLS only, it is \(place.url.replacing("http://", with: "https://"))"
    }
    return place.isNamed
      ? "does one run there? --api or FAIRLEAD_API says where the commands ask"
      : "start one by `fairlead serve`, or say where one is: --api URL or FAIRLEAD_API"
  }
}

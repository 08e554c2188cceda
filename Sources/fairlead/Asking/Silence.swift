// Which routers gave this command no answer, and why: who kept it waiting is not waited for again by its next question,
// and what was said of it once is not said again.

import APIClient
import Synchronization

enum Silence {
  private struct Router {
    var error: APIError
    var since: ContinuousClock.Instant
    /// It did not refuse, which costs no time.
    var keptWaiting: Bool
  }

  private static let routers = Mutex<[String: Router]>([:])
  private static let said = Mutex<Set<String>>([])

  /// The answer of the router at `url`; of one that kept this command waiting a moment ago, the same failure again.
  static func minding<Answer: Sendable>(
    _ url: String, _ ask: () async throws -> Answer
  ) async throws -> Answer {
    let url = plain(url)
    let known = routers.withLock { $0[url] }
    let start = ContinuousClock.now
    if let known, known.keptWaiting, start - known.since < CommandLimits.silence {
      throw known.error
    }
    do {
      let answer = try await ask()
      routers.withLock { $0[url] = nil }
      return answer
    } catch let error as APIError where error.code == .unreachable {
      let router = Router(
        error: error, since: .now,
        keptWaiting: ContinuousClock.now - start >= CommandLimits.noticedWait)
      routers.withLock { $0[url] = router }
      throw error
    }
  }

  /// Where no router answered when it was asked last.
  static var urls: [String] { routers.withLock { $0.keys.sorted() } }

  static func isSilent(_ url: String) -> Bool { routers.withLock { $0[plain(url)] != nil } }

  /// Whether two URLs are the same place.
  static func isSame(_ a: String, _ b: String) -> Bool { plain(a) == plain(b) }

  private static func plain(_ url: String) -> String {
    url.hasSuffix("/") ? String(url.dropLast()) : url
  }

  /// Says on standard error how an answer was come by: once, however often it is.
  static func say(_ text: String) {
    if said.withLock({ $0.insert(text).inserted }) { complain(printable(text)) }
  }
}

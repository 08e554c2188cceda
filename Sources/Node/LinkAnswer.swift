// Answers to the HTTP API's questions. A part is made when its turn on the link comes, so that a long
// answer is neither made nor kept at once, and short ones do not wait for it.

import NIOCore
import Wire

protocol LinkAnswer {
  /// Makes the next part. It is not called again after the part that `isLast`.
  mutating func next() -> LinkResponse
}

/// A list of sessions, each as it is when its part is made. Those that have gone by then are left out.
struct SessionsAnswer: LinkAnswer {
  let id: UInt64
  /// Nil: the session is no more.
  let summary: (SessionID) -> SessionSummary?
  private var rest: ArraySlice<SessionID>
  /// A summary that was too long for the part before.
  private var postponed: SessionSummary?

  init(id: UInt64, _ sessions: [SessionID], summary: @escaping (SessionID) -> SessionSummary?) {
    self.id = id
    self.summary = summary
    rest = sessions[...]
  }

  mutating func next() -> LinkResponse {
    var part: [SessionSummary] = []
    var size = 0
    while let summary = postponed ?? nextSummary() {
      let cost = summary.jsonBound
      // One alone fits in a part whatever it holds: WireLimits.responseEnvelope.
      if !part.isEmpty, size + cost > WireLimits.frameBody {
        postponed = summary
        return LinkResponse(id: id, isLast: false, sessions: part)
      }
      postponed = nil
      size += cost
      part.append(summary)
    }
    return LinkResponse(id: id, isLast: true, sessions: part)
  }

  private mutating func nextSummary() -> SessionSummary? {
    while let session = rest.popFirst() {
      if let summary = summary(session) { return summary }
    }
    return nil
  }
}

/// An answer of one part, which was made when the question came.
struct ShortAnswer: LinkAnswer {
  let part: LinkResponse
  func next() -> LinkResponse { part }
}

/// A text in parts that fit in a frame however JSON escapes them.
struct TextAnswer: LinkAnswer {
  let id: UInt64
  private var rest: Substring

  init(id: UInt64, text: String) {
    self.id = id
    rest = text[...]
  }

  mutating func next() -> LinkResponse {
    let part = rest.clipped(to: NodeLimits.textPart)
    rest = Substring(rest.utf8.dropFirst(part.utf8.count))
    return LinkResponse(id: id, isLast: rest.isEmpty, text: part)
  }
}

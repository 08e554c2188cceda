// One question to Redis for all who ask the same at the same time. Who comes while it is under way has the answer to the
// next one, which is asked after all of them came: so no answer is older than its question, and of each question one is
// under way and one waits, however many ask.

import NIOConcurrencyHelpers

final class SharedAnswers<Question: Hashable & Sendable, Answer: Sendable>: Sendable {
  private struct Turns {
    var underWay: Task<Answer, any Error>
    var next: Task<Answer, any Error>?
  }

  private let turns = NIOLockedValueBox<[Question: Turns]>([:])

  func answer(
    _ question: Question, _ ask: @escaping @Sendable () async throws -> Answer
  ) async throws -> Answer {
    let task = turns.withLockedValue { turns in
      guard let own = turns[question] else {
        let first = Task {
          defer { end(question) }
          return try await ask()
        }
        turns[question] = Turns(underWay: first)
        return first
      }
      if let next = own.next { return next }
      let next = Task {
        _ = await own.underWay.result
        defer { end(question) }
        return try await ask()
      }
      turns[question]?.next = next
      return next
    }
    return try await task.value
  }

  /// The one that waits, if any, is under way now: who comes from here on waits for another.
  private func end(_ question: Question) {
    turns.withLockedValue { turns in
      turns[question] = turns[question]?.next.map { Turns(underWay: $0) }
    }
  }
}

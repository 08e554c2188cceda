// What a command that takes its time says meanwhile, to a person: a line on standard error that is taken away again.

import Glibc

enum Progress {
  /// Runs `body`; where it takes longer than a moment, a line says what is waited for, and for how long.
  static func during<Result: Sendable>(
    _ what: String, _ body: () async throws -> Result
  ) async rethrows -> Result {
    guard isatty(STDERR_FILENO) == 1 else { return try await body() }
    let line = Task {
      let start = ContinuousClock.now
      while !Task.isCancelled {
        do { try await Task.sleep(for: CommandLimits.progressInterval) } catch { return }
        let seconds = (ContinuousClock.now - start).components.seconds
        // Whole, and without an end of line: the next one takes its place.
        write("\r\u{1b}[K\(printable(what)) (\(seconds) s)")
      }
    }
    defer {
      line.cancel()
      write("\r\u{1b}[K")
    }
    return try await body()
  }

  private static func write(_ text: String) {
    var text = text
    text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

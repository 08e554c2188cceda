// Lines for people: what a command has to say on standard output, what went wrong on standard error.
// Written at once, since standard output may be a pipe that someone waits on.

import Glibc
import Logs

/// What a role says once it serves: it must not wait for who reads it, as commands may.
func announce(_ line: String) { LogWriter.standardOutput.write(line) }

func say(_ line: String) { write(line, to: STDOUT_FILENO) }

func complain(_ line: String) { write(line, to: STDERR_FILENO) }

private func write(_ line: String, to descriptor: CInt) {
  let bytes = Array((line + "\n").utf8)
  var written = 0
  while written < bytes.count {
    let count = bytes.withUnsafeBytes {
      Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
    }
    guard count > 0 else { return }
    written += count
  }
}

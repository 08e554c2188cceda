// A shell in a session, as a test uses it: type a line, read exactly what it prints.

import Client
import NIOCore
import TestSupport
import Wire

struct LiveTerminal {
  /// A shell that keeps variables and prints nothing of its own: no prompt, no echo.
  static let shell = Creation(command: [
    "sh", "-c", "stty -echo; echo ready; while read -r line; do eval \"$line\"; done",
  ])

  let client: TerminalClient
  let stream: TerminalStream
  var reader: ExactReader

  /// Creates the session, and waits for its shell.
  static func create(_ id: SessionID, at front: Front) async throws -> LiveTerminal {
    var terminal = try LiveTerminal(Open(session: id, create: shell, size: .standard), at: front)
    try await terminal.reader.read(upTo: "ready\r\n")
    return terminal
  }

  /// Attaches to a session that is there.
  static func attach(_ id: SessionID, at front: Front) throws -> LiveTerminal {
    try LiveTerminal(Open(session: id, size: .standard), at: front)
  }

  private init(_ open: Open, at front: Front) throws {
    client = try front.client
    stream = client.open(open)
    reader = ExactReader(stream)
  }

  /// Has the shell print `text`, in which it puts in its variables, and expects `printed`.
  mutating func echo(_ text: String, prints printed: String? = nil) async throws {
    try await stream.type("echo \(text)\n")
    try await reader.read(upTo: "\(printed ?? text)\r\n")
  }

  mutating func run(_ line: String) async throws { try await stream.type(line + "\n") }

  /// How the stream ends.
  mutating func end() async throws -> ExactReader.End { try await reader.end() }
}

// The audit log: one JSON object per line for every open, create, kill, drain and refusal. No contents
// and no secrets: neither what was typed or started, nor any part of a token.

import FoundationEssentials
import Glibc

public struct AuditEvent: Sendable, Equatable, Codable {
  public enum What: String, Sendable, Codable {
    case open, create, kill, drain, undrain, ticket, login, connect, renew, list, screen, inspect
  }
  /// Milliseconds since 1970.
  public var time: UInt64 = 0
  public var what: What
  /// The subject; absent: not known, or authentication is off.
  public var who: String?
  /// The client's address.
  public var from: String
  public var session: String?
  public var node: String?
  public var target: String?
  /// `ok`, or the code of the refusal.
  public var result: String
  /// Why it was refused.
  public var message: String?

  public init(
    _ what: What, who: String?, from: String, session: String? = nil, node: String? = nil,
    target: String? = nil, result: String = "ok", message: String? = nil
  ) {
    self.what = what
    self.who = who
    self.from = from
    self.session = session
    self.node = node
    self.target = target
    self.result = result
    self.message = message
  }
}

/// Writes on a task of its own, so that no event loop waits for a disk. Every batch opens the file
/// anew for appending: it can be moved away at any time.
public final class AuditLog: Sendable {
  /// Lines that wait for the disk, of some 200 bytes. What does not fit is counted, and the count
  /// is written.
  static let waiting = 10_000

  private let continuation: AsyncStream<AuditEvent>.Continuation
  private let writer: Task<Void, Never>

  /// - Parameters:
  ///   - path: of the file; `-` is standard output.
  ///   - report: called with what went wrong when lines could not be written.
  /// - Throws: ``AuthError`` `key_file` when it cannot be written.
  public init(path: String, report: @escaping @Sendable (String) -> Void) throws(AuthError) {
    // What cannot be written must be known at the start, not at the first refusal.
    if path != "-" {
      let descriptor = Self.open(path)
      guard descriptor >= 0 else {
        throw AuthError(.keyFile, "--audit-log \(path) cannot be written")
      }
      Glibc.close(descriptor)
    }
    let (stream, continuation) = AsyncStream.makeStream(
      of: AuditEvent.self, bufferingPolicy: .bufferingOldest(Self.waiting))
    self.continuation = continuation
    writer = Task.detached {
      for await event in stream {
        if !Self.append(event, to: path) { report("an audit line could not be written to \(path)") }
      }
    }
    dropped = report
  }

  private let dropped: @Sendable (String) -> Void

  public func record(_ event: AuditEvent) {
    var event = event
    event.time = UInt64(max(0, wallClock() * 1_000))
    if case .dropped = continuation.yield(event) {
      dropped("the audit log does not keep up: a line was lost")
    }
  }

  /// Writes what waits, and ends.
  public func close() async {
    continuation.finish()
    await writer.value
  }

  private static func open(_ path: String) -> Int32 {
    Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
  }

  static func line(_ event: AuditEvent) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array((try? encoder.encode(event)) ?? Data()) + [0x0A]
  }

  private static func append(_ event: AuditEvent, to path: String) -> Bool {
    let line = line(event)
    let descriptor = path == "-" ? STDOUT_FILENO : open(path)
    guard descriptor >= 0 else { return false }
    defer { if path != "-" { Glibc.close(descriptor) } }
    // One write of one line: O_APPEND keeps lines of several processes apart.
    return line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == line.count
  }
}

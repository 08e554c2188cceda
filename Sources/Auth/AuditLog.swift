// The audit log: one JSON object per line for every open, create, kill, drain and refusal. No contents
// and no secrets: neither what was typed or started, nor any part of a token.

import Logs
public import Wire

public struct AuditEvent: Sendable, Equatable, Codable {
  public enum What: String, Sendable, Codable {
    case open, create, kill, drain, undrain, cordon, ticket, login, connect, renew, screen, inspect
    case kick, repair
    /// Not an operation: lines before this one are missing.
    case dropped
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
  /// Whom the session's process was to run as, where `create` said so.
  public var user: String?
  /// `ok`, or the code of the refusal.
  public var result: String
  /// Why it was refused.
  public var message: String?

  public init(
    _ what: What, who: String?, from: String, session: String? = nil, node: String? = nil,
    target: String? = nil, user: String? = nil, result: String = "ok", message: String? = nil
  ) {
    self.what = what
    self.who = who
    self.from = from
    self.session = session
    self.node = node
    self.target = target
    self.user = user
    self.result = result
    self.message = message
  }
}

/// Hands its lines to a thread of its own, so that no event loop waits for a disk (`LogWriter`). Every
/// batch opens the file anew for appending: it can be moved away at any time. Lines that did not fit are
/// counted, and a line says how many.
public final class AuditLog: Sendable {
  private let writer: LogWriter

  /// - Parameters:
  ///   - path: of the file; `-` is standard output.
  ///   - report: called with what went wrong when lines could not be written, once until they can.
  /// - Throws: ``AuthError`` `key_file` when it cannot be written.
  public convenience init(
    path: String, report: @escaping @Sendable (String) -> Void
  ) throws(AuthError) {
    // What cannot be written must be known at the start, not at the first refusal.
    if path != "-", let problem = LogWriter.problem(writing: path) {
      throw AuthError(.keyFile, "--audit-log \(path) cannot be written: \(problem)")
    }
    if path == "-" {
      LogWriter.standardOutput.setNotice(Self.notice)
      self.init(writer: .standardOutput)
    } else {
      self.init(
        writer: LogWriter(.file(path), notice: Self.notice) {
          report("audit lines cannot be written to \(path) and are lost: \($0)")
        })
    }
  }

  init(writer: LogWriter) { self.writer = writer }

  public func record(_ event: AuditEvent) {
    var event = event
    event.time = Self.now
    writer.write(jsonLine(event))
  }

  /// Writes what waits, for a bounded time.
  public func close() { writer.flush() }

  private static var now: UInt64 { WallClock.milliseconds }

  private static func notice(_ count: Int) -> String {
    var event = AuditEvent(
      .dropped, who: nil, from: "local", result: "dropped",
      message: "\(count) lines were dropped: they came faster than they could be written")
    event.time = now
    return String(decoding: jsonLine(event), as: UTF8.self)
  }
}

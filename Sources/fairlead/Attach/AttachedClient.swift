// A session on this process's terminal: output and input each move in a task of their own, so that
// neither holds up the other, and whatever ends it first decides what is said at the end.

import API
import APIClient
import ArgumentParser
import Client
import NIOCore
import TLS
import UnixSignals
import Wire

struct AttachedClient {
  let api: APIOptions
  let open: Open
  /// The size was asked for; this terminal's is not followed.
  let fixedSize: Bool
  /// How long it is tried where it cannot be opened just now.
  let wait: Duration

  func run() async throws {
    let tls = try api.tls()
    let client: TerminalClient
    do {
      client = try TerminalClient(url: api.api, tls: tls, token: api.token)
    } catch {
      throw ValidationError("--api: \(error)")
    }
    let stream = client.open(open, startsAnew: true)
    let (outcomes, finish) = AsyncStream.makeStream(of: AttachOutcome.self)
    let screen = AttachedScreen(
      session: stream.session, isNew: open.create != nil, isWatching: open.mode == .watcher,
      waiting: Waiting(atMost: wait), giveUp: { finish.yield($0) })
    let tasks = [
      Task {
        for await event in stream.events {
          if let outcome = await screen.show(event) { finish.yield(outcome) }
        }
      },
      Task { if let outcome = await type(into: stream, screen) { finish.yield(outcome) } },
      Task { await followSize(stream, screen) },
    ]
    let outcome = await outcomes.first { _ in true } ?? .closed("cancelled")
    for task in tasks { task.cancel() }
    await screen.restore()
    await within(CommandLimits.goodbye) { try? await client.close() }
    RawTerminal.leave()
    try await report(outcome, undelivered: screen.undelivered, stream.session)
  }

  // MARK: Input

  private func type(into stream: TerminalStream, _ screen: AttachedScreen) async -> AttachOutcome? {
    if RawTerminal.isInputTerminal { return await typeKeys(into: stream, screen) }
    if open.mode == .watcher { return nil }
    let input = StandardInput()
    var hasTyped = false
    for await piece in input.pieces {
      hasTyped = true
      do { try await stream.type(ByteBuffer(bytes: piece)) } catch { return nil }
      input.release()
    }
    // A command that was started for its exit code is waited for, and so is a session into which
    // there was nothing to type: a script has /dev/null as its input.
    let isAwaited = open.create.map { !$0.command.isEmpty } ?? false
    if isAwaited || !hasTyped { return nil }
    do { try await stream.flush() } catch { return nil }
    await screen.waitForQuiet(of: CommandLimits.quiet)
    return .detached
  }

  private func typeKeys(into stream: TerminalStream, _ screen: AttachedScreen) async
    -> AttachOutcome?
  {
    // The first keys are read when the terminal is in raw mode: not a line at a time.
    await screen.waitUntilLive()
    let input = StandardInput()
    var keys = EscapeKeys()
    let (pieces, merged) = AsyncStream.makeStream(of: [UInt8].self)
    let reader = Task {
      for await piece in input.pieces {
        input.release()
        let typed = await screen.filter(piece) { merged.yield($0) }
        if !typed.isEmpty { merged.yield(typed) }
      }
      merged.finish()
    }
    defer { reader.cancel() }
    for await piece in pieces {
      for action in keys.read(piece) {
        switch action {
        case .detach: return .detached
        case .help: await screen.show(help: EscapeKeys.help)
        case .type(let bytes):
          if open.mode != .watcher { stream.post(ByteBuffer(bytes: bytes)) }
        case .interrupt(let byte):
          if open.mode != .watcher {
            stream.interrupt(ByteBuffer(bytes: [byte]))
          } else if byte == 0x03 {
            return .detached
          }
        }
      }
    }
    return .closed("standard input has ended")
  }

  private func followSize(_ stream: TerminalStream, _ screen: AttachedScreen) async {
    guard RawTerminal.size != nil else { return }
    for await _ in await UnixSignalsSequence(trapping: .sigwinch) {
      guard let size = RawTerminal.size else { continue }
      await screen.resized(to: size)
      if !fixedSize { stream.resize(size) }
    }
  }

  // MARK: The end

  private func report(_ outcome: AttachOutcome, undelivered: [UInt8], _ session: SessionID)
    async throws
  {
    if !undelivered.isEmpty { complain("[fairlead: \(Self.told(undelivered: undelivered))]") }
    switch outcome {
    case .detached:
      complain("[fairlead: detached from \(session); back with: fairlead attach \(session)]")
    case .ended(let ended):
      let status = ended.status.map { ", \($0)" } ?? ""
      let why = ended.message.map { ": \(printable($0))" } ?? ""
      complain(
        "[fairlead: session \(session) has ended (\(printable(ended.reason.rawValue))\(status))\(why)]"
      )
      let code = Self.exitCode(reason: ended.reason, ended.status)
      if code != ExitCode.success { throw code }
    case .refused(let refused):
      let words = await explained(refused, session)
      complain("Error: \(printable(words))\(Self.advice(refused, session))")
      throw refused.code == .gone ? Self.exitCode(reason: .exited, refused.status) : .own
    case .closed(let reason):
      // By its code; a reason has no room for what to do (RFC 6455, section 5.5).
      let next =
        reason.hasPrefix("token_") && !reason.hasPrefix("token_no_keys")
        ? "; \(NextStep.token)" : ""
      complain("[fairlead: left \(session): \(printable(reason))\(next)]")
      throw ExitCode.own
    case .replaced:
      complain(
        "Error: session \(session) has ended, and another process runs under its name since: "
          + "fairlead attach \(session)")
      throw ExitCode.own
    case .neverConnected(let reason, let code):
      complain(
        "Error: no router answers at \(api.api): \(printable(reason))\(NextStep.unreachable(code))")
      throw ExitCode.own
    case .gaveUp(let reason):
      complain(
        "Error: session \(session) is not open: \(printable(reason)); see fairlead nodes, or wait longer: "
          + "--wait 10m")
      throw ExitCode.own
    }
  }

  /// What was typed, as the user may type it again.
  static func told(undelivered bytes: [UInt8]) -> String {
    let text = String(decoding: bytes.prefix(CommandLimits.shownInput), as: UTF8.self)
    let more = bytes.count > CommandLimits.shownInput ? ", and more" : ""
    return "typed, and perhaps not delivered (\(bytes.count) bytes): \(printable(text))\(more)"
  }

  /// The process's own code; 128 and its number for a signal; Fairlead's where the process's is not
  /// known, as after the loss of its node.
  static func exitCode(reason: EndReason, _ status: ExitStatus?) -> ExitCode {
    switch status {
    case .exited(let code) where (0...255).contains(code) && reason != .lost:
      ExitCode(Int32(code))
    case .signalled(let number) where (1...127).contains(number) && reason != .lost:
      ExitCode(128 + Int32(number))
    default: .own
    }
  }

  /// Of one that has ended the HTTP API tells more than a refusal does.
  private func explained(_ refused: Refused, _ session: SessionID) async -> String {
    if refused.code == .gone || refused.code == .lost {
      do {
        _ = try await api.client().session(session)
      } catch let error as APIError where error.facts?.reason != nil {
        return error.message
      } catch {}
    }
    return refused.message + (refused.status.map { " (\($0))" } ?? "")
  }

  /// What to do about a refusal.
  private static func advice(_ refused: Refused, _ session: SessionID) -> String {
    switch refused.code {
    case .notFound:
      "; see fairlead sessions, or start it: fairlead new --session \(session)"
    case .gone, .lost: "; start it anew: fairlead new --session \(session)"
    case .exists where refused.state == .ended:
      "; see fairlead screen \(session); fairlead kill \(session) frees its name"
    case .exists:
      "; enter it by fairlead attach \(session), or say --attach to take it as it is"
    default: ""
    }
  }
}

extension ExitCode {
  /// Fairlead's own failure, where other codes are those of a session's process, as `ssh` has it.
  static let own = ExitCode(255)
}

/// Runs what ends by the exit code of a session's process: a failure of Fairlead's own is told apart
/// from those. A misused command is still one (64).
func passingOnExitCodes(_ body: () async throws -> Void) async throws {
  do {
    try await body()
  } catch let code as ExitCode {
    throw code
  } catch let misuse as ValidationError {
    throw misuse
  } catch let ambiguous as APIOptions.Ambiguous {
    throw ambiguous
  } catch let error as APIError {
    complain("Error: \(printable(NextStep.advised(error)))")
    throw ExitCode.own
  } catch {
    complain("Error: \(printable("\(error)"))")
    throw ExitCode.own
  }
}

/// Runs `work`, but goes on without it after `limit`.
func within(_ limit: Duration, _ work: @escaping @Sendable () async -> Void) async {
  let (done, finish) = AsyncStream.makeStream(of: Void.self)
  let tasks = [
    Task {
      await work()
      finish.finish()
    },
    Task {
      try? await Task.sleep(for: limit)
      finish.finish()
    },
  ]
  for await _ in done {}
  for task in tasks { task.cancel() }
}

// A session on this process's terminal: output and input each move in a task of their own, so that
// neither holds up the other, and whatever ends it first decides what is said at the end.

import ArgumentParser
import Client
import NIOCore
import TLS
import UnixSignals
import Wire

struct Attachment {
  let url: String
  let tls: TLSContext?
  let token: @Sendable () -> String?
  let open: Open
  /// The size was asked for; this terminal's is not followed.
  let fixedSize: Bool

  /// How it ended.
  enum Outcome: Sendable {
    case detached
    case ended(Ended)
    case refused(Refused)
    case closed(String)
    case neverConnected(String)
  }

  func run() async throws {
    let client: TerminalClient
    do {
      client = try TerminalClient(url: url, tls: tls, token: token)
    } catch {
      throw ValidationError("--api: \(error)")
    }
    let stream = client.open(open)
    let (outcomes, finish) = AsyncStream.makeStream(of: Outcome.self)
    let screen = AttachedScreen(
      session: stream.session, isNew: open.create != nil, isWatching: open.mode == .watcher)
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
    await within(.seconds(2)) { try? await client.close() }
    RawTerminal.leave()
    try await report(outcome, doubt: screen.doubtfulBytes, stream.session)
  }

  // MARK: Input

  private func type(into stream: TerminalStream, _ screen: AttachedScreen) async -> Outcome? {
    if RawTerminal.isInputTerminal { return await typeKeys(into: stream, screen) }
    if open.mode == .watcher { return nil }
    let input = StandardInput()
    for await piece in input.pieces {
      do { try await stream.type(ByteBuffer(bytes: piece)) } catch { return nil }
      input.release()
    }
    do { try await stream.flush() } catch { return nil }
    await screen.waitForQuiet(of: .seconds(1))
    return .detached
  }

  private func typeKeys(into stream: TerminalStream, _ screen: AttachedScreen) async -> Outcome? {
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

  private func report(_ outcome: Outcome, doubt: Int, _ session: SessionID) throws {
    if doubt > 0 { complain("[fairlead: \(doubt) bytes typed may not have reached the process]") }
    switch outcome {
    case .detached:
      complain("[fairlead: detached from \(session); back with: fairlead attach \(session)]")
    case .ended(let ended):
      let status = ended.status.map { ", \($0)" } ?? ""
      let why = ended.message.map { ": \(printable($0))" } ?? ""
      complain("[fairlead: session \(session) has ended (\(ended.reason)\(status))\(why)]")
      if ended.reason == "lost" || ended.reason == "failed" { throw ExitCode.failure }
    case .refused(let refused):
      let status = refused.status.map { " (\($0))" } ?? ""
      complain("Error: \(printable(refused.message))\(status)")
      throw ExitCode.failure
    case .closed(let reason):
      complain("[fairlead: left \(session): \(printable(reason))]")
      throw ExitCode.failure
    case .neverConnected(let reason):
      complain("Error: no router answers at \(url): \(reason)")
      throw ExitCode.failure
    }
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

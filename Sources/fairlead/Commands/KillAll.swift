// `fairlead kill --all`: through the API, or, where a `serve` of this user does not run, through what holds its
// terminals.

import API
import APIClient
import ArgumentParser
import Client
import FoundationEssentials
import Glibc
import Logging
import Logs
import NIOCore
import NIOPosix
import Pipes
import Registry
import Wire

struct KillAll {
  let inquiry: Inquiry
  /// Nil: every one that runs.
  let filter: SessionFilter?
  /// Nobody is asked.
  let isConfirmed: Bool

  private var api: APIOptions { inquiry.api }

  func run() async throws {
    let list: SessionList
    do {
      list = try await inquiry.ask { try await $0.sessionList(filter ?? SessionFilter()) }.answer
    } catch let error as APIError where error.code == .unreachable && filter == nil {
      guard try await endHeld() else { throw error }
      return
    }
    // What is only remembered can be forgotten; it is meant only where it is asked for.
    let meant = list.sessions.filter {
      $0.state == .running || (filter != nil && ($0.state == .ended || $0.state == .lost))
    }
    for node in list.unanswered {
      complain("node \(node.node): \(printable(node.reason)); its sessions are not ended")
    }
    let away = list.sessions.count { [.held, .unreachable, .waiting].contains($0.state) }
    if away > 0 { complain("\(Self.sessions(away)) wait for a node, and cannot be ended now") }
    guard !meant.isEmpty else {
      say(filter == nil ? "no session runs there" : "there is no such session")
      if away > 0 || !list.unanswered.isEmpty { throw ExitCode.failure }
      return
    }
    let names = examples(of: meant.map(\.session))
    guard try confirms("end \(Self.sessions(meant.count)) (\(names))") else { return }
    let failed = try await inquiry.ask { await kill(meant.map(\.session), $0) }.answer
    let ending = meant.count - failed
    say("\(Self.sessions(ending)) \(ending == 1 ? "is" : "are") being ended")
    if failed > 0 || away > 0 || !list.unanswered.isEmpty { throw ExitCode.failure }
  }

  private static func sessions(_ count: Int) -> String {
    "\(count) session\(count == 1 ? "" : "s")"
  }

  /// False: nothing is done.
  /// - Throws: `ValidationError` where nobody can be asked.
  private func confirms(_ what: String) throws -> Bool {
    if isConfirmed { return true }
    guard isatty(STDIN_FILENO) == 1 else {
      throw ValidationError("say --yes to \(what): standard input is no terminal to ask at")
    }
    complain("This will \(what). Type yes to go on:")
    guard readLine() == "yes" else {
      complain("nothing was ended")
      return false
    }
    return true
  }

  // MARK: Through the API

  /// - Returns: how many could not be ended.
  private func kill(_ sessions: [SessionID], _ client: APIClient) async -> Int {
    var (done, failed) = (0, 0)
    var rest = sessions[...]
    var told = ContinuousClock.now
    await withTaskGroup(of: (SessionID, String?).self) { kills in
      func begin() {
        guard let session = rest.popFirst() else { return }
        kills.addTask { (session, await Self.problem(of: session, client)) }
      }
      for _ in 0..<CommandLimits.killsAtOnce { begin() }
      for await (session, problem) in kills {
        begin()
        done += 1
        if let problem {
          failed += 1
          complain("session \(session): \(printable(problem))")
        }
        if ContinuousClock.now - told >= CommandLimits.progressInterval {
          told = .now
          complain("\(done) of \(sessions.count)")
        }
      }
    }
    return failed
  }

  /// Why it was not ended; nil: it was, or had ended meanwhile.
  private static func problem(of session: SessionID, _ client: APIClient) async -> String? {
    do {
      try await client.kill(session)
      return nil
    } catch let error as APIError {
      if case .failed(let status, _) = error.code, status == 404 || status == 410 { return nil }
      return error.message
    } catch {
      return "\(error)"
    }
  }

  // MARK: Through the holder

  /// Ends what holders of this user keep for a `serve` that does not run.
  /// - Returns: false: there is none, or none of that server.
  private func endHeld() async throws -> Bool {
    guard let port = api.ownPort else { return false }
    let directory = HolderHome.usual(
      for: ServeCommand.scope(port: port), NodeOptions.processEnvironment)
    guard HolderHome.hasHolder(directory) else {
      let others = Self.otherPorts().map(String.init).joined(separator: ", ")
      if others.isEmpty { return false }
      throw ValidationError(
        "no fairlead serve runs at \(api.api), and none has left terminals there. Some are held for the one of port "
          + "\(others): start it on that port, or end them by fairlead kill --all --api http://127.0.0.1:PORT"
      )
    }
    try await end(in: directory, forgets: true)
    return true
  }

  /// Of other `serve` of this user, those that have left terminals here.
  private static func otherPorts() -> [Int] {
    let usual = URL(
      filePath: HolderHome.usual(
        for: ServeCommand.scope(port: 0), NodeOptions.processEnvironment))
    let folder = usual.deletingLastPathComponent().path
    let prefix = usual.lastPathComponent.dropLast()
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasPrefix(prefix) && HolderHome.hasHolder("\(folder)/\($0)") }
      .compactMap { Int($0.dropFirst(prefix.count)) }.sorted()
  }

  /// Ends what the holder in that directory keeps for a process that does not run.
  /// - Parameter forgets: nobody is to be told how they ended; else its process is, when it is started again.
  func end(in directory: String, forgets: Bool) async throws {
    guard HolderHome.hasHolder(directory) else {
      throw ValidationError("nothing holds terminals in \(directory)")
    }
    var logger = Logger(label: "kill") { TextLogHandler(label: $0) }
    logger.logLevel = .error
    let home: HolderHome
    do { home = try HolderHome(directory, logger: logger, patience: .zero) } catch let error
      as StateDirectoryError where error.code == .inUse
    {
      throw ValidationError(
        "a fairlead runs that keeps its terminals in \(directory): stop it first, or end its sessions through it: "
          + "fairlead kill --all --api URL")
    }
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let count = try await home.terminals(on: eventLoop)
    guard count > 0 else { return say("no terminal is held in \(directory)") }
    let terminals = "\(count) terminal\(count == 1 ? "" : "s")"
    guard try confirms("end \(terminals) held in \(directory)") else { return }
    let (ended, left) = try await home.endAll(forgets: forgets, on: eventLoop)
    say("\(ended) of \(terminals) held in \(directory) \(ended == 1 ? "has" : "have") ended")
    guard left == 0 else { throw ExitCode.failure }
  }
}

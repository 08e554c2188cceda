// What one session's node is asked: over its link, and again where the router was wrong about which node that is.

import API
import APIServer
import Auth
import NIOCore
import Registry
import Transport
import Wire

extension RouterOperations {
  func ask(
    _ id: SessionID, _ method: LinkRequest.Method, format: ScreenFormat? = nil,
    scrollback: UInt32? = nil, tail: UInt32? = nil
  ) async throws -> NodeAnswer {
    let request = LinkRequest(
      method: method, session: id, format: format, scrollback: scrollback, tail: tail,
      access: caller.principal.access(to: id))
    // The node may have forgotten the session that the router remembers there: then the registry knows.
    let first = try await put(request, about: id, doubting: false)
    let isUnknown =
      first.error == .notFound
      || (method == .sessions && first.error == nil && first.sessions.isEmpty)
    let answer = isUnknown ? try await put(request, about: id, doubting: true) : first
    switch answer.error {
    case .forbidden?:
      throw refusal(
        method == .kill ? .kill : .screen,
        "this token may not \(method == .kill ? "end" : "see") session \(id)", session: id)
    case .busy?:
      throw OperationError(.unavailable, "the session's node is busy with answers; try again")
    case .tooLarge?:
      throw OperationError(
        .badRequest, "this screen is too large in this format: ask for text, or fewer lines")
    case .notFound?: throw OperationError(.notFound, "no session \(id)")
    case let problem?:
      throw OperationError(
        .unavailable, "the session's node does not do this (\(problem.rawValue.escaped))")
    case nil: return answer
    }
  }

  /// - Parameters:
  ///   - doubting: the registry is asked, and what the router remembers counts only if that does not answer; done
  ///     again so, if the node does not answer.
  ///   - isAgain: the node was found to have been started anew.
  private func put(
    _ request: LinkRequest, about id: SessionID, doubting: Bool, isAgain: Bool = false
  ) async throws -> NodeAnswer {
    do {
      return try await loops.onLoop(for: id.rawValue) { loop in
        let promise = loop.eventLoop.makePromise(of: NodeAnswer.self)
        loop.routes.find(RouteQuestion(session: id, isDoubting: doubting)) { result in
          switch result {
          case .failure(let refusal): promise.fail(refusal)
          case .success(let route):
            loop.ask(route, request).flatMapErrorThrowing { error in
              throw Unanswered(node: route.node, cause: error)
            }.cascade(to: promise)
          }
        }
        return promise.futureResult
      }
    } catch let refusal as NoRoute {
      let refused = refusal.refused
      switch refused.code {
      case .gone, .lost: throw await gone(id, refused)
      case .notFound: throw OperationError(.notFound, refused.message)
      default:
        if !isAgain, try await findAtNodes(id) {
          return try await put(request, about: id, doubting: false, isAgain: true)
        }
        // Its node is away: how it ended is known all the same, and only its screen is not.
        if request.method != .screen, let remains = await context.end(of: id) {
          throw gone(id, remains)
        }
        throw OperationError(.unavailable, refused.message)
      }
    } catch let error as Unanswered where error.cause is NodeRestarted && !isAgain {
      return try await put(request, about: id, doubting: doubting, isAgain: true)
    } catch  where !doubting {
      return try await put(request, about: id, doubting: true)
    } catch {
      throw OperationError(.unavailable, "\(cause(of: error)); try again, and see `fairlead nodes`")
    }
  }

  // MARK: Where the registry does not answer

  /// Asks the nodes themselves which of them has the session, and remembers that one.
  /// - Returns: false: the registry answers, or none of them has it.
  private func findAtNodes(_ id: SessionID) async throws -> Bool {
    guard let nodes = context.lastNodes?.nodes, await !registryAnswers(of: id) else { return false }
    let report = await loops.ask(nodes, for: id)
    return report.record.map { remember(id, $0, among: nodes) } ?? false
  }

  private func registryAnswers(of id: SessionID) async -> Bool {
    guard context.registryAbsence == nil else { return false }
    do {
      _ = try await context.registry.lookUp(id)
      return true
    } catch {
      return false
    }
  }

  private func remember(
    _ id: SessionID, _ record: SessionRecord, among nodes: [NodeEntry]
  ) -> Bool {
    let directory = NodeDirectory(nodes)
    guard
      let route = directory.route(
        id, node: record.node, incarnation: record.incarnation, epoch: record.epoch)
    else { return false }
    context.remember(id, at: route, epoch: record.epoch)
    return true
  }

  /// Where a session is, as the nodes themselves say.
  /// - Parameter problem: why the registry was not asked.
  func locate(_ id: SessionID, without problem: OperationError) async throws -> SessionLocation {
    guard let last = context.lastNodes else { throw problem }
    let report = await loops.ask(last.nodes, for: id)
    guard let record = report.record else {
      let silent = report.unanswered.map(\.record.id.rawValue).joined(separator: ", ")
      throw OperationError(
        .unavailable,
        problem.message + "; no node that answers has session \(id)"
          + (silent.isEmpty ? "" : ", and these did not answer: \(silent)"))
    }
    return SessionLocation(
      session: id, node: record.node, why: .owner, epoch: record.epoch,
      explanation: "node \(record.node) (incarnation \(record.incarnation)) says that it has it; "
        + problem.message)
  }
}

/// A node that was asked about a session. No ``Failure``: nobody decides by it, and it becomes an ``OperationError``.
private struct Unanswered: Error, CustomStringConvertible {
  var node: NodeID
  var cause: any Error
  var description: String {
    let why = (cause as? WireError)?.message ?? Transport.cause(of: cause)
    return "node \(node), which has the session, does not answer: \(why)"
  }
}

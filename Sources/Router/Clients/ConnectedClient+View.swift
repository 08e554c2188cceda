// A client as an operator sees it.

import API
import Auth
import Registry
import Wire

extension ConnectedClient {
  var id: ClientID? { state.client }

  var streamCount: Int { streams.count }

  func view(at router: NodeID, _ incarnation: Incarnation) -> ClientView {
    let open = streams.values.filter { !$0.routed.isClosed }
    return ClientView(
      client: id, subject: state.principal?.subject, from: from, router: router,
      incarnation: incarnation, since: since, sessions: Set(open.map(\.routed.session)).sorted(),
      streams: open.count, waitingFrames: waitingFrames,
      waitingBytes: streams.values.reduce(door?.unflushed ?? 0) { $0 + $1.outgoing.bytes })
  }
}

extension Set<SessionID> {
  fileprivate func sorted() -> [SessionID] { sorted { $0.rawValue < $1.rawValue } }
}

// What a stream is told, what it asks for, and what it keeps of being open.

import Auth
import Registry
import Wire

extension RoutedStream {
  /// What happens to it.
  enum Event: Equatable {
    case client(Frame)
    case node(Frame)
    case found(Route)
    /// There is no way to the session's node, or no node for it.
    case notFound(Refused)
    /// The link is gone. `isRestart`: another start of the node answers; `isFinal`: every other link to that node would
    /// go, too. The reason is for the client of a first OPEN.
    case linkBroke(because: String, isRestart: Bool = false, isFinal: Bool = false)
    /// The node does not answer, though the link to it stands.
    case nodeHangs(because: String)
    case timeToRetry
    /// The client's token gives it this from now on.
    case reauthorized(Access)
    /// The client's connection has taken so many body bytes of what was delivered.
    case handedOver(UInt64)
    /// The client's connection has ended.
    case left(Close)
  }

  /// What it asks for, to be done in this order.
  enum Action: Equatable {
    /// Find the node, as its ``question`` says; `found` or `notFound` is the answer.
    case resolve
    /// Open it over the link to that node.
    indirect case open(Route, LinkOpen)
    /// Send this over the link on which it was opened.
    case send(Frame)
    /// Leave that link, with a CLOSE if the node does not know yet.
    indirect case leave(Close?)
    /// Send this to the client.
    case deliver(Frame)
    /// Tell it `timeToRetry` after a random part of that time.
    case retry(within: Duration)
    indirect case remember(SessionID, Route, Epoch)
    indirect case forget(SessionID)
    /// Note that the session was sent to this node as a new one and was not created there.
    indirect case noteRefused(by: NodeID)
    indirect case audit(AuditEvent)
    /// Drop what was delivered and has not gone out.
    case discard
    /// Nothing more will be asked for.
    case finish
  }

  /// Where a stream that was opened stands: what a reopening needs.
  struct Position {
    var life: Life
    /// The output offset after the last byte forwarded. Nil: a snapshot has begun, or been promised, and its last
    /// part has not come.
    var next: UInt64?
    var mayKill: Bool
  }

  enum Kill {
    case notAsked
    /// Asked for, and not sent yet.
    case wanted
    /// Sent: again after each reopening, since the link may have broken under it.
    case sent
  }
}

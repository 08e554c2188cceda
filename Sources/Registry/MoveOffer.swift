// What two nodes tell each other of a session that goes from one to the other: the next one is ready before the last one
// lets go, so that the session stands still for the moment only in which its record changes hands.

import Wire

/// How far a node has come with a session that another one wants it to have.
public struct MoveOffer: Hashable, Sendable {
  public enum State: String, Sendable {
    /// It is asked to get ready.
    case asked
    /// It reaches what holds the session, and knows what is there.
    case ready
    /// It does not, now.
    case refused
    /// The session's node has let go of it: it is this node's to take.
    case free
  }
  public var state: State
  /// What holds the session's terminal (``HolderName``).
  public var holder: String

  public init(_ state: State, holder: String) {
    self.state = state
    self.holder = holder
  }

  /// Written as `state holder`.
  init?(_ text: String) {
    let words = text.split(separator: " ", maxSplits: 1)
    guard words.count == 2, let state = State(rawValue: String(words[0])),
      HolderName.isValid(String(words[1]))
    else { return nil }
    self.init(state, holder: String(words[1]))
  }

  var text: String { "\(state.rawValue) \(holder)" }
}

// TAKE has no answer of its own: that it came is told by an EVENT that names the client as the one whose size the
// terminal has. Until then it may have been lost with a connection or a link, and is sent again at the next OPENED.

public struct SizeWish: Sendable, Equatable {
  private let client: ClientID
  /// By the last word of the server; nil: none came.
  private var sizeOwner: ClientID?
  /// TAKE is to be sent at the next OPENED.
  public private(set) var isOpen = false

  public init(of client: ClientID) { self.client = client }

  public mutating func take() { isOpen = sizeOwner != client }

  public mutating func hear(_ event: Event) {
    guard let named = event.sizeOwner else { return }
    // It came; or another client took the size since, and a late TAKE must not take it back.
    if named == client || sizeOwner != nil && sizeOwner != named { isOpen = false }
    sizeOwner = named
  }
}

extension Event {
  fileprivate var sizeOwner: ClientID? {
    switch self {
    case .viewers(_, let owner), .sizeOwner(let owner): owner
    default: nil
    }
  }
}

// A client with a terminal of its own, which keeps what that shows and what it was told, for tests that
// wait for something to appear. Whether it came as output or by a snapshot makes no difference.

public import Client
import NIOConcurrencyHelpers
import NIOCore
import Screen
import TestSupport
public import Wire

public final class Viewer: Sendable {
  public struct Seen: Sendable {
    /// The terminal's rows down to the cursor, and the cursor's row up to it.
    public var text = ""
    /// Bytes shown in all.
    public var shown = 0
    public var snapshots = 0
    public var opened: [Opened] = []
    public var sizes: [TerminalSize] = []
    /// Who is attached, and whose size the terminal has, as was told last.
    public var viewers: [Event.Viewer]?
    public var sizeOwner: ClientID?
    public var ended: Ended?
    /// What was told of a terminal that stands still; an empty word: that it goes on.
    public var stalls: [String] = []
    /// Why the stream was closed or refused.
    public var closed: String?
  }

  public let client: TerminalClient
  public let terminal: TerminalStream
  private let box = NIOLockedValueBox(Seen())
  private let reading: Task<Void, Never>

  /// - Parameter reads: false: it never takes what it is sent.
  public init(
    _ url: String, session: SessionID? = nil, create: Creation? = nil, id: ClientID = .random(),
    size: TerminalSize = .standard, mode: StreamMode = .driver, reads: Bool = true
  ) throws {
    client = try TerminalClient(url: url, id: id, delays: Trial.delays)
    terminal = client.open(Open(session: session, create: create, size: size, mode: mode))
    reading = Task { [terminal, box] in
      guard reads else { return }
      let screen = Screen(columns: size.columns, rows: size.rows, scrollback: 0)
      for await event in terminal.events {
        box.withLockedValue { Self.note(event, on: screen, &$0) }
      }
    }
  }

  public var seen: Seen { box.withLockedValue { $0 } }

  private static func note(_ event: TerminalEvent, on screen: Screen, _ seen: inout Seen) {
    switch event {
    case .opened(let opened):
      seen.opened.append(opened)
      screen.resize(columns: opened.size.columns, rows: opened.size.rows)
    case .output(_, let bytes): show(bytes, on: screen, &seen)
    case .snapshot(_, let size, let bytes):
      seen.snapshots += 1
      seen.sizes.append(size)
      screen.resize(columns: size.columns, rows: size.rows)
      show(bytes, on: screen, &seen)
    case .resized(_, let size):
      seen.sizes.append(size)
      screen.resize(columns: size.columns, rows: size.rows)
    case .event(.viewers(let viewers, let owner)): (seen.viewers, seen.sizeOwner) = (viewers, owner)
    case .event(.sizeOwner(let owner)): seen.sizeOwner = owner
    case .event(.stalled(let reason)): seen.stalls.append(reason ?? "")
    case .ended(let ended): seen.ended = ended
    case .refused(let refused): seen.closed = refused.code.rawValue
    case .closed(let reason): seen.closed = reason
    case .event, .state, .lost, .inDoubt, .notTyped: break
    }
  }

  private static func show(_ bytes: ByteBuffer, on screen: Screen, _ seen: inout Seen) {
    seen.shown += bytes.readableBytes
    bytes.withUnsafeReadableBytes { screen.write($0) }
    var rows = Array(screen.lines().prefix(screen.cursorRow + 1))
    if let last = rows.popLast() {
      let column = screen.cursorColumn
      let missing = max(0, column - last.count)
      rows.append(String(last.prefix(column)) + String(repeating: " ", count: missing))
    }
    seen.text = rows.joined(separator: "\r\n")
  }

  public func type(_ text: String) { terminal.post(ByteBuffer(string: text)) }

  /// Waits until the condition holds.
  public func until(
    _ what: String, atMost limit: Duration = .seconds(30), _ condition: (Seen) -> Bool
  ) async throws {
    do {
      try await eventually(what, atMost: limit) { condition(seen) }
    } catch {
      throw ChildError("\(error); shown: \(seen.text.suffix(200).debugDescription)")
    }
  }

  /// Waits until the text up to the cursor ends with `end`.
  public func until(ending end: String) async throws {
    try await until("the screen ends with \(end)") { $0.text.hasSuffix(end) }
  }

  public func close() async throws {
    try await client.close()
    reading.cancel()
  }
}

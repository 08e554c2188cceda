// A client that keeps what it was shown and told, for tests that wait for something to appear.

public import Client
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
public import Wire

public final class Viewer: Sendable {
  public struct Seen: Sendable {
    /// The last 64 KiB of output and snapshots, as text.
    public var text = ""
    /// Bytes shown in all.
    public var shown = 0
    public var snapshots = 0
    public var opened: [Opened] = []
    public var sizes: [TerminalSize] = []
    public var events: [Event] = []
    public var ended: Ended?
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
      for await event in terminal.events { box.withLockedValue { Self.note(event, &$0) } }
    }
  }

  public var seen: Seen { box.withLockedValue { $0 } }

  private static func note(_ event: TerminalEvent, _ seen: inout Seen) {
    switch event {
    case .opened(let opened): seen.opened.append(opened)
    case .output(_, let bytes): append(bytes, &seen)
    case .snapshot(_, let size, let bytes):
      seen.snapshots += 1
      seen.sizes.append(size)
      append(bytes, &seen)
    case .resized(_, let size): seen.sizes.append(size)
    case .event(let event): seen.events.append(event)
    case .ended(let ended): seen.ended = ended
    case .refused(let refused): seen.closed = refused.code.rawValue
    case .closed(let reason): seen.closed = reason
    case .state, .inDoubt: break
    }
  }

  private static func append(_ bytes: ByteBuffer, _ seen: inout Seen) {
    seen.shown += bytes.readableBytes
    seen.text += String(buffer: bytes)
    if seen.text.utf8.count > 65_536 { seen.text = String(seen.text.suffix(16_384)) }
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

  /// Waits until the text ends with `end`.
  public func until(ending end: String) async throws {
    try await until("the screen ends with \(end)") { $0.text.hasSuffix(end) }
  }

  public func close() async throws {
    try await client.close()
    reading.cancel()
  }
}

// `fairlead-chaos`: the fault-injecting proxy, for use by hand.

public import ArgumentParser
public import Chaos
import Glibc

extension CutPlace: ExpressibleByArgument {}
extension Framing: ExpressibleByArgument {}
extension Fault.Style: ExpressibleByArgument {}

@main struct ChaosCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fairlead-chaos",
    abstract: "A TCP proxy that cuts, delays, throttles and goes silent, by a seed.",
    discussion: """
      Put it before any listener and connect to it instead. It never reorders or changes a byte.

        # before a router: every connection is cut, after 1 to 32768 bytes
        fairlead-chaos --listen 127.0.0.1:7071 --target 127.0.0.1:7070 --framing websocket

        # before a node (start the node with --advertise 127.0.0.1:7081), cut inside frames only
        fairlead-chaos --listen 127.0.0.1:7081 --target 127.0.0.1:7080 --framing link --place frame

        # before Redis: 50 ms slower, and every tenth connection goes silent without closing
        fairlead-chaos --listen 127.0.0.1:6380 --target 127.0.0.1:6379 --framing lines \\
          --delay 50 --cut-share 0.1 --style half-open

        # a line of 1 MB/s, never cut
        fairlead-chaos --listen 127.0.0.1:7071 --target 127.0.0.1:7070 --cut-share 0 --rate 1000000

      The seed is printed; with the same --seed, connection number N meets the same fate again.
      Counts are printed every few seconds.
      """)

  @Option(help: "HOST:PORT where to listen; port 0 takes a free one, which is printed.")
  var listen = "127.0.0.1:0"
  @Option(help: "HOST:PORT of the server behind.")
  var target: String
  @Option(help: "How frames are told apart: websocket, link or lines (Redis).")
  var framing = Framing.webSocket
  @Option(help: "Decides what befalls each connection; a random one by default.")
  var seed: UInt64 = .random(in: 0...UInt64.max)
  @Option(help: "Share of the connections that are cut, 0 to 1.")
  var cutShare = 1.0
  @Option(help: "Fewest bytes before a cut.")
  var cutFrom = 1
  @Option(help: "Most bytes before a cut.")
  var cutTo = 32_768
  @Option(
    help: "Where to cut: anywhere, frame, character, escape (inside one). Repeat to allow several.")
  var place: [CutPlace] = []
  @Option(help: "How: reset, close, half-open (swallows without closing). Repeat to allow several.")
  var style: [Fault.Style] = []
  @Option(help: "Milliseconds by which each direction is held back.")
  var delay = 0
  @Option(help: "Bytes per second of each direction.")
  var rate: Int?
  @Option(help: "Seconds between the lines with counts.")
  var every = 5

  func validate() throws {
    guard (0...1).contains(cutShare) else { throw ValidationError("--cut-share is 0 to 1") }
    guard cutFrom >= 1, cutFrom <= cutTo else { throw ValidationError("1 ≤ --cut-from ≤ --cut-to") }
    guard (0...60_000).contains(delay) else { throw ValidationError("--delay is 0 to 60000") }
    guard (rate ?? 1) >= 1, every >= 1 else { throw ValidationError("--rate, --every are above 0") }
  }

  func run() async throws {
    let (host, port) = try address(listen)
    var profile = ChaosProfile()
    profile.cutShare = cutShare
    profile.cutAfter = cutFrom...cutTo
    if !place.isEmpty { profile.places = place }
    if !style.isEmpty { profile.styles = style }
    profile.delay = delay...delay
    profile.rate = rate.map { $0...$0 }
    let proxy = try await ChaosProxy.start(
      before: try address(target), on: host, port: port, framing: framing, profile: profile,
      seed: seed)
    print("fairlead-chaos listens on \(host):\(proxy.port) before \(target), --seed \(seed)")
    fflush(nil)
    while true {
      try await Task.sleep(for: .seconds(every))
      let counts = proxy.counts
      print(
        "\(counts.connections) connections, \(counts.cuts) cuts (\(counts.halfOpen) half-open), "
          + "\(counts.up) bytes up, \(counts.down) down")
      fflush(nil)
    }
  }

  private func address(_ text: String) throws -> (host: String, port: Int) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port)
    else { throw ValidationError("\"\(text)\" is not HOST:PORT") }
    return (String(text[..<colon]), port)
  }
}

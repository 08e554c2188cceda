// What `fairlead top` shows: a few lines of the whole, and below them sessions, nodes, routers or clients, the busiest
// first. Rates are what came between two looks. Pure.

import API
import Registry
import Wire

struct Board {
  struct Look {
    var time: ContinuousClock.Instant
    var nodes: [NodeView]
    var routers: [RouterView]
    var sessions: [SessionSummary]
    var clients: [ClientView]
    var gaps: [String] = []
  }

  enum Page: Character {
    case sessions = "s"
    case nodes = "n"
    case routers = "r"
    case clients = "c"
  }

  enum Order: Character {
    case output = "o"
    case input = "i"
    case idle = "t"
    case load = "b"
  }

  private(set) var page = Page.sessions
  private(set) var order = Order.output
  /// The next look is wanted at once.
  private(set) var isImpatient = false
  /// Why the last look failed; nil: it did not.
  var problem: String?
  private var last: Look?
  /// The look before, and its sessions by their names.
  private var before: Look?
  private var earlier: [SessionID: SessionSummary] = [:]

  mutating func take(_ look: Look) {
    (before, last) = (last, look)
    earlier = Dictionary((before?.sessions ?? []).map { ($0.session, $0) }) { $1 }
    (problem, isImpatient) = (nil, false)
  }

  /// Takes a key; a blank asks for a look at once.
  mutating func press(_ key: UInt8) {
    let character = Character(Unicode.Scalar(key))
    if character == " " { isImpatient = true }
    page = Page(rawValue: character) ?? page
    order = Order(rawValue: character) ?? order
  }

  // MARK: Rates

  /// Bytes a second that came of a session since the look before.
  private func rate(_ session: SessionSummary, _ count: (SessionSummary) -> UInt64) -> Double? {
    guard let before, let last, last.time > before.time,
      let earlier = earlier[session.session], earlier.life == session.life
    else { return nil }
    let (now, then) = (count(session), count(earlier))
    return Double(now > then ? now - then : 0) / ((last.time - before.time) / .seconds(1))
  }

  // MARK: Text

  /// - Parameters: of the terminal.
  func text(columns: Int, rows: Int) -> String {
    guard let last else { return problem.map(printable) ?? "" }
    var lines = head(last)
    if let problem {
      let age = UInt64(max(0, (ContinuousClock.now - last.time) / .milliseconds(1)))
      lines.append(printable("OLD: this is of \(ago(humanTime(milliseconds: age))): \(problem)"))
    }
    if !last.gaps.isEmpty {
      lines.append(printable("not whole, or old: " + last.gaps.joined(separator: "; ")))
    }
    lines.append("")
    lines += table(last).split(separator: "\n").map(String.init)
    return lines.prefix(max(1, rows)).map { String($0.prefix(columns)) }.joined(separator: "\n")
  }

  private func head(_ look: Look) -> [String] {
    let live = look.nodes.count { $0.state == .live }
    let capacity = look.nodes.reduce(0) { $0 + $1.capacity }
    let running = look.sessions.filter { $0.state == .running }
    let attached = running.count { !$0.viewers.isEmpty }
    let out = running.reduce(0.0) { $0 + (rate($1, \.output) ?? 0) }
    let into = running.reduce(0.0) { $0 + (rate($1, \.input) ?? 0) }
    let backlog = look.clients.reduce(0) { $0 + $1.waitingBytes }
    let processor = look.routers.reduce(0.0) { $0 + $1.processor }
    return [
      "\(timeText(WallClock.milliseconds) ?? "")  \(page) by \(order)",
      "nodes     \(live) live of \(look.nodes.count), room for \(capacity)",
      "routers   \(look.routers.count { $0.state == .live }) live of \(look.routers.count), "
        + "\((processor * 10).rounded() / 10)% of a core",
      "sessions  \(running.count) running of \(look.sessions.count), \(attached) attached, "
        + "out \(Self.rateText(out)), in \(Self.rateText(into))",
      "clients   \(look.clients.count), waiting for them \(humanBytes(UInt64(max(0, backlog))))",
    ]
  }

  private static func rateText(_ rate: Double?) -> String {
    rate.map { cellBytes(UInt64($0)) + "/s" } ?? "-"
  }

  private func table(_ look: Look) -> String {
    switch page {
    case .sessions: return sessions(look).text
    case .nodes:
      var table = Table(
        "NODE", "STATE", "SESSIONS", "CAPACITY", "LEASE", "VERSION", "LINK", numeric: [2, 3])
      for node in look.nodes.sorted(by: { $0.sessions > $1.sessions }) {
        table.add(
          node.id.rawValue, node.state.rawValue, "\(node.sessions)", "\(node.capacity)",
          node.leaseText, node.version, node.link ?? "-")
      }
      return table.text
    case .routers:
      var table = Table(
        "ROUTER", "STATE", "CLIENTS", "STREAMS", "CPU", "MEMORY", "ADDRESS", numeric: [2, 3, 4, 5])
      for router in look.routers.sorted(by: { $0.clients > $1.clients }) {
        table.add(
          router.id.rawValue, router.state.rawValue, "\(router.clients)", "\(router.streams)",
          "\(router.processor)%", cellBytes(router.memory), router.url)
      }
      return table.text
    case .clients:
      var table = Table("CLIENT", "USER", "ROUTER", "BACKLOG", "FROM", "SESSIONS", numeric: [3])
      for client in look.clients.sorted(by: { $0.waitingBytes > $1.waitingBytes }) {
        table.add(
          client.client?.rawValue ?? "-", client.subject ?? "-", client.router.rawValue,
          cellBytes(UInt64(max(0, client.waitingBytes))), client.from,
          client.sessions.map(\.rawValue).joined(separator: ","))
      }
      return table.text
    }
  }

  private func sessions(_ look: Look) -> Table {
    var table = Table(
      "SESSION", "NODE", "STATE", "IDLE", "OUT", "IN", "VIEWERS", "COMMAND", numeric: [4, 5, 6])
    let rows = look.sessions.map { ($0, out: rate($0, \.output), into: rate($0, \.input)) }
    let sorted = rows.sorted { a, b in
      switch order {
      case .output: (a.out ?? -1, a.0.output) > (b.out ?? -1, b.0.output)
      case .input: (a.into ?? -1, a.0.input) > (b.into ?? -1, b.0.input)
      case .idle: a.0.idle > b.0.idle
      case .load: a.0.viewers.count > b.0.viewers.count
      }
    }
    for (session, out, into) in sorted {
      table.add(
        session.session.rawValue, session.node, session.state.rawValue,
        cellTime(milliseconds: session.idle), Self.rateText(out), Self.rateText(into),
        "\(session.viewers.count)", session.commandText)
    }
    return table
  }
}

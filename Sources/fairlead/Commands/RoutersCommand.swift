// `fairlead routers` and `fairlead router ID`: the routers of the cluster, and how loaded they are.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct RoutersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routers",
    abstract: "List the routers.",
    discussion: """
      Each router writes every 5 s where it is, and what it carries; one that is silent has died, is cut off from \
      Redis, or gave this command no answer. CPU is percent of one core. With Redis away, the router that answers tells of itself, and others are \
      those that were seen last.

        fairlead routers
        fairlead routers --sort -clients --watch
      """)

  @OptionGroup var list: ListOptions
  @OptionGroup var inquiry: Inquiry

  func validate() throws { try list.check(RouterView.columns) }

  func run() async throws {
    try await list.watch.run {
      let found = try await inquiry.routers()
      return Shown(
        text: try list.text(
          of: found.answer.routers, RouterView.columns, name: \.id.rawValue), gaps: found.gaps)
    }
  }
}

extension RouterView {
  static var columns: [Column<RouterView>] {
    [
      .text("ROUTER") { $0.id.rawValue },
      .text("STATE") { $0.state.rawValue }.toned { $0.tone },
      .count("CLIENTS") { $0.clients },
      .count("STREAMS") { $0.streams },
      .number("CPU") { ($0.processor, "\($0.processor)%") },
      .bytes("MEMORY") { $0.memory },
      .time("AGE") { age(since: $0.started) },
      .text("VERSION") { $0.version },
      .count("ROUTES", isWide: true) { $0.routes },
      .count("LOOPS", isWide: true) { $0.loops },
      .text("INCARNATION", isWide: true) { $0.incarnation.description },
      .text("ADDRESS") { $0.url },
    ]
  }

  private var tone: Tone { state == .live ? .good : .bad }
}

struct ShowRouterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show-router",
    abstract: "Show one router and its clients.",
    discussion: """
      `fairlead router ID` is the same: without an id it is the role that takes clients in.

        fairlead router r1
      """)

  @Argument(help: "The router's id.")
  var id: NodeID

  @OptionGroup var output: OutputOptions
  @OptionGroup var watch: WatchOptions
  @OptionGroup var inquiry: Inquiry

  struct View: Codable {
    var routers: [RouterView]
    var clients: [ClientView]
  }

  func run() async throws {
    try await watch.run {
      let found = try await inquiry.routers()
      let routers = found.answer.routers.filter { $0.id == id }
      guard !routers.isEmpty else {
        throw APIError.notFound(
          "no router \(id) is known; `fairlead routers` lists those that are")
      }
      let clients = try await inquiry.askEachRouter { try await $0.clients() }
      let view = View(
        routers: routers, clients: clients.answer.flatMap { $0 }.filter { $0.router == id })
      return Shown(
        text: try output.text(
          of: view, names: { $0.routers.map(\.id.rawValue) }, table: { $0.sheet }),
        gaps: found.gaps + clients.gaps.filter { !found.gaps.contains($0) })
    }
  }
}

extension ShowRouterCommand.View {
  fileprivate var sheet: String {
    // Several starts of routers may have one name.
    return routers.map { router in
      var sheet = Sheet()
      sheet.add("router", router.id.rawValue)
      sheet.add("state", router.state.rawValue)
      sheet.add("address", router.url)
      sheet.add("version", router.version)
      sheet.add("incarnation", "\(router.incarnation)")
      sheet.add("started", timeText(router.started))
      sheet.add("age", humanTime(milliseconds: age(since: router.started)))
      sheet.add("loops", "\(router.loops)")
      sheet.add("processor", "\(router.processor)% of one core")
      sheet.add("memory", humanBytes(router.memory))
      sheet.add("routes", "\(router.routes) sessions whose owner it remembers")
      sheet.add("clients", "\(router.clients), with \(router.streams) streams")
      let own = clients.filter { $0.incarnation == router.incarnation }
      guard !own.isEmpty else { return sheet.text }
      var table = Table(header: ClientView.columns.filter { !$0.isWide }.map(\.title), numeric: [])
      table.rows = own.map { client in
        ClientView.columns.filter { !$0.isWide }.map { $0.cell(client) }
      }
      return sheet.text + "\n\n" + table.text
    }.joined(separator: "\n\n")
  }
}

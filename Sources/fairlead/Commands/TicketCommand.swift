// `fairlead ticket`: another URL that lets one browser into `serve`.

import APIClient
import ArgumentParser

struct TicketCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ticket",
    abstract: "Print a URL that lets one browser in, once.",
    discussion: """
      The URL's ticket is good for ten minutes and for one use; the browser gets a cookie for it. \
      For `fairlead serve`; routers of a cluster take tokens.

        fairlead ticket
        xdg-open "$(fairlead ticket)"
      """)

  @OptionGroup var api: APIOptions

  func run() async throws {
    let ticket = try await api.client().ticket()
    let url = ServeFile.find(url: api.api)?.publicURL ?? api.api
    say("\(url.hasSuffix("/") ? String(url.dropLast()) : url)/?ticket=\(ticket)")
  }
}

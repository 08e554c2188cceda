// `fairlead version`: of this program, and of the router it would ask.

import Admin
import ArgumentParser

struct VersionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version",
    abstract: "Print the versions of this program and of the router.",
    discussion: """
        fairlead version
        fairlead version -o json
      """)

  @OptionGroup var api: APIOptions
  @OptionGroup var output: OutputOptions

  private struct Versions: Codable {
    var client: String
    var router: String?
    var protocols: [String]
  }

  func run() async throws {
    // That no router answers is an answer here, not a failure.
    let router = try? await api.client().version()
    let versions = Versions(
      client: fairleadVersion, router: router?.version,
      protocols: router?.protocols ?? ["fairlead.v1"])
    try output.show(versions) {
      "fairlead \($0.client)\nrouter   \($0.router ?? "none answers at \(api.api)")"
    }
  }
}

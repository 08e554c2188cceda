// `fairlead version`: of this program, and of the router it would ask.

import API
import APIClient
import ArgumentParser

struct VersionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version",
    abstract: "Print the versions of this program and of the router.",
    discussion: """
      If no router answers, its own version is printed all the same, and the exit code is 1. \
      (fairlead --version asks nobody.)

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
    let router: VersionAnswer?
    var failure: (any Error)?
    do {
      router = try await api.client().version()
    } catch {
      (router, failure) = (nil, error)
    }
    let versions = Versions(
      client: fairleadVersion, router: router?.version,
      protocols: router?.protocols ?? ["fairlead.v1"])
    try output.show(
      versions, names: { [$0.client] + [$0.router].compactMap { $0 } },
      table: { "fairlead \($0.client)\nrouter   \($0.router ?? "none answers at \(api.api)")" })
    // Its own version is a part of the answer.
    if let error = failure as? APIError {
      complain("Error: \(printable(NextStep.advised(error)))")
      throw ExitCode.failure
    }
    if let failure { throw failure }
  }
}

// Which web origins' pages may connect, besides the router's own host.

import APIServer
import ArgumentParser
import Auth
import Router

struct OriginOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Another web origin whose pages may connect, such as https://console.example.com; may be "
        + "given again. (FAIRLEAD_ALLOW_ORIGIN takes several, with commas between.)",
      valueName: "origin"))
  var allowOrigin: [String] = []

  func validate() throws {
    for origin in all where !(origin.hasPrefix("https://") || origin.hasPrefix("http://")) {
      throw ValidationError("--allow-origin \(origin): an origin begins with https:// or http://")
    }
  }

  private var all: [String] {
    allowOrigin + (environment("ALLOW_ORIGIN") ?? "").split(separator: ",").map(String.init)
  }

  /// - Parameters:
  ///   - own: this server's origins by other names.
  ///   - access: where it asks nobody for a token, the server's own pages must call it by a known name.
  ///   - host: what it listens on.
  func policy(and own: [String], access: AccessControl, host: String) -> OriginPolicy {
    let origins = all + own
    return OriginPolicy(
      allowed: Set(origins), own: Set(own),
      ownHosts: access.isOpen ? OwnHosts(of: origins, listeningOn: host) : .any)
  }
}

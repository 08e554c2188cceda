// What an engine says of itself: which one it is, whatever address it is reached at, and of which processor.

import HTTPClient
import Holder
import NIOHTTP1
import Wire

extension DockerEngine {
  struct Identity: Sendable, Equatable {
    /// 1 to 128 visible characters, no slash.
    var name: String
    /// As `uname -m` names it; nil: it did not say.
    var processor: String?
  }

  private struct Information: Decodable {
    var iD: String
    var architecture: String?
    /// Of its host.
    var name: String?
    /// Where it has its containers.
    var dockerRootDir: String?

    /// Of two that are reached from one cluster, hosts have other names, or each its own folder.
    var podmansName: String {
      var hash = SHA256()
      hash.update(Array("\(name ?? "")\0\(dockerRootDir ?? "")".utf8))
      return "podman-" + hash.finish().prefix(8).hexadecimal
    }
  }

  func identity() async throws -> Identity {
    let answer = try await send(.GET, "/info")
    let found: Information = try decoded(answer, container: nil)
    // Podman makes up another id for each answer.
    let isPodman = answer.headers.first(name: "Server")?.hasPrefix("Libpod/") == true
    let name = isPodman ? found.podmansName : found.iD
    let isName = name.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "/") }
    guard isName, (1...128).contains(name.utf8.count) else {
      throw PipeError(.unavailable, "the Docker engine answered with a strange id")
    }
    return Identity(name: name, processor: found.architecture.map(Self.processor))
  }

  /// Podman tells it as Go does.
  private static func processor(_ architecture: String) -> String {
    switch architecture {
    case "amd64": "x86_64"
    case "arm64": "aarch64"
    default: architecture
    }
  }
}

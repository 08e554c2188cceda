// Two nodes that reach one engine know that it is one, and what is put into its containers can run there (promise P11).

import Foundation
import NIOConcurrencyHelpers
import Testing
import Transport

@testable import Pipes

@Suite struct EngineIdentityTests {
  /// What an engine says of itself, where it answers all that it is asked with that.
  private func identity(
    server: String, _ information: [String: String]
  ) async throws -> DockerEngine.Identity {
    let body = String(decoding: try JSONEncoder().encode(information), as: UTF8.self)
    let found = NIOLockedValueBox<DockerEngine.Identity?>(nil)
    try await withServer(
      answering: """
        HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: \(server)\r\nContent-Type: application/json\r
        Content-Length: \(body.utf8.count)\r\n\r\n\(body)
        """
    ) { port in
      let identity = try await DockerEngine(.tcp(host: "127.0.0.1", port: port)).identity()
      found.withLockedValue { $0 = identity }
    }
    return try #require(found.withLockedValue { $0 })
  }

  private func podman(id: String, host: String, folder: String) async throws -> String {
    try await identity(
      server: "Libpod/4.3.1 (linux)",
      ["ID": id, "Name": host, "DockerRootDir": folder, "Architecture": "arm64"]
    ).name
  }

  @Test func dockersIdIsItsOwn() async throws {
    let found = try await identity(
      server: "Docker/20.10.24 (linux)", ["ID": "ABCD:1", "Name": "h", "Architecture": "x86_64"])
    #expect(found == DockerEngine.Identity(name: "ABCD:1", processor: "x86_64"))
  }

  /// It tells another id each time that it is asked.
  @Test func podmanIsKnownByItsHostAndFolder() async throws {
    let first = try await podman(id: "1", host: "h", folder: "/var/lib/containers/storage")
    #expect(try await podman(id: "2", host: "h", folder: "/var/lib/containers/storage") == first)
    #expect(try await podman(id: "1", host: "g", folder: "/var/lib/containers/storage") != first)
    #expect(try await podman(id: "1", host: "h", folder: "/home/u/storage") != first)
  }

  @Test(arguments: [
    ("amd64", "x86_64"), ("x86_64", "x86_64"), ("arm64", "aarch64"), ("aarch64", "aarch64"),
    ("riscv64", "riscv64"),
  ])
  func itsProcessorHasOneName(_ told: String, _ name: String) async throws {
    let found = try await identity(server: "Docker", ["ID": "1", "Architecture": told])
    #expect(found.processor == name)
  }

  @Test(arguments: ["", "a/b", "a b", String(repeating: "x", count: 129)])
  func aStrangeIdIsNone(_ id: String) async throws {
    await #expect(throws: PipeError.self) { try await identity(server: "Docker", ["ID": id]) }
  }
}

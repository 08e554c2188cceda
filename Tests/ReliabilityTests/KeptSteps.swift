// What the tests of held sessions share: a `serve` whose terminals are held, containers, and clients that type.

import Foundation
import Judge
import Pipes
import TestSupport
import Testing
import Wire

/// Runs `body` with a `serve` of its own, whose holder goes with it.
func withHeldServe(
  options: [String] = [], _ body: (KeptProcess) async throws -> Void
) async throws {
  let server = try await KeptProcess.serve(options: options)
  do { try await body(server) } catch {
    print(server.process.output)
    try? await server.remove()
    throw error
  }
  try await server.remove()
}

/// Runs `body` with a container of its own, made with these options; skips the test where there is no engine.
/// - Parameters:
///   - image: of Tests/docker-images.sh.
///   - command: what runs in it all the time.
func withContainer(
  _ options: [String] = [], of image: String = "base", command: [String] = ["sleep", "100000"],
  onPodman: Bool = false, _ body: (DockerEngine, String) async throws -> Void
) async throws {
  let engine =
    onPodman
    ? try await DockerEngine.podman { try Test.cancel("\($0)") }
    : try await DockerEngine.shared { try Test.cancel("\($0)") }
  let name = "held-\(UUID().uuidString.prefix(8).lowercased())"
  try await engine.run(name, of: image, options, command: command)
  do { try await body(engine, name) } catch {
    _ = try? await engine.docker("rm", "-f", name)
    throw error
  }
  // It may have been removed by the test.
  _ = try? await engine.docker("rm", "-f", name)
}

extension KeptProcess {
  /// Runs a script in a new session.
  func shell(
    _ script: String, in container: String? = nil, user: String? = nil, directory: String? = nil
  ) throws -> Viewer {
    try Viewer(
      url,
      create: Creation(
        target: container.map { .docker(container: $0) } ?? .pty, command: ["sh", "-c", script],
        workingDirectory: directory, user: user.flatMap(UserName.init)))
  }
}

extension KeptProcess {
  /// Runs a program without arguments in a new session.
  func program(_ path: String, in container: String) throws -> Viewer {
    try Viewer(url, create: Creation(target: .docker(container: container), command: [path]))
  }
}

/// A new session of `cat`, and the number of its process.
func countedCat(on url: String) async throws -> (viewer: Viewer, pid: Int32) {
  let viewer = try Viewer(url, create: Creation(command: ["sh", "-c", "echo $$; exec cat"]))
  try await viewer.until(ending: "\r\n")
  return (viewer, try #require(Int32(viewer.seen.text.filter(\.isNumber))))
}

extension Viewer {
  /// Types a line, which `cat` and its terminal both show.
  func goesOn(_ line: String) async throws {
    type("\(line)\n")
    try await until(ending: "\(line)\r\n\(line)\r\n")
  }
  /// Its session goes on when its server has ended and is started again, twice.
  func goesOnOverStarts(of server: KeptProcess) async throws {
    for round in 0..<2 {
      try await server.end()
      try await server.start()
      try await goesOn("still here \(round)")
    }
  }
}

/// Of a program that prints `line 1`, `line 2` and so on: the number in the last line; nil: it is not whole.
func lastLine(of seen: Viewer.Seen) -> Int? {
  guard seen.text.hasSuffix("\r\n") else { return nil }
  return seen.text.split(separator: "\r\n").last.flatMap { Int($0.dropFirst(5)) }
}

/// All that was printed so far was shown, once, and nothing was drawn anew.
func expectEachLineOnce(_ viewer: Viewer, upTo last: Int) async throws {
  var shown: (line: Int, bytes: Int)?
  try await viewer.until("it counts on", atMost: .seconds(90)) { seen in
    guard let line = lastLine(of: seen), line >= last else { return false }
    shown = (line, seen.shown)
    return true
  }
  let (line, bytes) = try #require(shown)
  #expect(bytes == (1...line).reduce(0) { $0 + "line \($1)\r\n".utf8.count })
  #expect(viewer.seen.snapshots == 0)
  #expect(viewer.seen.closed == nil)
}

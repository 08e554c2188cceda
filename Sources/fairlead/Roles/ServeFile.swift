// How the commands of the same user find `fairlead serve` and get in: a file that only this user can
// read, with its URL and a token. One for each port; it is believed while the `serve` that wrote it has it locked.

import Auth
import FoundationEssentials
import Glibc
import Logging
import NIOConcurrencyHelpers
import PrivateFiles
import ServiceLifecycle
import Wire

struct ServeFile: Codable, Sendable {
  /// Where this machine reaches it.
  var url: String
  /// Where users reach it, if that is elsewhere.
  var publicURL: String?
  var token: String

  private var scheme: Substring { url.prefix { $0 != ":" } }

  /// `$XDG_RUNTIME_DIR/fairlead`, or `~/.local/state/fairlead`.
  static var directory: String? { userFolder("XDG_RUNTIME_DIR", orInHome: ".local/state") }

  private static func path(port: Int) -> String? { directory.map { "\($0)/serve-\(port).json" } }

  // MARK: Writing

  /// - Returns: its lock: nobody believes the file any more once that is gone.
  func write(port: Int) throws -> LockedFile {
    guard let path = Self.path(port: port) else {
      throw PrivateFileError(.system, "there is no place for it: set HOME or XDG_RUNTIME_DIR")
    }
    return try LockedFile(replacing: path, with: Array(try JSONEncoder().encode(self)))
  }

  static func remove(port: Int, _ lock: LockedFile) {
    if let path = path(port: port) { lock.remove(path) }
  }

  // MARK: Finding

  /// That of the `serve` at `url`; nil if there is none of this user's.
  static func find(url: String) -> ServeFile? {
    let text = url.hasSuffix("/") ? String(url.dropLast()) : url
    if let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      let file = of(port: port),
      file.url == text
        || ["localhost", "127.0.0.1"].contains(where: {
          "\(file.scheme)://\($0):\(port)" == text
        })
    {
      return file
    }
    return all().first { $0.publicURL == text }
  }

  /// That of the `serve` on this port; nil: none runs, or it leaves.
  static func of(port: Int) -> ServeFile? { path(port: port).flatMap(read) }

  /// Those of each `serve` that this user runs.
  static func all() -> [ServeFile] {
    guard let directory, let names = try? FileManager.default.contentsOfDirectory(atPath: directory)
    else { return [] }
    return names.filter { $0.hasPrefix("serve-") && $0.hasSuffix(".json") }.sorted()
      .compactMap { read("\(directory)/\($0)") }
  }

  /// Nil unless it is this user's alone, and its process runs.
  private static func read(_ path: String) -> ServeFile? {
    (try? PrivateFile.readLocked(path)).flatMap {
      try? JSONDecoder().decode(ServeFile.self, from: Data($0))
    }
  }
}

/// Keeps the file's token fresh while `serve` runs, and takes the file away at its end.
struct ServeFileService: Service {
  /// Nil: authentication is off; the file then only says where `serve` is.
  let issuer: LocalIssuer?
  private let publicURL: String?
  let logger: Logger
  private let address = NIOLockedValueBox<(scheme: String, host: String, port: Int)?>(nil)
  /// Of the file as it was written last.
  private let lock = NIOLockedValueBox<LockedFile?>(nil)

  init(issuer: LocalIssuer?, publicURL: String?, logger: Logger) {
    self.issuer = issuer
    self.publicURL = publicURL
    self.logger = logger
  }

  /// Called once `serve` listens.
  func announce(scheme: String, host: String, port: Int) {
    address.withLockedValue { $0 = (scheme, host, port) }
    write()
  }

  private func write() {
    guard let (scheme, host, port) = address.withLockedValue({ $0 }) else { return }
    let near = StartPolicy.isLoopback(host) ? host : "127.0.0.1"
    let name = near.contains(":") ? "[\(near)]" : near
    let token = (try? issuer?.token(life: Double(CommandLimits.serveToken))) ?? ""
    let file = ServeFile(
      url: "\(scheme)://\(name):\(port)", publicURL: publicURL, token: token)
    do {
      let written = try file.write(port: port)
      lock.withLockedValue { $0 = written }
    } catch {
      logger.warning(
        "the file by which this user's commands find this server was not written",
        metadata: ["error": "\(error)"])
    }
  }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        try? await Task.sleep(for: CommandLimits.serveTokenRenewal)
        if !Task.isCancelled { write() }
      }
    }
    if let port = address.withLockedValue({ $0?.port }), let lock = lock.withLockedValue({ $0 }) {
      ServeFile.remove(port: port, lock)
    }
  }
}

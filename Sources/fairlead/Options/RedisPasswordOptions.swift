// The password of a Redis, where it is not in the URL.

import ArgumentParser
import Glibc
import Redis

/// A password in a file of its own: in a URL it would stand in the list of processes, and in the environment.
struct RedisPasswordOptions: ParsableArguments {
  @Option(
    name: .customLong("redis-password-file"),
    help: ArgumentHelp(
      "A file with the Redis password, on its first line; /dev/fd/N for an open descriptor.",
      valueName: "file"))
  var file: String = fromEnvironment("REDIS_PASSWORD_FILE", default: "")

  @Option(
    name: .customLong("redis-sentinel-password-file"),
    help: ArgumentHelp(
      "A file with the password of the sentinels, where they have one.", valueName: "file"))
  var sentinelFile: String = fromEnvironment("REDIS_SENTINEL_PASSWORD_FILE", default: "")

  /// `redis` with the passwords of the files, if any are named.
  func url(_ redis: String) throws -> String {
    var url = redis
    if let password = try Self.password("--redis-password-file", file) {
      guard let whole = RedisEndpoint.url(url, password: password) else {
        throw ValidationError("--redis has a password, and --redis-password-file another: give one")
      }
      url = whole
    }
    if let password = try Self.password("--redis-sentinel-password-file", sentinelFile) {
      guard let whole = RedisEndpoint.url(url, sentinelPassword: password) else {
        throw ValidationError(
          "--redis-sentinel-password-file is for a --redis of redis+sentinel:// without sentinel-password="
        )
      }
      url = whole
    }
    return url
  }

  private static func password(_ option: String, _ file: String) throws -> String? {
    guard !file.isEmpty else { return nil }
    guard let password = firstLine(of: file), !password.isEmpty else {
      throw ValidationError("\(option) \(file) cannot be read, or is empty")
    }
    return password
  }

  private static func firstLine(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1_024)
    while bytes.count < CommandLimits.passwordFile {
      let count = read(descriptor, &piece, piece.count)
      if count <= 0 { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
  }
}

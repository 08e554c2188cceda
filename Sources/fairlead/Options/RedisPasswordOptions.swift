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

  /// `redis` with the password of the file, if one is named.
  func url(_ redis: String) throws -> String {
    guard !file.isEmpty else { return redis }
    guard let password = Self.firstLine(of: file), !password.isEmpty else {
      throw ValidationError("--redis-password-file \(file) cannot be read, or is empty")
    }
    guard let url = RedisEndpoint.url(redis, password: password) else {
      throw ValidationError("--redis has a password, and --redis-password-file another: give one")
    }
    return url
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

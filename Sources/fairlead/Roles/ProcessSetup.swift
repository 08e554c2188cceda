// What the roles do before anything else, and what an operator is told of it.

import ArgumentParser
import Glibc
import Logging
import Pipes
import Redis
import Wire

extension Surroundings {
  /// Sets this process up as a role's, and says what could not be done.
  static func prepare(_ logger: Logger) -> Surroundings {
    let surroundings = prepare()
    for problem in surroundings.problems { logger.warning("\(problem)") }
    return surroundings
  }
}

extension NodeOptions {
  /// Sessions that the node takes at most, which it says.
  func capacity(in surroundings: Surroundings, for starters: PipeStarters, _ logger: Logger) -> Int
  {
    let (allowed, because) = surroundings.capacity(terminalsOnly: starters.takeTerminalsOnly)
    let wanted = wantedCapacity ?? PipeLimits.sessions
    let capacity = min(wanted, allowed)
    if let wantedCapacity, wantedCapacity > allowed {
      logger.warning(
        "this process's limits do not allow --capacity",
        metadata: ["wanted": "\(wantedCapacity)", "allowed": "\(allowed)", "by": "\(because)"])
    }
    logger.notice(
      "this node takes new sessions up to its capacity",
      metadata: ["capacity": "\(capacity)", "allowed": "\(allowed)", "by": "\(because)"])
    return capacity
  }

  var wantedCapacity: Int? { capacity ?? environment("CAPACITY").flatMap { Int($0) } }

  func checkProcess() throws {
    if let text = capacity.map(String.init) ?? environment("CAPACITY") {
      guard let number = Int(text), (1...1_000_000).contains(number) else {
        throw ValidationError("--capacity is 1 to 1000000")
      }
    }
  }
}

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
    while bytes.count < 4 * piece.count {
      let count = read(descriptor, &piece, piece.count)
      if count <= 0 { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
  }
}

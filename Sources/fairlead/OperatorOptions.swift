// Options that the admin commands share, and how they reach the cluster: through a router's HTTP
// API, or, where that is all they need, straight through the registry.

import Admin
public import ArgumentParser
import Client
import Cluster
import FoundationEssentials
import Logging
import Wire

struct APIOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A router, or the load balancer before it.", valueName: "url"))
  var api: String = fromEnvironment("API", default: "http://127.0.0.1:7070")

  func validate() throws { _ = try endpoint() }

  private func endpoint() throws -> Endpoint {
    do { return try Endpoint(api) } catch { throw ValidationError("--api: \(error)") }
  }

  func client() throws -> AdminClient {
    let endpoint = try endpoint()
    return AdminClient(host: endpoint.host, port: endpoint.port, path: endpoint.path)
  }
}

struct RegistryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Ask this Redis when no router answers: redis://[user:password@]host:port/db.",
      valueName: "url"))
  var redis: String = fromEnvironment("REDIS", default: "")

  @Option(help: "The cluster's name in that Redis.")
  var cluster: String = fromEnvironment("CLUSTER", default: "fl")

  func validate() throws {
    guard !redis.isEmpty else { return }
    do {
      _ = try openRegistry(redis, cluster: cluster, logger: Logger(label: "redis"))
    } catch let error as RegistryError {
      throw ValidationError("--redis: \(error.message)")
    }
  }

  /// What `ask` says, or, when no router answers and a Redis was named, what `askRegistry` says.
  func answer<Answer>(
    _ ask: () async throws -> Answer,
    orFromRegistry askRegistry: (any Registry) async throws -> Answer
  ) async throws -> Answer {
    do {
      return try await ask()
    } catch let error as AdminError where error.code == .unreachable && !redis.isEmpty {
      complain("\(error.message); asking Redis instead")
      let registry = try openRegistry(redis, cluster: cluster, logger: Logger(label: "redis"))
      do {
        let answer = try await askRegistry(registry)
        await registry.shutdown()
        return answer
      } catch {
        await registry.shutdown()
        throw error
      }
    }
  }
}

/// The registry in a Redis.
func openRegistry(_ url: String, cluster: String, logger: Logger) throws -> any Registry {
  try RedisRegistry(url: url, cluster: cluster, logger: logger)
}

struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

  @Option(name: .shortAndLong, help: "table, for people, or json, for programs.")
  var output: Format = fromEnvironment("OUTPUT", default: .table)

  /// Prints `value` as JSON, or what `table` makes of it.
  func show<Value: Encodable>(_ value: Value, table: (Value) -> String) throws {
    switch output {
    case .table: say(table(value))
    case .json:
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .withoutEscapingSlashes, .sortedKeys]
      say(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
  }
}

extension TerminalSize: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}

extension Target: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}

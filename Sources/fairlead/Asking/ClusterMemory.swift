// What the commands of this user last saw of a cluster: its routers and nodes, so that they can be asked when what is
// usually asked does not answer. A file of this user alone for each API that is asked.

import API
import FoundationEssentials
import PrivateFiles
import Registry
import Wire

struct ClusterMemory: Codable {
  /// Of the API that told it.
  var api: String
  /// Milliseconds since 1970.
  var time: UInt64
  var routers: [RouterView]
  var nodes: [NodeView]

  /// `3m ago`.
  var ageText: String { ago(humanTime(milliseconds: age(since: time))) }

  /// As they lived, so that they are asked: how they are now nobody knows. The node of a `serve` has no address that
  /// others reach: it is found with that or not at all.
  var entries: [NodeEntry] {
    nodes.compactMap { NodeEntry($0) }.filter { entry in
      !entry.isDead && entry.record.loops.contains { !$0.isInProcess }
    }.map { entry in
      var entry = entry
      entry.leaseMilliseconds = max(entry.leaseMilliseconds, 1)
      return entry
    }
  }

  // MARK: The file

  private static func path(_ api: String) -> String? {
    let name = api.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "_" }
    return ServeFile.directory.map {
      "\($0)/cluster-\(String(name.suffix(CommandLimits.memoryName))).json"
    }
  }

  /// Nil: nothing is remembered, or the file is not this user's.
  static func of(_ api: String) -> ClusterMemory? {
    guard let path = path(api),
      let bytes = try? PrivateFile.read(path, atMost: CommandLimits.memory),
      let memory = try? JSONDecoder().decode(ClusterMemory.self, from: Data(bytes)),
      memory.api == api
    else { return nil }
    return memory
  }

  /// Where it cannot be kept, nothing is lost but a way to ask later.
  func keep() {
    guard let path = Self.path(api), let data = try? JSONEncoder().encode(self),
      data.count <= CommandLimits.memory
    else { return }
    try? PrivateFile.write(Array(data), to: path)
  }
}

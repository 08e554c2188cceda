// A reverse proxy with a configuration of the test's own: nginx or HAProxy, as operators put them before routers.

import Foundation

public struct ReverseProxy: Sendable {
  public enum Kind: Sendable { case nginx, haproxy }

  public let port: Int
  public let process: ChildProcess
  private let folder: TemporaryFolder

  /// - Parameter configuration: what stands within nginx's `http { }`, or all of HAProxy's, for a port.
  ///   Another process may take that port first: then it is asked again, for another one.
  public static func start(
    _ kind: Kind, _ configuration: (_ port: Int) async throws -> String
  ) async throws -> ReverseProxy {
    for _ in 0..<5 {
      let port = try freePort()
      if let proxy = try await start(kind, port: port, configuration(port)) { return proxy }
    }
    throw ChildError("\(kind): every port was in use")
  }

  /// Nil if the port is in use.
  private static func start(
    _ kind: Kind, port: Int, _ configuration: String
  ) async throws -> ReverseProxy? {
    let folder = try TemporaryFolder()
    let file = folder.path + "/proxy.conf"
    let text =
      switch kind {
      case .haproxy: configuration
      case .nginx:
        """
        daemon off;
        pid \(folder.path)/nginx.pid;
        error_log stderr error;
        events { worker_connections 64; }
        http {
          access_log off;
          client_body_temp_path \(folder.path)/body;
          proxy_temp_path \(folder.path)/proxy;
          fastcgi_temp_path \(folder.path)/fastcgi;
          uwsgi_temp_path \(folder.path)/uwsgi;
          scgi_temp_path \(folder.path)/scgi;
        \(configuration)
        }

        """
      }
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    let process: ChildProcess
    switch kind {
    case .nginx:
      process = try ChildProcess(
        "/usr/sbin/nginx", ["-p", folder.path, "-e", "stderr", "-c", file])
    case .haproxy: process = try ChildProcess("/usr/sbin/haproxy", ["-db", "-f", file])
    }
    var isInUse = false
    try await eventually("\(kind) listens") {
      isInUse = process.output.contains("in use")
      if isInUse || listens(process.pid, on: port) { return true }
      guard process.isRunning else { throw ChildError("\(kind): \(process.output)") }
      return false
    }
    return isInUse ? nil : ReverseProxy(port: port, process: process, folder: folder)
  }

  /// That process, and no other one that answers there.
  private static func listens(_ pid: Int32, on port: Int) -> Bool {
    let digits = String(port, radix: 16, uppercase: true)
    let address = ":" + String(repeating: "0", count: 4 - digits.count) + digits
    let table = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)) ?? ""
    var sockets: Set<String> = []
    for line in table.split(separator: "\n") {
      let fields: [Substring] = line.split(separator: " ")
      // In the state LISTEN.
      guard fields.count > 9, fields[1].hasSuffix(address), fields[3] == "0A" else { continue }
      sockets.insert("socket:[\(fields[9])]")
    }
    let files = FileManager.default
    let descriptors = (try? files.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
    for descriptor in descriptors {
      let path = "/proc/\(pid)/fd/\(descriptor)"
      if let file = try? files.destinationOfSymbolicLink(atPath: path), sockets.contains(file) {
        return true
      }
    }
    return false
  }
}

/// A folder that goes away with its last owner.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() throws {
    path = FileManager.default.temporaryDirectory.path + "/fairlead-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

// A reverse proxy with a configuration of the test's own: nginx or HAProxy, as operators put them before routers.

import Foundation

public struct ReverseProxy: Sendable {
  public enum Kind: Sendable { case nginx, haproxy }

  public let port: Int
  public let process: ChildProcess
  private let folder: TemporaryFolder

  /// - Parameter configuration: what stands within nginx's `http { }`, or all of HAProxy's; is given a port.
  public static func start(
    _ kind: Kind, port: Int, _ configuration: String
  ) async throws -> ReverseProxy {
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
    let proxy = ReverseProxy(port: port, process: process, folder: folder)
    try await eventually("\(kind) listens") {
      guard process.isRunning else { throw ChildError("\(kind): \(process.output)") }
      return (try? await RawClient.connect(port: port)) != nil
    }
    return proxy
  }
}

/// A folder that goes away with its last owner.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/fairlead-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

// The page and the library as the router serves them. What they do is tested in JavaScriptTests (by
// Node) and in BrowserTests (by Chromium).

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing
import Web

@Suite("The web page")
struct WebPageTests {
  private func client(
    frameAncestors: Set<String> = [],
    _ test: @escaping @Sendable (any TestClientProtocol) async throws -> Void
  ) async throws {
    let router = Router(context: BasicRequestContext.self)
    addWebPage(to: router, frameAncestors: frameAncestors)
    try await Application(router: router).test(.router, test)
  }

  /// The files in the repository that must be in the binary: path below /assets/ → content.
  private static let sources: [String: Data] = {
    let web = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/Web").standardizedFileURL
    var files: [String: Data] = [:]
    for (folder, prefix) in [("Library", ""), ("Page", "page/")] {
      let root = web.appendingPathComponent(folder)
      for path in FileManager.default.enumerator(atPath: root.path)?.compactMap({ $0 as? String })
        ?? []
      where !["json", "html"].contains((path as NSString).pathExtension) {
        files[prefix + path] = try? Data(contentsOf: root.appendingPathComponent(path))
      }
    }
    return files
  }()

  @Test("Every file of the page and of the library is in the binary as it lies in the repository")
  func everyFileIsThere() async throws {
    #expect(Self.sources.count > 15)
    try await client { client in
      for (path, content) in Self.sources {
        let response = try await client.execute(uri: "/assets/\(path)", method: .get)
        #expect(response.status == .ok, "\(path) is not embedded; see Sources/CWebFiles/files.c")
        #expect(Data(response.body.readableBytesView) == content, "\(path)")
      }
    }
  }

  @Test("The page is served at / and at /t/SESSION, with no script in it and a policy against any")
  func thePage() async throws {
    try await client(frameAncestors: ["https://console.example.com"]) { client in
      for path in ["/", "/t/abc"] {
        let response = try await client.execute(uri: path, method: .get)
        #expect(response.status == .ok)
        let policy = try #require(response.headers[.contentSecurityPolicy])
        #expect(policy.contains("default-src 'none'; script-src 'self';"))
        #expect(policy.hasSuffix("frame-ancestors 'self' https://console.example.com"))
        let html = String(buffer: response.body)
        #expect(html.matches(of: /<script[^>]*>(?!<\/script>)/).isEmpty)
        #expect(html.matches(of: /\son[a-z]+=/).isEmpty)
        #expect(html.matches(of: /(src|href)="(?!\/)/).isEmpty, "a request to somebody else")
      }
    }
  }

  @Test("A browser that has a file is told so, and pages of others may import the library")
  func caching() async throws {
    try await client { client in
      let first = try await client.execute(uri: "/assets/fairlead.js", method: .get)
      #expect(first.headers[.contentType] == "text/javascript; charset=utf-8")
      #expect(first.headers[.accessControlAllowOrigin] == "*")
      #expect(first.headers[.cacheControl] == "no-cache")
      let tag = try #require(first.headers[.eTag])
      let again = try await client.execute(
        uri: "/assets/fairlead.js", method: .get, headers: [.ifNoneMatch: tag])
      #expect(again.status == .notModified)
      #expect(again.body.readableBytes == 0)
    }
  }

  @Test("xterm.js, once deploy/assets.sh brought it, may be kept for ever and comes compressed")
  func vendor() async throws {
    try await client { client in
      let path = "/assets/xterm-6.0.0/xterm.js"
      let plain = try await client.execute(uri: path, method: .get)
      guard plain.status == .ok else { return }
      #expect(plain.headers[.contentEncoding] == nil)
      #expect(plain.headers[.cacheControl]?.contains("immutable") == true)
      let compressed = try await client.execute(
        uri: path, method: .get, headers: [.acceptEncoding: "br, gzip;q=0.5"])
      #expect(compressed.headers[.contentEncoding] == "gzip")
      #expect(compressed.body.readableBytes * 3 < plain.body.readableBytes)
      let refused = try await client.execute(
        uri: path, method: .get, headers: [.acceptEncoding: "gzip;q=0"])
      #expect(refused.headers[.contentEncoding] == nil)
    }
  }
}

// The page and the library as the router serves them, with no script that a policy did not allow (promise P9). What
// they do is tested in JavaScriptTests (by Node) and in BrowserTests (by Chromium).

import Foundation
import HTTPTesting
import HTTPTypes
import Hummingbird
import NIOCore
import Testing
import Web

@Suite("The web page")
struct WebPageTests {
  private func webPage(frameAncestors: Set<String> = []) -> Router<BasicRequestContext> {
    let router = Router(context: BasicRequestContext.self)
    addWebPage(to: router, frameAncestors: frameAncestors)
    return router
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
    let page = webPage()
    for (path, content) in Self.sources {
      let response = try await page.ask("/assets/\(path)")
      #expect(response.status == .ok, "\(path) is not embedded; see Sources/CWebFiles/files.c")
      #expect(Data(response.body.readableBytesView) == content, "\(path)")
    }
  }

  @Test("The page is served at / and at /t/SESSION, with no script in it and a policy against any")
  func thePage() async throws {
    let page = webPage(frameAncestors: ["https://console.example.com"])
    for path in ["/", "/t/abc"] {
      let response = try await page.ask(path)
      #expect(response.status == .ok)
      let policy = try #require(response.headers[.contentSecurityPolicy])
      #expect(policy.contains("default-src 'none'; script-src 'self';"))
      #expect(policy.hasSuffix("frame-ancestors 'self' https://console.example.com"))
      let html = String(buffer: response.body)
      #expect(html.matches(of: /<script[^>]*>(?!<\/script>)/).isEmpty)
      #expect(html.matches(of: /\son[a-z]+=/).isEmpty)
      #expect(
        html.matches(of: /(src|href)="(?!(\.\.\/)?assets\/)/).isEmpty, "another's, or not relative")
      #expect(html.contains("=\"../assets/") == (path == "/t/abc"))
      #expect(html.contains("=\"assets/") == (path == "/"))
    }
  }

  @Test("A browser that has a file is told so, and pages of others may import the library")
  func caching() async throws {
    let page = webPage()
    let first = try await page.ask("/assets/fairlead.js")
    #expect(first.headers[.contentType] == "text/javascript; charset=utf-8")
    #expect(first.headers[.accessControlAllowOrigin] == "*")
    #expect(first.headers[.cacheControl] == "no-cache")
    let tag = try #require(first.headers[.eTag])
    let again = try await page.ask(
      "/assets/fairlead.js", headers: [.ifNoneMatch: tag])
    #expect(again.status == .notModified)
    #expect(again.body.readableBytes == 0)
  }

  @Test("xterm.js, once deploy/assets.sh brought it, may be kept for ever and comes compressed")
  func vendor() async throws {
    let page = webPage()
    let path = "/assets/xterm-6.0.0/xterm.js"
    let plain = try await page.ask(path)
    try #require(plain.status == .ok, "./deploy/assets.sh brings it")
    #expect(plain.headers[.contentEncoding] == nil)
    #expect(plain.headers[.cacheControl]?.contains("immutable") == true)
    let compressed = try await page.ask(
      path, headers: [.acceptEncoding: "br, gzip;q=0.5"])
    #expect(compressed.headers[.contentEncoding] == "gzip")
    #expect(compressed.body.readableBytes * 3 < plain.body.readableBytes)
    let refused = try await page.ask(
      path, headers: [.acceptEncoding: "gzip;q=0"])
    #expect(refused.headers[.contentEncoding] == nil)
  }
}

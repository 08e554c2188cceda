// The files of the web page and of the browser's client library, which are part of the binary.

internal import CWebFiles
import NIOCore

/// One file, ready to be sent.
struct WebFile: Sendable {
  /// Below `/assets/`, or `index.html`.
  let path: String
  let type: String
  private(set) var bytes: ByteBuffer
  /// The same, compressed by gzip; nil if it is small.
  let gzip: ByteBuffer?
  /// A weak ETag (RFC 9110, section 8.8.3) of the content, however it is encoded.
  let tag: String
  /// The path names a version: the content never changes.
  let isImmutable: Bool

  /// All of them by path.
  static let all: [String: WebFile] = {
    var count = 0
    let files = UnsafeBufferPointer(start: web_files(&count), count: count)
    return Dictionary(
      files.map { file in
        let path = String(cString: file.path)
        return (path, WebFile(path, file.bytes, file.length, file.gzip, file.gzip_length))
      }, uniquingKeysWith: { first, _ in first })
  }()

  /// The page one level below its root: its addresses lead up first.
  func below() -> WebFile {
    var file = self
    file.bytes = ByteBuffer(
      string: String(buffer: bytes).replacing("\"assets/", with: "\"../assets/"))
    return file
  }

  private init(
    _ path: String, _ bytes: UnsafePointer<UInt8>?, _ length: Int, _ gzip: UnsafePointer<UInt8>?,
    _ gzipLength: Int
  ) {
    let content = UnsafeBufferPointer(start: bytes, count: length)
    self.path = path
    self.type = Self.type(of: path)
    self.bytes = ByteBuffer(bytes: content)
    self.gzip =
      gzipLength > 0
      ? ByteBuffer(bytes: UnsafeBufferPointer(start: gzip, count: gzipLength)) : nil
    // FNV-1a: tells one build's file from another's; it guards nothing.
    let hash = content.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { hash, byte in
      (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }
    self.tag = "W/\"\(String(hash, radix: 16))\""
    self.isImmutable = gzipLength > 0
  }

  private static func type(of path: String) -> String {
    switch path.split(separator: ".").last {
    case "html": "text/html; charset=utf-8"
    case "css": "text/css; charset=utf-8"
    case "js": "text/javascript; charset=utf-8"
    case "svg": "image/svg+xml"
    default: "text/plain; charset=utf-8"
    }
  }
}

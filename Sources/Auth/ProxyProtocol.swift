// The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): a load balancer says before
// the first byte of a connection whose it is. Pure: bytes in, what they mean out.

public enum ProxyHeader: Equatable, Sendable {
  /// More bytes are needed.
  case incomplete
  /// There is no header: all bytes are the client's.
  case none
  /// A header of `length` bytes; nil: the proxy speaks for itself (a health check), or for a client
  /// that has no IP address.
  case client(String?, length: Int)
  /// What cannot be read, and so not be believed.
  case invalid(String)

  private static let signature: [UInt8] = [
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
  ]

  /// Reads the beginning of a connection.
  public static func read(_ bytes: some Collection<UInt8>) -> ProxyHeader {
    let head = Array(bytes.prefix(AuthLimits.proxyBinary))
    if startsLike(head, signature) {
      return head.count < 16 ? .incomplete : readBinary(head)
    }
    if startsLike(head, Array("PROXY ".utf8)) {
      return head.count < 6 ? .incomplete : readText(head)
    }
    return .none
  }

  /// Whether one is the beginning of the other.
  private static func startsLike(_ head: [UInt8], _ pattern: [UInt8]) -> Bool {
    zip(head, pattern).allSatisfy { $0 == $1 }
  }

  private static func readText(_ head: [UInt8]) -> ProxyHeader {
    let line = head.prefix(AuthLimits.proxyText)
    guard let end = line.firstIndex(of: 0x0A) else {
      return line.count < AuthLimits.proxyText ? .incomplete : .invalid("its line does not end")
    }
    guard end > 0, line[end - 1] == 0x0D else { return .invalid("its line does not end in CR LF") }
    let text = String(decoding: line[..<(end - 1)], as: UTF8.self)
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    let length = end + 1
    guard words.count >= 2 else { return .invalid("it has no family") }
    if words[1] == "UNKNOWN" { return .client(nil, length: length) }
    guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6" else {
      return .invalid("it is not TCP4, TCP6 or UNKNOWN with two addresses and two ports")
    }
    let isSix = words[1] == "TCP6"
    guard let source = IPAddress(String(words[2])), IPAddress(String(words[3])) != nil,
      words[2].contains(":") == isSix, words[3].contains(":") == isSix,
      isPort(words[4]), isPort(words[5])
    else { return .invalid("an address or a port is none") }
    return .client(source.description, length: length)
  }

  private static func isPort(_ text: Substring) -> Bool {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
      let number = Int(text)
    else { return false }
    return number <= 65_535 && (text.utf8.count == 1 || text.utf8.first != 48)
  }

  private static func readBinary(_ head: [UInt8]) -> ProxyHeader {
    guard head[12] >> 4 == 2 else { return .invalid("its version is not 2") }
    let length = 16 + Int(head[14]) << 8 + Int(head[15])
    guard length <= AuthLimits.proxyBinary else { return .invalid("it has \(length) bytes") }
    guard head.count >= length else { return .incomplete }
    switch head[12] & 0x0F {
    case 0: return .client(nil, length: length)
    case 1: break
    default: return .invalid("its command is unknown")
    }
    let size: Int
    switch head[13] {
    case 0x11: size = 4
    case 0x21: size = 16
    case 0x00, 0x12, 0x22, 0x31, 0x32: return .client(nil, length: length)
    default: return .invalid("its address family is unknown")
    }
    guard length - 16 >= 2 * size + 4 else { return .invalid("its addresses are cut off") }
    return .client(
      IPAddress(bytes: Array(head[16..<(16 + size)])).description, length: length)
  }
}

// Bytes as text that is safe in a URL and in JSON: base64url (RFC 4648 section 5) without padding. Pure.

import FoundationEssentials

public func base64URLEncode(_ bytes: some Sequence<UInt8>) -> String {
  Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    .replacing("=", with: "")
}

/// Nil for anything but whole base64url.
public func base64URLDecode(_ text: some Collection<UInt8>) -> [UInt8]? {
  var standard: [UInt8] = []
  standard.reserveCapacity(text.count + 3)
  for byte in text {
    switch byte {
    case UInt8(ascii: "-"): standard.append(UInt8(ascii: "+"))
    case UInt8(ascii: "_"): standard.append(UInt8(ascii: "/"))
    case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
    default: standard.append(byte)
    }
  }
  while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
  return Data(base64Encoded: Data(standard)).map { Array($0) }
}

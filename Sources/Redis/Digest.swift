// SHA-1 by OpenSSL: the name under which Redis keeps a script (EVALSHA).

internal import COpenSSL
import Wire

func sha1(of text: String) -> String {
  var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
  let bytes = Array(text.utf8)
  _ = SHA1(bytes, bytes.count, &digest)
  return digest.hexadecimal
}

// A private CA in a folder of its own, with the certificates that the tests ask for.

import Foundation
import TLS

final class TestCertificates: Sendable {
  let folder: URL
  private let issuer: URL

  /// - Parameter name: of the CA.
  init(_ name: String = "test CA") throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("fairlead-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    issuer = folder.appendingPathComponent("ca-key.pem")
    let authority = try CertificateAuthority(name: name, validity: Self.now(-3_600, 86_400))
    try Self.write(try authority.issued, folder, "ca")
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  var ca: String { folder.appendingPathComponent("ca.pem").path }

  static func now(_ from: Int64, _ to: Int64) -> ClosedRange<Int64> {
    let now = Int64(Date().timeIntervalSince1970)
    return (now + from)...(now + to)
  }

  /// Issues a certificate into NAME.pem and NAME-key.pem, over what is there.
  @discardableResult func issue(
    _ name: String = "server", hosts: [String] = ["localhost", "127.0.0.1"],
    use: CertificateAuthority.Use = .server, validity: ClosedRange<Int64> = now(-3_600, 86_400)
  ) throws -> TLSConfiguration.Identity {
    let authority = try CertificateAuthority(certificate: ca, key: issuer.path)
    let issued = try authority.issue(name, hosts: hosts, use: use, validity: validity)
    try Self.write(issued, folder, name)
    return identity(name)
  }

  func identity(_ name: String) -> TLSConfiguration.Identity {
    TLSConfiguration.Identity(certificate: path(name), key: path(name + "-key"))
  }

  func path(_ name: String) -> String { folder.appendingPathComponent(name + ".pem").path }

  private static func write(_ issued: IssuedCertificate, _ folder: URL, _ name: String) throws {
    let files = [(name + ".pem", issued.certificate), (name + "-key.pem", issued.key)]
    for (file, text) in files {
      try text.write(
        to: folder.appendingPathComponent(file), atomically: true, encoding: .utf8)
    }
  }

  // MARK: Contexts

  func server(
    _ identity: TLSConfiguration.Identity? = nil, clientCA: String? = nil, protocols: [String] = []
  ) throws -> TLSContext {
    try TLSContext(
      .server([identity ?? issue()], clientAuthorities: clientCA, protocols: protocols))
  }

  func client(
    identity: TLSConfiguration.Identity? = nil, protocols: [String] = []
  ) throws -> TLSContext {
    try TLSContext(.client(trust: .authorities(ca), identity: identity, protocols: protocols))
  }
}

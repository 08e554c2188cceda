// `fairlead certs init DIR`: a private CA, and certificates for nodes, routers and hosts.

import ArgumentParser
import FoundationEssentials
import Glibc
import Registry
import TLS
import Wire

struct CertsInitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Make a private CA and the cluster's certificates.",
    discussion: """
      Writes into DIR, each with its key beside it (NAME-key.pem, readable by this user alone):

        ca.pem          the CA, for --link-ca
        node-NAME.pem   one per --node, for its --link-cert
        router.pem      for the routers' --link-cert
        server.pem      for the routers' --tls-cert, if there is a --host

      Nothing is ever overwritten: with a CA in DIR already, what is missing is made by it, so that a \
      node can be added later. Keep ca-key.pem away from the servers: whoever has it can make routers.

        fairlead certs init certs --node a,10.0.0.5 --node b,10.0.0.6 --host term.example.com
        fairlead node --id a --link-cert certs/node-a.pem --link-key certs/node-a-key.pem \\
          --link-ca certs/ca.pem …
      """)

  @Argument(help: "The folder; made if it does not exist.")
  var directory: String

  @Option(
    help: ArgumentHelp(
      "A node: its --id, and the addresses by which routers reach it; may be given again.",
      valueName: "name,host…"))
  var node: [String] = []

  @Option(
    help: ArgumentHelp(
      "A name or address by which clients reach the routers; may be given again.",
      valueName: "host"))
  var host: [String] = []

  @Option(help: "How long they are valid; the CA is for ten years.")
  var days = 825

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (1...CommandLimits.certificateDays).contains(days) else {
      throw ValidationError("--days is 1 to \(CommandLimits.certificateDays)")
    }
    for node in node where NodeID(name(of: node)) == nil {
      throw ValidationError("--node \(node): NAME[,HOST…], where NAME is the node's --id")
    }
    for host in host where !canBeNamed(host) {
      throw ValidationError(
        "--host \(host): a host's name or an IP address, one each; for another one, --host again")
    }
    for node in node {
      for host in node.split(separator: ",").dropFirst() where !canBeNamed(String(host)) {
        throw ValidationError("--node \(node): \(host) is neither a host's name nor an IP address")
      }
    }
  }

  private func name(of node: String) -> String {
    node.split(separator: ",").first.map(String.init) ?? ""
  }

  /// All are made before the first is written: what one of them fails by leaves nothing behind.
  func run() async throws {
    var files: [(name: String, issued: IssuedCertificate?)] = []
    let authority: CertificateAuthority
    if exists("ca") {
      authority = try CertificateAuthority(certificate: path("ca"), key: path("ca-key"))
      files.append(("ca", nil))
    } else {
      authority = try CertificateAuthority(
        name: "Fairlead CA", validity: validity(CommandLimits.certificateDays))
      files.append(("ca", try authority.issued))
    }
    func make(_ file: String, _ name: String, _ hosts: [String], _ use: CertificateAuthority.Use)
      throws
    {
      let issued =
        exists(file)
        ? nil : try authority.issue(name, hosts: hosts, use: use, validity: validity(days))
      files.append((file, issued))
    }
    for node in node {
      let hosts = node.split(separator: ",").map(String.init)
      try make("node-\(hosts[0])", hosts[0], hosts, .peer)
    }
    try make("router", "router", [], .client)
    // A common name has at most 64 characters (RFC 5280, ub-common-name), and is for people only.
    if !host.isEmpty { try make("server", String(host[0].prefix(64)), host, .server) }
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    for file in files { if let issued = file.issued { try write(issued, to: file.name) } }
    let views = try files.map { path($0.name) }.flatMap { file in
      try certificates(in: file).map { CertificateView(file, $0) }
    }
    try output.show(
      views, names: { $0.map(\.source) }, table: { CertificateView.table($0).text })
  }

  private func exists(_ name: String) -> Bool { access(path(name), F_OK) == 0 }

  /// From a while ago on.
  private func validity(_ days: Int) -> ClosedRange<Int64> {
    let now = Int64(WallClock.seconds)
    return (now - CommandLimits.certificateSkew)...(now + Int64(days) * 86_400)
  }

  private func path(_ name: String) -> String { directory + "/" + name + ".pem" }

  /// The key first: a certificate that exists has its key.
  private func write(_ issued: IssuedCertificate, to name: String) throws {
    try create(path(name + "-key"), issued.key, mode: 0o600)
    try create(path(name), issued.certificate, mode: 0o644)
  }

  private func create(_ path: String, _ text: String, mode: mode_t) throws {
    func failure() -> TLSError {
      TLSError(.configuration, "\(path): \(String(cString: strerror(errno)))")
    }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw failure() }
    defer { close(descriptor) }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw failure() }
      bytes = bytes.dropFirst(count)
    }
  }
}

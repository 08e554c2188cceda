// `fairlead certs show`: what certificates say, in files or on a port that listens, and when they end.

import ArgumentParser
import NIOCore
import NIOPosix
import NIOTLS
import Registry
import TLS
import Transport
import Wire

struct CertsShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show certificates and when they end.",
    discussion: """
      Of files; of a port that listens; or, with neither, of the files that this environment names \
      (FAIRLEAD_TLS_CERT, FAIRLEAD_LINK_CERT, FAIRLEAD_LINK_CA, …). For a port it is also said what a \
      client would find wrong.

        fairlead certs show certs/*.pem
        fairlead certs show --connect term.example.com:443
        fairlead certs show --connect 10.0.0.5:7080 --name a --ca certs/ca.pem -o json
      """)

  @Argument(help: "PEM files.")
  var files: [String] = []

  @Option(help: ArgumentHelp("Ask the TLS server there.", valueName: "host:port"))
  var connect: AddressOption?

  @Option(help: "The host's name to ask for, if it is another than in --connect.")
  var name: String?

  @Option(
    help: ArgumentHelp("PEM file of the CAs to trust instead of the system's.", valueName: "file"))
  var ca: String = fromEnvironment("CA", default: "")

  @OptionGroup var output: OutputOptions

  func run() async throws {
    var views: [CertificateView] = []
    var failures: [TLSError] = []
    if let connect {
      views = try await ask(connect)
    } else {
      let files = files.isEmpty ? Self.filesInUse : files
      guard !files.isEmpty else {
        throw ValidationError("name PEM files, or --connect HOST:PORT")
      }
      for file in files {
        do throws(TLSError) {
          views += try certificates(in: file).map { CertificateView(file, $0) }
        } catch {
          // Keys lie beside certificates, and `certs/*.pem` means those.
          if isPrivateKey(file) {
            complain("\(file) holds a private key, which is not shown")
          } else {
            failures.append(error)
          }
        }
      }
    }
    if !views.isEmpty {
      let faults = Set(views.compactMap(\.fault)).map { "\na client refuses it: \($0)" }
      try output.show(
        views, names: { $0.map(\.source) },
        table: { CertificateView.table($0).text + faults.joined() })
    }
    for failure in failures { complain("Error: \(failure)") }
    if !failures.isEmpty || views.isEmpty { throw ExitCode.failure }
  }

  private static var filesInUse: [String] {
    let names = [
      "TLS_CERT", "TLS_CLIENT_CA", "LINK_CERT", "LINK_CA", "REDIS_CA", "REDIS_CERT", "DOCKER_CA",
      "DOCKER_CERT", "CA", "CERT",
    ]
    return names.flatMap { (environment($0) ?? "").split(separator: ",").map(String.init) }
  }

  /// Looks at the certificates, whoever's they are; then connects again as a client would.
  private func ask(_ address: AddressOption) async throws -> [CertificateView] {
    let host = name ?? address.address.host
    let seen = try await shakeHands(TLSContext(.client(trust: .anyone)), host, address)
    var fault: String?
    do {
      let trust = ca.isEmpty ? TLSConfiguration.Trust.standard : .authorities(ca)
      _ = try await shakeHands(TLSContext(.client(trust: trust)), host, address)
    } catch let error as TLSError {
      fault = error.message
    }
    return seen.map { CertificateView("\(address)", $0, fault: fault) }
  }

  private func shakeHands(
    _ context: TLSContext, _ host: String, _ address: AddressOption
  ) async throws -> [CertificateSummary] {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let promise = eventLoop.makePromise(of: [CertificateSummary].self)
    let channel: any Channel
    do {
      let there = Address.tcp(host: address.address.host, port: address.address.port)
      channel = try await Connector(there).connect(on: eventLoop, within: CommandLimits.connect) {
        channel in
        let handler = try TLSHandler(context, serverNames: [host])
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.pipeline.syncOperations.addHandler(
          HandshakeWaiter(handler.connection, promise))
        return channel
      }.get()
    } catch {
      promise.fail(error)
      _ = try? await promise.futureResult.get()
      throw TLSError(.handshake, "cannot connect to \(address): \(cause(of: error))")
    }
    defer { channel.close(promise: nil) }
    return try await promise.futureResult.get()
  }
}

private final class HandshakeWaiter: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let connection: TLSConnection
  private let promise: EventLoopPromise<[CertificateSummary]>

  init(_ connection: TLSConnection, _ promise: EventLoopPromise<[CertificateSummary]>) {
    self.connection = connection
    self.promise = promise
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is TLSUserEvent { promise.succeed(connection.peerCertificates) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.fail(error) }

  func channelInactive(context: ChannelHandlerContext) { promise.fail(ChannelError.eof) }
}

/// A certificate as the commands show it.
struct CertificateView: Encodable {
  /// The file, or the address.
  var source: String
  var subject: String
  var issuer: String
  var names: [String]
  var isAuthority: Bool
  var notBefore: String
  var notAfter: String
  /// Until the end; negative after it.
  var secondsLeft: Int64
  var fingerprint: String
  /// Why a client would refuse it.
  var fault: String?

  init(_ source: String, _ certificate: CertificateSummary, fault: String? = nil) {
    self.source = source
    subject = certificate.subject
    issuer = certificate.issuer
    names = certificate.names
    isAuthority = certificate.isAuthority
    notBefore = utc(certificate.notBefore)
    notAfter = utc(certificate.notAfter)
    secondsLeft = certificate.notAfter - Int64(WallClock.seconds)
    fingerprint = certificate.fingerprint
    self.fault = fault
  }

  static func table(_ certificates: [CertificateView]) -> Table {
    var table = Table("WHERE", "SUBJECT", "ISSUER", "NAMES", "ENDS", "LEFT")
    table.keepsBlanks = true
    for certificate in certificates {
      let left = humanTime(milliseconds: certificate.secondsLeft.magnitude * 1_000)
      let names = certificate.names.joined(separator: ",")
      table.add(
        certificate.source, certificate.subject, certificate.issuer,
        certificate.isAuthority ? "(CA)" : names.isEmpty ? "-" : names, certificate.notAfter,
        certificate.secondsLeft < 0 ? "ended \(left) ago" : left)
    }
    return table
  }
}

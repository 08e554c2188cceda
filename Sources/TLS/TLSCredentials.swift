// Certificates that change while the program runs. New connections use what the files hold now; those
// that exist keep what they began with. A file that cannot be used changes nothing and is reported.

internal import Glibc
public import Logging
internal import NIOConcurrencyHelpers
public import NIOCore
public import Wire

public final class TLSCredentials: Sendable {
  public let configuration: TLSConfiguration
  private let logger: Logger
  private let current: NIOLockedValueBox<Loaded>

  private struct Loaded {
    var context: TLSContext
    /// Of the files when they were last read, whether or not they could be used.
    var stamps: [FileStamp]
  }

  /// - Throws: ``TLSError`` when the files cannot be used.
  public init(_ configuration: TLSConfiguration, logger: Logger) throws(TLSError) {
    self.configuration = configuration
    self.logger = logger
    let stamps = configuration.files.map(FileStamp.init)
    let loaded = Loaded(context: try TLSContext(configuration), stamps: stamps)
    current = NIOLockedValueBox(loaded)
    warnOfEnd(loaded.context)
  }

  /// For a new connection.
  public var context: TLSContext { current.withLockedValue { $0.context } }

  /// The handler of a new connection, which goes next to the socket.
  /// - Parameters: as for ``TLSHandler/init(_:serverNames:handshakeDeadline:answerInClear:logger:)``.
  public func handler(
    serverNames: [String] = [], answerInClear: ByteBuffer? = nil
  ) throws(TLSError) -> TLSHandler {
    try TLSHandler(
      context, serverNames: serverNames, answerInClear: answerInClear, logger: logger)
  }

  /// Reads the files again, whether or not they seem to have changed.
  /// - Returns: nil, or why the former ones stay in use.
  @discardableResult public func reload() -> TLSError? {
    // Taken first: a file that changes while it is read is read again the next time.
    let stamps = configuration.files.map(FileStamp.init)
    do {
      let context = try TLSContext(configuration)
      current.withLockedValue { $0 = Loaded(context: context, stamps: stamps) }
      logger.info(
        "certificates were read again",
        metadata: ["files": "\(configuration.files.joined(separator: " "))"])
      warnOfEnd(context)
      return nil
    } catch {
      current.withLockedValue { $0.stamps = stamps }
      logger.error(
        "new certificates cannot be used; the former ones stay in use",
        metadata: ["error": "\(error)"])
      return error
    }
  }

  /// Reloads when a file has changed, until the task is cancelled.
  public func watch(every interval: Duration = TLSLimits.reload) async {
    while !Task.isCancelled {
      try? await Task.sleep(for: interval)
      if Task.isCancelled { return }
      let stamps = configuration.files.map(FileStamp.init)
      if stamps != current.withLockedValue({ $0.stamps }) { reload() }
    }
  }

  private func warnOfEnd(_ context: TLSContext) {
    let now = Int64(WallClock.seconds)
    for certificate in context.certificates where certificate.notAfter < now + TLSLimits.warning {
      logger.warning(
        certificate.notAfter < now
          ? "a certificate in use has expired" : "a certificate in use ends soon",
        metadata: ["subject": "\(certificate.subject)", "end": "\(utc(certificate.notAfter))"])
    }
  }
}

/// Changes whenever a file is written or replaced.
private struct FileStamp: Equatable {
  var inode: UInt64 = 0
  var size: Int64 = 0
  var seconds = 0
  var nanoseconds = 0

  init(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    inode = UInt64(status.st_ino)
    size = Int64(status.st_size)
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}

// What a holder is told of a session's process: the same of a process of this machine and of one in a container.

import Holder
import NIOCore
import Wire

struct HeldProcess {
  /// Where its program may be: the first one that can be executed is.
  var paths: [String]
  /// Argument 0 for each of these; empty: that of `arguments`.
  var names: [String] = []
  /// From argument 0 on.
  var arguments: [String]
  var environment: [String: String]
  /// The holder's own environment comes beside it.
  var addsHoldersEnvironment = false
  var directory: String
  /// A directory that is not there is no fault: `/` then.
  var isDirectoryPreferred: Bool
  /// Nil: the holder's own.
  var user: HeldUser?
  /// How many descriptors it may have; nil: as many as the holder.
  var files: FileLimit?
}

extension StartRequest {
  /// - Parameter seal: of the place where it is to be held.
  init(_ request: PipeRequest, _ process: HeldProcess, seal: Seal) {
    // By which whatever the session leaves behind is found at its end.
    let mark = "FAIRLEAD_MARK=\(request.session)/\(request.epoch.rawValue)"
    self.init(
      tag: 0, epoch: request.epoch.rawValue, columns: UInt16(clamping: request.size.columns),
      rows: UInt16(clamping: request.size.rows), logLimit: UInt32(clamping: request.logLimit),
      orphanAfter: UInt32(clamping: WireLimits.orphan / 1_000),
      descriptor: seal.close(request.descriptor), mark: Array(mark.utf8),
      paths: process.paths.map { Array($0.utf8) }, names: process.names.map { Array($0.utf8) },
      arguments: process.arguments.map { Array($0.utf8) },
      environment: process.environment.map { Array("\($0)=\($1)".utf8) } + [Array(mark.utf8)],
      addsHoldersEnvironment: process.addsHoldersEnvironment,
      directory: Array(process.directory.utf8),
      isDirectoryPreferred: process.isDirectoryPreferred, user: process.user,
      filesSoft: process.files?.soft ?? 0, filesHard: process.files?.hard ?? 0)
  }
}

// Notes in a node's state directory of the sessions that are being ended, one file each: a holder that is stopped hears
// nothing of that, and the node may be gone when it goes on. The node's next start ends them (promise P10).

import Foundation
import Logging
public import NIOCore
import NIOPosix
import PrivateFiles
public import Wire

public struct EndingNotes: Sendable {
  private let folder: String
  private let logger: Logger

  init(in directory: String, logger: Logger) {
    folder = directory + "/endings"
    self.logger = logger
  }

  /// Completes when a session of this life will not be forgotten; also when that cannot be, which the log says.
  /// - Parameter cause: one word, why it is ended.
  public func write(_ cause: String, of life: Life, on eventLoop: any EventLoop)
    -> EventLoopFuture<Void>
  {
    NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { [path = path(of: life), logger] in
      do { try PrivateFile.write(Array(cause.utf8), to: path) } catch {
        logger.warning(
          "that a session is to end could not be noted: if its holder is silent until the next start, it goes on",
          metadata: ["error": "\(error)"])
      }
    }
  }

  /// It has ended.
  public func remove(_ life: Life) {
    NIOThreadPool.singleton.submit { [path = path(of: life)] _ in
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  /// Why which sessions were to end. What is too old is removed: its holder never went on.
  public func all() async -> [Life: String] {
    let found = try? await NIOThreadPool.singleton.runIfActive { [folder] in
      let files = FileManager.default
      let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
      var causes: [Life: String] = [:]
      for name in names.prefix(PipeLimits.endingNotes) {
        let path = "\(folder)/\(name)"
        let written = (try? files.attributesOfItem(atPath: path))?[.modificationDate] as? Date
        if let written, -written.timeIntervalSinceNow > PipeLimits.endingNoteAge {
          try? files.removeItem(atPath: path)
        } else if let life = Life(name), let bytes = try? PrivateFile.read(path) {
          causes[life] = String(decoding: bytes, as: UTF8.self)
        }
      }
      return causes
    }
    return found ?? [:]
  }

  private func path(of life: Life) -> String { "\(folder)/\(life)" }
}

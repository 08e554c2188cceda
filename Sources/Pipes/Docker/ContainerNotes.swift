// Notes in a node's state directory of the containers in which it has holders, one file each, so that its next start finds
// them without looking through all containers. They are hints: what they miss, that look finds.

import Foundation
import Logging
import NIOPosix
import PrivateFiles

struct ContainerNotes: Sendable {
  private let folder: String
  private let logger: Logger

  init(in directory: String, logger: Logger) {
    folder = directory + "/containers"
    self.logger = logger
  }

  struct Note: Codable, Sendable {
    var container: String
    var user: String?
    var program: String
    var directory: String
  }

  /// On a thread for files: it returns before it is done.
  func write(_ note: Note, as name: String) {
    perform { [path = path(of: name), logger] in
      do { try PrivateFile.write(Array(JSONEncoder().encode(note)), to: path) } catch {
        logger.warning(
          "a holder in a container could not be noted", metadata: ["error": "\(error)"])
      }
    }
  }

  func remove(_ name: String) {
    perform { [path = path(of: name)] in try? FileManager.default.removeItem(atPath: path) }
  }

  func all() async -> [(name: String, note: Note)] {
    let found = try? await NIOThreadPool.singleton.runIfActive { [folder] in
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return names.prefix(PipeLimits.containerHolders).compactMap { name in
        guard let bytes = try? PrivateFile.read("\(folder)/\(name)"),
          let note = try? JSONDecoder().decode(Note.self, from: Data(bytes))
        else { return nil as (String, Note)? }
        return (name, note)
      }
    }
    return found ?? []
  }

  private func path(of name: String) -> String { "\(folder)/\(name)" }

  private func perform(_ body: @escaping @Sendable () -> Void) {
    NIOThreadPool.singleton.submit { _ in body() }
  }
}

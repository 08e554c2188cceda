// The state directory of a node, and the folders of holders in it.

import Foundation
import Glibc
import Logging
import Testing

@testable import Pipes

@Suite("A state directory") struct HolderHomeTests {
  private let directory = NSTemporaryDirectory() + "/fl-home-\(UUID().uuidString)"
  private var older: String { directory + "/holder-0000older" }

  private func home() throws -> HolderHome {
    try HolderHome(directory, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  private func clear() { try? FileManager.default.removeItem(atPath: directory) }

  @Test("loses the folder of a holder that is no more") func deadHolder() throws {
    defer { clear() }
    _ = try LocalHolder.lock(older)
    #expect(FileManager.default.createFile(atPath: older + "/holder", contents: nil))
    #expect(FileManager.default.createFile(atPath: older + "/fairlead-holder", contents: nil))
    #expect(try home().older.isEmpty)
    #expect(access(older, F_OK) != 0)
  }

  @Test("keeps the folder of a holder of another version that is about to listen there")
  func startingHolder() throws {
    defer { clear() }
    let lock = try LocalHolder.lock(older)
    #expect(try home().older.map(\.directory) == [older])
    #expect(access(older + "/holder.lock", F_OK) == 0)
    withExtendedLifetime(lock) {}
  }
}

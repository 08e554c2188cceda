// The state directories of a machine's nodes that take over each other's terminals (promise P3: what somebody else has put
// there is left alone).

import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Wire

@testable import Pipes

@Suite("State directories that lie beside each other") struct SiblingHomesTests {
  private let parent = "/tmp/fl-beside-\(UUID().uuidString.prefix(8))"
  private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func home(_ name: String) throws -> HolderHome {
    try HolderHome("\(parent)/\(name)", logger: logger, patience: .zero, hasSiblings: true)
  }

  /// Runs `body` with two of them, the second with a holder.
  private func withTwo(_ body: (HolderHome, HolderHome) async throws -> Void) async throws {
    let (a, b) = (try home("a"), try home("b"))
    _ = try b.ensureRunning()
    var failure: (any Error)?
    do { try await body(a, b) } catch { failure = error }
    try await end(b)
    try? FileManager.default.removeItem(atPath: parent)
    if let failure { throw failure }
  }

  private func end(_ home: HolderHome) async throws {
    let process = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap(
      Int32.init
    )
    .first {
      FileManager.default.contents(atPath: "/proc/\($0)/cmdline").map {
        String(decoding: $0, as: UTF8.self).contains(home.current.directory + "\0")
      } ?? false
    }
    if let process { kill(process, SIGKILL) }
  }

  @Test("are not taken for copies of them") func copies() async throws {
    try await withTwo { a, b in
      await a.siblings?.look()
      #expect(a.siblings?.place(of: b.name) == "\(parent)/b")
      let copy = try ChildProcess("/bin/cp", ["-a", "\(parent)/b", "\(parent)/B.bak"])
      #expect(try await copy.waitForExit() == 0)
      for _ in 0..<3 { await a.siblings?.look() }
      #expect(a.siblings?.names == [b.name])
      #expect(a.siblings?.place(of: b.name) == "\(parent)/b")
      // One that cannot be read for a moment is silent, and not gone.
      chmod("\(parent)/b", 0o755)
      await a.siblings?.look()
      #expect(a.siblings?.names == [b.name])
      chmod("\(parent)/b", 0o700)
    }
  }

  @Test("know each other by their holders") func labels() async throws {
    try await withTwo { a, b in
      let own = try #require(HolderName.label(of: a.name))
      #expect(a.labels == [own.key: own.value])
      await a.siblings?.look()
      #expect(a.siblings?.names == [b.name])
      #expect(HolderName.isReached(b.name, by: a.labels))
      #expect(a.labels.count == 2)
      // One that no node has told so is found all the same, by those that were told.
      let alone = try HolderHome("\(parent)/c", logger: logger, patience: .zero)
      #expect(alone.labels.isEmpty)
      // It has no holder yet.
      await a.siblings?.look()
      #expect(a.siblings?.names == [b.name])
    }
  }

  @Test("say that a holder which is gone has nothing, and that one out of reach is silent")
  func gone() async throws {
    try await withTwo { a, b in
      let loop = MultiThreadedEventLoopGroup.singleton.next()
      await a.siblings?.look()
      func kept() async throws -> KeptEntries? {
        try await loop.flatSubmit {
          a.kept(by: b.name, on: loop)?.map { Optional($0) } ?? loop.makeSucceededFuture(nil)
        }.get()
      }
      let there = try #require(try await kept())
      #expect(there.entries.isEmpty && there.silent.isEmpty)
      try await end(b)
      try await eventually("what it had is lost") {
        let gone = try await kept()
        return gone?.entries.isEmpty == true && gone?.silent.isEmpty == true
      }
      #expect(rename("\(parent)/b", "\(parent)/.away") == 0)
      let away = try #require(try await kept())
      #expect(away.silent.siblings == [b.name] && away.silent.mayInclude(b.name))
      #expect(try await kept() == nil, "this node does not say any more that it reaches it")
      #expect(rename("\(parent)/.away", "\(parent)/b") == 0)
    }
  }

  @Test("are left alone where others may have made them") func forged() async throws {
    try await withTwo { a, b in
      let path = "\(parent)/b"
      #expect(chmod(path, 0o755) == 0)
      await a.siblings?.look()
      #expect(a.siblings?.names == [])
      #expect(chmod(path, 0o700) == 0)
      #expect(chmod(path + "/key", 0o644) == 0)
      await a.siblings?.look()
      #expect(a.siblings?.names == [])
      #expect(chmod(path + "/key", 0o600) == 0)
      // Another user's.
      if geteuid() == 0 {
        #expect(chown(path, 12_345, 12_345) == 0)
        await a.siblings?.look()
        #expect(a.siblings?.names == [])
        #expect(chown(path, 0, 0) == 0)
      }
      // One that leads elsewhere.
      #expect(rename(path, "\(parent)/.b") == 0)
      #expect(symlink("\(parent)/.b", path) == 0)
      await a.siblings?.look()
      #expect(a.siblings?.names == [])
      #expect(unlink(path) == 0)
      #expect(rename("\(parent)/.b", path) == 0)
      await a.siblings?.look()
      #expect(a.siblings?.names == [b.name])
      // Who gets at their common directory could put any there.
      #expect(chmod(parent, 0o755) == 0)
      await a.siblings?.look()
      #expect(a.siblings?.names == [])
      #expect(throws: StateDirectoryError.self) { try home("d") }
      #expect(chmod(parent, 0o700) == 0)
    }
  }

  @Test("need holders") func options() {
    var options = PipeOptions()
    options["takeover"] = "siblings"
    #expect(options.holderProblem == nil)
    options["holder"] = "off"
    #expect(options.holderProblem != nil)
    options["takeover"] = "off"
    #expect(options.holderProblem == nil)
    options["takeover"] = "sibling"
    #expect(options.holderProblem != nil)
  }
}

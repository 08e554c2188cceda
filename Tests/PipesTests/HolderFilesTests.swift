// What is put into a container to hold its terminals, and what of a holder there is believed.

import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Pipes

@Suite struct HolderFilesTests {
  @Test func theArchiveIsOneThatTarReads() async throws {
    let program = ByteBuffer(repeating: 7, count: 70_001)
    let archive = HolderFiles.archive(of: program)
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("holder-\(UUID().uuidString).tar")
    try Data(archive.readableBytesView).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let tar = try ChildProcess("/usr/bin/env", ["tar", "-tvf", file.path])
    #expect(try await tar.waitForExit(atMost: .seconds(30)) == 0)
    let lines = tar.output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first?.hasPrefix("drwxrwxrwt root/root") == true, "\(tar.output)")
    #expect(lines.last?.hasPrefix("-rwxr-xr-x root/root") == true, "\(tar.output)")
    #expect(lines.last?.contains(" 70001 ") == true, "\(tar.output)")
  }

  @Test func aSealIsOfItsPlaceAndKey() {
    let seal = Seal([UInt8](repeating: 1, count: 32), place: "here")
    let sealed = seal.close([1, 2, 3])
    #expect(seal.open(sealed) == [1, 2, 3])
    #expect(Seal([UInt8](repeating: 1, count: 32), place: "there").open(sealed) == nil)
    #expect(Seal([UInt8](repeating: 2, count: 32), place: "here").open(sealed) == nil)
    for index in sealed.indices {
      var forged = sealed
      forged[index] ^= 1
      #expect(seal.open(forged) == nil)
    }
    #expect(seal.open([]) == nil)
  }

  @Test func whereAContainersHolderIsIsKnownToWhoHasTheKey() {
    let key = [UInt8](repeating: 3, count: 32)
    let place = ContainerHolder.Place(container: "abc", user: nil)
    let other = ContainerHolder.Place(container: "abc", user: "1000")
    #expect(
      ContainerHolder.token(of: place, key: key) == ContainerHolder.token(of: place, key: key))
    #expect(
      ContainerHolder.token(of: place, key: key) != ContainerHolder.token(of: other, key: key))
    #expect(
      ContainerHolder.token(of: place, key: key)
        != ContainerHolder.token(of: place, key: [UInt8](repeating: 4, count: 32)))
  }

  @Test(arguments: ["in:/tmp/.fairlead-1-2\n", "in:relative\n", "", "in:/x", "out:/tmp\n"])
  func whatTheShellPrintsIsAFolder(_ printed: String) {
    let files = HolderFiles(printed: printed)
    if printed.hasPrefix("in:/") {
      #expect(
        files?.program == String(printed.dropFirst(3)).trimmingCharacters(in: .newlines)
          + "/fairlead-holder")
    } else {
      #expect(files == nil)
    }
  }
}

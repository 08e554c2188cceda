// What is put into a container to hold its terminals, and what of a holder there is believed
// (promise P9).

import Foundation
import Glibc
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
    #expect(lines.last?.hasPrefix("-rwx--x--x root/root") == true, "\(tar.output)")
    #expect(lines.last?.contains(" 70001 ") == true, "\(tar.output)")
  }

  /// Where everybody may write, another user's program may be in the place of ours.
  @Test func outsideOfTheRootOnlyTheUsersOwnProgramIsExecuted() async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/holder-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let own = "\(folder)/own"
    try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: false)
    let program = "\(own)/fairlead-holder"
    try Data("#!/bin/sh\necho \"ran $1 $2\"\n".utf8).write(to: URL(filePath: program))
    chmod(program, 0o700)
    func run(_ folder: String) async throws -> (code: Int, output: String) {
      let words = HolderFiles(program: "\(folder)/fairlead-holder", directory: folder)
        .command("relay")
      let process = try ChildProcess(words[0], Array(words.dropFirst()))
      let code = try await process.waitForExit()
      return (code, process.output)
    }
    let ours = try await run(own)
    #expect(ours.code == 0 && ours.output.contains("ran relay \(own)"), "\(ours)")
    #expect(symlink(own, "\(folder)/link") == 0)
    #expect(try await run("\(folder)/link").code == 126)
    #expect(try await run("\(folder)/none").code == 126)
    guard geteuid() == 0 else { return }
    chown(program, 1, 1)
    #expect(try await run(own).code == 126, "the program is another's")
    chown(program, 0, 0)
    chown(own, 1, 1)
    #expect(try await run(own).code == 126, "its folder is another's")
  }

  @Test(arguments: ["/.fairlead-1/fairlead-holder", "/tmp/.fairlead-1-2/fairlead-holder"])
  func anExecOfAHolderIsKnownByItsWords(_ program: String) throws {
    let files = HolderFiles(program: program, directory: "/somewhere/token")
    func state(_ words: [String]) throws -> Pipes.DockerEngine.ExecState {
      let config = ["entrypoint": words[0], "arguments": Array(words.dropFirst())] as [String: Any]
      let body = try JSONSerialization.data(
        withJSONObject: [
          "Running": true, "Pid": 1, "ContainerID": "1", "ProcessConfig": config,
        ] as [String: Any])
      return try Pipes.DockerEngine.decode(
        Pipes.DockerEngine.ExecState.self, ByteBuffer(bytes: body))
    }
    #expect(HolderFiles(try state(files.command("serve")), token: "token") == files)
    #expect(HolderFiles(try state(files.command("serve")), token: "other") == nil)
    #expect(HolderFiles(try state(files.command("relay")), token: "token") == nil)
    #expect(HolderFiles(try state(["sh"]), token: "token") == nil)
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

  /// Bytes 18 and 19 of an ELF file say for which processor it is (e_machine).
  @Test(arguments: [("x86_64", 0x3e), ("aarch64", 0xb7)] as [(String, UInt16)])
  func theProgramIsOfTheProcessorThatIsAskedFor(_ processor: String, _ machine: UInt16) throws {
    guard let program = HolderFiles.binary(for: processor) else {
      try Test.cancel("this build carries no holder for \(processor)")
    }
    #expect(program.getInteger(at: 18, endianness: .little, as: UInt16.self) == machine)
    #expect(HolderFiles.binary(for: "riscv64") == nil)
  }
}

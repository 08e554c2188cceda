// The client against a real router, node and processes: however often its connection is cut, its
// output is every byte once, and its input arrives once (promises P1, P2).

import Client
import Logging
import NIOCore
import NIOPosix
import Node
import Pipes
import Registry
import Router
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct ResumeTests {
  /// Runs `body` against a router and node in this process.
  private func withServer(_ body: @Sendable @escaping (String) async throws -> Void) async throws {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let group = MultiThreadedEventLoopGroup.singleton
    let registry = MemoryRegistry()
    let node = try await Node(
      NodeConfiguration(
        id: NodeID(unchecked: "test"), capacity: 1_000, version: "test",
        pipes: PipeStarters([(.pty, PTYStarter(environment: ["PATH": "/usr/bin:/bin"]))]),
        logger: logger),
      registry: registry, group: group)
    let (ready, started) = AsyncStream.makeStream(of: Void.self)
    let (ports, listening) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await node.run { _ in started.yield() } }
      _ = await ready.first { _ in true }
      let router = try await Router(
        RouterConfiguration(
          name: "test", host: "127.0.0.1", port: 0, origins: OriginPolicy(), version: "test",
          connectLocally: { eventLoop, loop in node.connect(from: eventLoop, toLoop: loop) },
          logger: logger),
        registry: registry, group: group)
      tasks.addTask { try await router.run { listening.yield($0) } }
      let port = try #require(await ports.first { _ in true })
      try await body("http://127.0.0.1:\(port)")
      tasks.cancelAll()
    }
  }

  private func cutAtRandom(_ client: TerminalClient) -> Task<Void, Never> {
    Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(Int.random(in: 1...60)))
        try? await client.cut()
      }
    }
  }

  @Test func outputIsExactWhateverIsCut() async throws {
    let lines = 60_000
    let expected = (1...lines).map { "\($0)\r\n" }.joined() + "end"
    try await withServer { url in
      try await withThrowingTaskGroup(of: Int.self) { tasks in
        for _ in 0..<5 {
          tasks.addTask {
            let client = try TerminalClient(url: url)
            let script = "read go; seq 1 \(lines); printf end; exec sleep 60"
            let terminal = client.open(
              Open(
                session: nil, create: Creation(command: ["sh", "-c", "stty -echo; " + script]),
                size: .standard))
            try await terminal.type("\n")
            let cutting = cutAtRandom(client)
            var output = ByteBuffer()
            var opened = 0
            for await event in terminal.events {
              switch event {
              case .opened: opened += 1
              case .output(let offset, let bytes):
                #expect(offset == UInt64(output.readableBytes))
                output.writeImmutableBuffer(bytes)
              case .snapshot: Issue.record("the log still had it")
              default: break
              }
              if output.readableBytesView.suffix(3).elementsEqual("end".utf8) { break }
            }
            cutting.cancel()
            // The echo of the first line may come before echoing is off.
            #expect(String(buffer: output).drop { $0 != "1" } == expected)
            terminal.kill()
            try await terminal.flush()
            try await client.close()
            return opened
          }
        }
        let opened = try await tasks.reduce(0, +)
        #expect(opened > 5, "no connection was cut")
      }
    }
  }

  @Test func inputIsExactWhateverIsCut() async throws {
    let count = 200_000
    let input = ByteBuffer(bytes: (0..<count).map { UInt8(0x21 + ($0 &* 7919) % 90) })
    try await withServer { url in
      let client = try TerminalClient(url: url)
      let script = "stty raw -echo; printf ready; head -c \(count); printf end; exec sleep 60"
      let terminal = client.open(
        Open(
          session: nil, create: Creation(command: ["sh", "-c", script]), size: .standard))
      var output = ByteBuffer()
      var typing: Task<Void, any Error>?
      var cutting: Task<Void, Never>?
      for await event in terminal.events {
        if case .inDoubt = event { Issue.record("nothing was in doubt") }
        if case .snapshot = event { Issue.record("the log still had it") }
        if case .output(_, var bytes) = event { output.writeBuffer(&bytes) }
        if typing == nil, output.readableBytes >= 5 {
          output.moveReaderIndex(forwardBy: 5)
          typing = Task { try await terminal.type(input) }
          cutting = cutAtRandom(client)
        }
        if output.readableBytes >= count + 3 { break }
      }
      cutting?.cancel()
      try await typing?.value
      try await terminal.flush()
      #expect(output.readSlice(length: count) == input)
      terminal.kill()
      try await client.close()
    }
  }
}

// Resumes as a client asks for them, frame by frame (promises P1, P2).

import Client
import Judge
import NIOCore
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct ResumeTests {
  /// Prints `COUNT` bytes for every line it reads.
  private func printer(_ count: Int) -> Creation {
    Creation(command: [
      "sh", "-c",
      "stty raw -echo; printf ready; "
        + "while head -n 1 >/dev/null; do head -c \(count) /dev/zero | tr '\\0' x; done",
    ])
  }

  private func port(of fleet: Fleet) throws -> Int { try TestSupport.port(in: fleet.direct) }

  @Test func aResumeStaysExactThoughInputFromTheCutFollowsIt() async throws {
    try await Fleet.serve { fleet in
      let port = try port(of: fleet)
      let session = SessionID.random()
      let id = ClientID.random()
      let before = try await RawClient.greet(port: port, client: id)
      before.send(
        .open(Open(session: session, create: printer(300_000), size: .standard)), stream: 1)
      let first = try #require(
        try await before.frame("OPENED", stream: 1) { $0.type == .opened }.opened)
      try await eventually("it is ready") { try before.output(stream: 1) == "ready" }
      before.close()

      // Another one has the process print more than a window meanwhile.
      let other = try Viewer(fleet.direct, session: session)
      other.type("\n")
      try await other.until("the output") { $0.shown >= 300_000 }

      let after = try await RawClient.greet(port: port, client: id)
      let resume = Resume(life: first.life, next: 5, input: 0)
      after.send(.open(Open(session: session, resume: resume, size: .standard)), stream: 1)
      let second = try #require(
        try await after.frame("OPENED", stream: 1) { $0.type == .opened }.opened)
      #expect(second.resumed == .exact)
      after.send(.input(offset: 0, ByteBuffer(string: "typed during the cut")), stream: 1)
      try await after.frame("INPUT_ACK", stream: 1) { $0.type == .inputAck }
      var consumed = 0
      try await eventually("all that was missed") {
        let count = try after.output(stream: 1).utf8.count
        if count > consumed {
          consumed = count
          after.send(
            .outputAck(offset: UInt64(5 + consumed), consumed: UInt64(consumed)), stream: 1)
        }
        return count == 300_000
      }
      #expect(try !after.frames(stream: 1).contains { $0.type == .snapshot })
      other.terminal.kill()
      try await other.until("the end") { $0.ended != nil }
      try await other.close()
    }
  }

  @Test func anOpenThatWasOvertakenByANewerOneOfItsClientTakesNothingFromIt() async throws {
    try await Fleet.serve { fleet in
      let port = try port(of: fleet)
      let session = SessionID.random()
      let id = ClientID.random()
      func open(_ attempt: UInt64, create: Creation? = nil) async throws -> RawClient {
        let client = try await RawClient.greet(port: port, client: id)
        var open = Open(session: session, create: create, size: .standard)
        open.attempt = attempt
        client.send(.open(open), stream: 1)
        return client
      }
      let newest = try await open(7, create: printer(10))
      try await newest.frame("OPENED", stream: 1) { $0.type == .opened }
      let late = try await open(6)
      try await late.frame("superseded", stream: 1) { $0 == .close(.superseded) }
      #expect(try !late.frames(stream: 1).contains { $0.type == .opened })
      newest.send(.input(offset: 0, ByteBuffer(string: "\n")), stream: 1)
      try await eventually("it types on") {
        try newest.output(stream: 1) == "ready" + String(repeating: "x", count: 10)
      }
      let newer = try await open(8)
      try await newer.frame("OPENED", stream: 1) { $0.type == .opened }
      try await newest.frame("superseded", stream: 1) { $0 == .close(.superseded) }
      newer.send(.kill, stream: 1)
      try await newer.frame("ENDED", stream: 1) { $0.type == .ended }
    }
  }
}

extension Frame {
  fileprivate var opened: Opened? { if case .opened(let opened) = self { opened } else { nil } }
}

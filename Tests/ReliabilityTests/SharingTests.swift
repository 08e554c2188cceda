// Several clients of one session: size, presence, watchers, and clients that do not read (promises P6,
// P7, P10).

import Chaos
import Client
import Judge
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(2 * patience))) struct SharingTests {
  private let shell = Creation(command: [
    "sh", "-c", "stty -echo; echo ready; while read -r line; do eval \"$line\"; done",
  ])
  private let small = TerminalSize(columns: 40, rows: 10)
  private let large = TerminalSize(columns: 120, rows: 50)

  @Test func theDriverThatTypesHasTheSizeAndWatchersNeverDo() async throws {
    try await Fleet.serve { fleet in
      let first = try Viewer(fleet.url, create: shell, size: large)
      try await first.until(ending: "ready\r\n")
      let session = first.terminal.session
      let watcher = try Viewer(fleet.url, session: session, size: small, mode: .watcher)
      let second = try Viewer(fleet.url, session: session, size: small)
      try await second.until("it is open") { !$0.opened.isEmpty }
      try await watcher.until("all three are seen") { $0.viewers?.count == 3 }
      watcher.type("echo no\n")
      watcher.terminal.takeSize()
      watcher.terminal.resize(TerminalSize(columns: 33, rows: 33))
      first.type("stty size\n")
      try await first.until(ending: "50 120\r\n")
      second.type("stty size\n")
      try await first.until(ending: "10 40\r\n")
      try await watcher.until("it is told") { $0.sizes.last == small }
      try await watcher.until("and by whom") { $0.sizeOwner == second.client.id }
      first.terminal.takeSize()
      try await watcher.until("taken back") { $0.sizes.last == large }
      #expect(!first.seen.text.contains("no\r\n"), "a watcher's input is ignored")
      let left = second.client.id
      try await second.close()
      try await watcher.until("who left") { seen in
        seen.viewers.map { !$0.contains { $0.client == left } } ?? false
      }
      first.terminal.kill()
      try await watcher.until("the end") { $0.ended != nil }
    }
  }

  @Test func theColoursAreThoseOfWhoHasTheSizeAndMayChangeAtAnyTime() async throws {
    @Sendable func ask(_ name: String) -> String {
      #"stty -icanon; printf '\033]11;?\033\\'; a=$(head -c 25); stty icanon; "#
        + #"echo "\#(name)${a#?}" | tr -d '\033\\'"# + "\n"
    }
    try await Fleet.serve { fleet in
      let first = try Viewer(fleet.url, create: shell)
      try await first.until(ending: "ready\r\n")
      first.terminal.setColors(ThemeColors(background: "#fdfcf9"))
      first.type(ask("light"))
      try await first.until(ending: "light]11;rgb:fdfd/fcfc/f9f9\r\n")
      let second = try Viewer(fleet.url, session: first.terminal.session)
      try await second.until("it is open") { !$0.opened.isEmpty }
      second.terminal.setColors(ThemeColors(background: "#11161b"))
      second.type(ask("dark"))
      try await first.until(ending: "dark]11;rgb:1111/1616/1b1b\r\n")
      first.terminal.setColors(ThemeColors(background: "#ffffff"))
      second.type(ask("still"))
      try await first.until(ending: "still]11;rgb:1111/1616/1b1b\r\n")
      first.type(ask("white"))
      try await first.until(ending: "white]11;rgb:ffff/ffff/ffff\r\n")
      first.terminal.kill()
      try await second.until("the end") { $0.ended != nil }
    }
  }

  @Test func whereConfiguredOnlyTakeTakesTheSize() async throws {
    try await Fleet.serve(options: ["--size-follows", "take"]) { fleet in
      let first = try Viewer(fleet.url, create: shell, size: large)
      try await first.until(ending: "ready\r\n")
      let second = try Viewer(fleet.url, session: first.terminal.session, size: small)
      second.type("stty size\n")
      try await second.until(ending: "50 120\r\n")
      second.terminal.takeSize()
      try await second.until("it has the size") { $0.sizes.last == small }
      second.type("stty size\n")
      try await second.until(ending: "10 40\r\n")
      first.terminal.kill()
      try await second.until("the end") { $0.ended != nil }
    }
  }

  @Test func aNewerStreamOfTheSameClientClosesTheOlder() async throws {
    try await Fleet.serve { fleet in
      let id = ClientID.random()
      let older = try Viewer(fleet.url, create: shell, id: id)
      try await older.until(ending: "ready\r\n")
      let newer = try Viewer(fleet.url, session: older.terminal.session, id: id)
      try await older.until("it is superseded") { $0.closed == "superseded" }
      newer.type("echo still here\n")
      try await newer.until(ending: "still here\r\n")
      newer.terminal.kill()
      try await newer.until("the end") { $0.ended != nil }
    }
  }

  @Test func aDriverThatDoesNotReadHoldsTheProcessForTwoSecondsAndNoLonger() async throws {
    try await Fleet.serve { fleet in
      let first = try Viewer(fleet.url, create: shell)
      try await first.until(ending: "ready\r\n")
      let session = first.terminal.session
      let watcher = try Viewer(fleet.url, session: session, mode: .watcher)
      try await watcher.until("it is open") { !$0.opened.isEmpty }
      try await first.close()
      let stuck = try Viewer(fleet.url, session: session, reads: false)
      stuck.type("head -c 3000000 /dev/zero | tr '\\\\0' x; echo; echo done\n")
      try await watcher.until("the process went on to its end") {
        $0.text.hasSuffix("done\r\n")
      }
      stuck.terminal.kill()
      try await watcher.until("the end") { $0.ended != nil }
    }
  }
}

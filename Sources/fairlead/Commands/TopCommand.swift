// `fairlead top`: the cluster as it is now, drawn again and again.

import API
import APIClient
import ArgumentParser
import Glibc
import Registry
import Wire

struct TopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Watch nodes, routers and the busiest sessions.",
    discussion: """
      Fits into 80 columns and 24 lines. Keys: s sessions, n nodes, r routers, c clients; o by output, i by input, t by \
      idle time, b by backlog or load; space looks at once, q ends it. Where standard output is no terminal, it looks \
      twice, prints that, and ends.

        fairlead top
        fairlead top --every 5s
      """)

  @Option(help: ArgumentHelp("Time between two looks.", valueName: "time"))
  var every = TimeOption(seconds: 2)

  @OptionGroup var inquiry: Inquiry

  /// Ctrl-C.
  private static let interrupt: UInt8 = 0x03

  func run() async throws {
    var board = Board()
    guard isatty(STDIN_FILENO) == 1, let terminal = try? TopTerminal() else {
      board.take(try await look())
      try await Task.sleep(for: .seconds(every.seconds))
      board.take(try await look())
      return say(board.text(columns: Terminal.width ?? 80, rows: 24))
    }
    defer { terminal.giveBack() }
    while true {
      do {
        board.take(try await look())
      } catch let error as APIError {
        board.problem = error.message
      }
      draw(board)
      let due = ContinuousClock.now + .seconds(every.seconds)
      while ContinuousClock.now < due {
        guard let key = await terminal.key(until: due) else { break }
        if key == UInt8(ascii: "q") || key == Self.interrupt { return }
        board.press(key)
        if board.isImpatient { break }
        draw(board)
      }
    }
  }

  private func draw(_ board: Board) {
    let text = board.text(columns: Terminal.width ?? 80, rows: Terminal.height ?? 24)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    TopTerminal.write("\u{1b}[H" + lines.joined(separator: "\u{1b}[K\r\n") + "\u{1b}[K\u{1b}[J")
  }

  private func look() async throws -> Board.Look {
    let nodes = try await inquiry.nodes()
    let routers = try await inquiry.routers()
    let sessions = try await inquiry.ask { try await $0.sessionList(SessionFilter()) }
    let clients = try await inquiry.askEachRouter { try await $0.clients() }
    var gaps: [String] = []
    for gap in nodes.gaps + routers.gaps + sessions.gaps + sessions.answer.gaps + clients.gaps
    where !gaps.contains(gap) {
      gaps.append(gap)
    }
    return Board.Look(
      time: .now, nodes: nodes.answer, routers: routers.answer.routers,
      sessions: sessions.answer.sessions, clients: clients.answer.flatMap { $0 },
      gaps: gaps)
  }
}

/// The terminal while `top` has it: without echo, each key at once.
private final class TopTerminal {
  private var saved = termios()

  struct None: Error {}

  init() throws {
    guard isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &saved) == 0 else { throw None() }
    var raw = saved
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
    tcsetattr(STDIN_FILENO, TCSANOW, &raw)
    Self.write("\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J")
  }

  func giveBack() {
    Self.write("\u{1b}[?25h\u{1b}[?1049l")
    tcsetattr(STDIN_FILENO, TCSANOW, &saved)
  }

  /// Nil: none came in time.
  func key(until due: ContinuousClock.Instant) async -> UInt8? {
    while ContinuousClock.now < due {
      var wanted = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      if poll(&wanted, 1, 0) > 0 {
        var byte: UInt8 = 0
        // The end of input ends it.
        return read(STDIN_FILENO, &byte, 1) == 1 ? byte : UInt8(ascii: "q")
      }
      try? await Task.sleep(for: CommandLimits.keyInterval)
    }
    return nil
  }

  static func write(_ text: String) {
    var text = text
    text.withUTF8 { _ = Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }
}

// A kind of pipes that Fairlead does not have: all of it stands in this file, and nothing else knows it.

import NIOCore
import Pipes
import Wire

extension PipeKind {
  /// `echo:WORD`: says what was typed, after its word.
  static let echo = PipeKind(
    target: TargetKind(
      "echo", form: "echo:WORD", rule: "a word has letters only",
      absence: "none echoes (see --echo)"
    ) { place in
      place?.utf8.allSatisfy { (0x61...0x7A).contains($0) } ?? false
    },
    options: [PipeOption("echo", value: "mark", help: "Echoes, with this mark behind the word.")],
    problem: { $0["echo"].contains("\n") ? "--echo is of one line" : nil },
    makeStarter: { setup in
      setup.options["echo"].isEmpty ? nil : EchoStarter(mark: setup.options["echo"])
    })
}

struct EchoStarter: PipeStarter {
  let mark: String

  func start(_ request: PipeRequest, on eventLoop: any EventLoop)
    -> EventLoopFuture<NIOLoopBound<any Pipe>>
  {
    let word = (request.creation.target.place ?? "") + mark
    return eventLoop.submit {
      NIOLoopBound<any Pipe>(EchoPipe(word, eventLoop), eventLoop: eventLoop)
    }
  }
}

final class EchoPipe: Pipe {
  let eventLoop: any EventLoop
  weak var delegate: (any PipeDelegate)?
  let hasForegroundJob: Bool? = nil
  private let word: String
  /// What is not echoed yet is not taken yet.
  private var typed = ByteBuffer()
  private var isOver = false

  init(_ word: String, _ eventLoop: any EventLoop) {
    self.word = word
    self.eventLoop = eventLoop
  }

  var isReading = false { didSet { echo() } }

  func write(_ bytes: ByteBuffer, from source: InputSource) {
    typed.writeImmutableBuffer(bytes)
    echo()
  }

  private func echo() {
    eventLoop.assumeIsolated().execute { [self] in
      guard !isOver, isReading, typed.readableBytes > 0 else { return }
      var answer = ByteBuffer(string: word)
      let count = answer.writeImmutableBuffer(typed)
      typed.clear()
      delegate?.pipeDidRead(answer)
      delegate?.pipeDidWrite(count)
    }
  }

  func resize(_ size: TerminalSize) {}
  func terminate(grace: TimeAmount) {
    eventLoop.assumeIsolated().execute { [self] in
      guard !isOver else { return }
      isOver = true
      delegate?.pipeDidEnd(.exited(code: 0), reason: nil)
    }
  }
}

// Processes that their sessions have ended with and that could not be ended, because the engine did not
// answer or nobody found them. They are tried again for as long as the node runs; what it leaves then, its
// next incarnation sweeps.

import NIOConcurrencyHelpers

final class DockerLeftovers: Sendable {
  private let processes = NIOLockedValueBox<[DockerProcess]>([])

  /// More than any engine holds; the oldest are given up first.
  static let most = 10_000

  func add(_ process: DockerProcess) {
    processes.withLockedValue { processes in
      if processes.count >= Self.most { processes.removeFirst() }
      processes.append(process)
    }
  }

  /// Ends those that can be found now.
  func settle() async {
    let found = processes.withLockedValue { processes in
      defer { processes = [] }
      return processes
    }
    for (index, process) in found.enumerated() {
      guard !Task.isCancelled, case .unknown = await process.signal([.hangup, .kill]) else {
        continue
      }
      add(process)
      // Where the engine does not answer, the next would wait as long for nothing.
      if (try? await process.engine.ping(within: DockerStarter.pingTime)) == nil {
        for rest in found[(index + 1)...] { add(rest) }
        return
      }
    }
  }
}

// What is done once at the end of a loop's tick, however often it was asked for meanwhile: so that all that is said in
// one tick leaves in one write.

public import NIOCore

/// Confined to its event loop.
public final class EndOfTick {
  private let eventLoop: any EventLoop
  private let state: State
  /// Made once: a closure for each tick would be an allocation for each keystroke.
  private let end: @Sendable () -> Void

  private final class State {
    var isDue = false
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// - Parameter body: must not hold who owns this.
  public init(on eventLoop: any EventLoop, _ body: @escaping () -> Void) {
    self.eventLoop = eventLoop
    state = State(body)
    let bound = NIOLoopBound(state, eventLoop: eventLoop)
    end = {
      bound.value.isDue = false
      bound.value.body()
    }
  }

  /// Has the body called at the end of this tick.
  public func schedule() {
    guard !state.isDue else { return }
    state.isDue = true
    eventLoop.execute(end)
  }
}

// Why a holder could not start a process. No ``Failure``: its starter says what a client is told.

struct HeldStartError: Error {
  /// `p` terminal, `n` there is no such program, `u` user, `d` directory, `x` program, `t` time, `l` a limit.
  var step: UInt8
  /// An errno.
  var number: UInt32
}

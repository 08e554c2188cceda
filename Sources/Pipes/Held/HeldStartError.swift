// Why a holder could not start a process; what is told of it is the starter's to say.

struct HeldStartError: Error {
  /// `p` terminal, `n` there is no such program, `u` user, `d` directory, `x` program, `t` time, `l` a limit.
  var step: UInt8
  /// An errno.
  var number: UInt32
}

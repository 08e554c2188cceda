// Why a holder could not start a process. No ``Failure``: its starter says what a client is told.

import Holder

struct HeldStartError: Error {
  var step: StartStep
  /// An errno.
  var number: UInt32
}

// What a client is told of a pipe that could not be started.

import Pipes
import Wire

extension PipeError {
  var refusal: Refused {
    switch code {
    case .noCommand, .noTarget, .noUser, .unavailable: Refused(.startFailed, message)
    // Here and now: another node may have more, and what is held now is given back.
    case .resources: Refused(.noCapacity, message, retry: NodeLimits.retryFull)
    case .notNow: Refused(.unavailable, message, retry: NodeLimits.retry)
    }
  }
}

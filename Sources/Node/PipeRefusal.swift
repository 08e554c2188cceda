// What a client is told of a pipe that could not be started.

import Pipes
import Wire

extension PipeError {
  var refusal: Refused {
    switch code {
    case .noCommand, .noTarget, .noUser, .unavailable: Refused(.startFailed, message)
    // This node has none left now. Another node may, and what is taken here will be given back.
    case .resources: Refused(.noCapacity, message, retry: NodeLimits.retryFull)
    case .notNow: Refused(.unavailable, message, retry: NodeLimits.retry)
    }
  }
}

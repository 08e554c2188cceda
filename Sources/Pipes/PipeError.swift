// Why there is no pipe.

public import Wire

/// Why a pipe could not be started; `message` is for the user and says what to do.
public typealias PipeError = Failure<PipeErrorCode>

public enum PipeErrorCode: String, FailureCode {
  /// The command does not exist or cannot be executed.
  case noCommand = "no_command"
  /// No such container, or it does not run.
  case noTarget = "no_target"
  /// The node starts nothing as that user.
  case noUser = "no_user"
  /// The backend (Docker engine) cannot be reached or is not configured.
  case unavailable
  /// The machine refused: no descriptors, no memory, no pseudo-terminals. Another may not.
  case resources
  /// The target cannot take a process at this moment, as while its container restarts.
  case notNow = "not_now"
}

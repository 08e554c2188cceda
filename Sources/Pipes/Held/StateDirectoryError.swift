// Why a node cannot use its state directory.

public import Wire

public typealias StateDirectoryError = Failure<StateDirectoryErrorCode>

public enum StateDirectoryErrorCode: String, FailureCode {
  /// The directory is not this user's alone, or not to be had.
  case directory
  /// Another process of this node lives.
  case inUse = "in_use"
  /// No holder could be started.
  case start
}

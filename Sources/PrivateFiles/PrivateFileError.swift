// Why a private file is not read or written.

import Glibc
public import Wire

public typealias PrivateFileError = Failure<PrivateFileErrorCode>

public enum PrivateFileErrorCode: String, FailureCode {
  /// It is another user's, or others may read it, or it is no file.
  case notPrivate = "not_private"
  /// It is larger than any of these is.
  case tooLarge = "too_large"
  /// Another process has locked it.
  case locked
  /// The system refused.
  case system
}

extension PrivateFileError {
  static func system(_ what: String, _ number: CInt) -> PrivateFileError {
    PrivateFileError(.system, "\(what): \(String(cString: strerror(number)))")
  }
}

// How every module says that something could not be done: one shape, with codes of the module's own.

/// What a program decides by.
public protocol FailureCode: RawRepresentable, Sendable where RawValue == String {
  /// Whether the words begin with the code: where it stands in the protocol's tables, for who looks it up.
  static var isTold: Bool { get }
  /// What an error that lies behind one of these says: of a module that connects to others, in an operator's words.
  static func words(of cause: any Error) -> String
}

extension FailureCode {
  public static var isTold: Bool { false }
  public static func words(of cause: any Error) -> String { "\(cause)" }
}

/// A code for who decides what comes next, words for who reads them, and what lies behind it for logs.
public struct Failure<Kind: FailureCode>: Error, CustomStringConvertible {
  public typealias Code = Kind
  public var code: Code
  /// What is wrong, and what to do.
  public var message: String
  public var cause: (any Error)?

  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  public var description: String {
    let words = Code.isTold ? "\(code.rawValue): \(message)" : message
    return cause == nil ? words : "\(words): \(reason)"
  }

  /// What lies behind it alone, for who names the rest himself.
  public var reason: String { cause.map(Code.words) ?? message }
}

extension Failure: Equatable {
  /// Two that say the same; what lay behind them is for logs.
  public static func == (a: Failure, b: Failure) -> Bool {
    a.code.rawValue == b.code.rawValue && a.message == b.message
  }
}

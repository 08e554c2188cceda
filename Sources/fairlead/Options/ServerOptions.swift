// Options that the server commands share, each with its environment variable, checked at the start.

import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import Logs
import NIOCore
import Node
import Pipes
import Registry
import Sessions
import Transport
import Wire

/// The value of FAIRLEAD_`name`, if set and not empty; else what the context in use says.
func environment(_ name: String) -> String? {
  if let value = ContextValues.overriding(name) { return value }
  // What the environment shows to its API is not shown to that of the context which the command line names.
  if ["TOKEN", "TOKEN_FILE", "CERT", "KEY"].contains(name), ContextValues.overriding("API") != nil,
    processEnvironment("API") != nil
  {
    return nil
  }
  return processEnvironment(name) ?? ContextValues.value(name)
}

/// The value of FAIRLEAD_`name`, if set and not empty.
func processEnvironment(_ name: String) -> String? {
  guard let value = getenv("FAIRLEAD_" + name) else { return nil }
  let text = String(cString: value)
  return text.isEmpty ? nil : text
}

/// An option's value of a form that is said to who did not keep to it.
protocol Formed: ExpressibleByArgument {
  static var form: String { get }
  /// The form that `text` was to have, which it has not.
  static func form(insteadOf text: String) -> String
  init?(formed text: String)
}

extension Formed {
  static func form(insteadOf text: String) -> String { form }

  init?(argument: String) {
    guard let value = Self(formed: argument) else {
      Misuse.missed(Self.form(insteadOf: argument))
      return nil
    }
    self = value
  }
}

/// `30s`, `15m`, `2h` or `1d`.
struct TimeOption: Formed, CustomStringConvertible {
  static let form = "a time is a number with its unit, such as 30s, 15m, 2h or 1d"

  var seconds: Int64

  init(seconds: Int64) { self.seconds = seconds }

  init?(formed argument: String) {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
    guard let unit = argument.last.flatMap({ units[$0] }), let count = Int64(argument.dropLast()),
      (1...1_000_000).contains(count)
    else { return nil }
    seconds = count * unit
  }

  var amount: TimeAmount { .seconds(seconds) }

  var description: String {
    if seconds % 3_600 == 0 { return "\(seconds / 3_600)h" }
    return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds)s"
  }
  var defaultValueDescription: String { description }
}

/// A time, or none: `5s`, `0`.
struct DelayOption: ExpressibleByArgument, CustomStringConvertible {
  var seconds: Int64

  init(seconds: Int64) { self.seconds = seconds }

  init?(argument: String) {
    if argument == "0" || argument == "0s" {
      seconds = 0
    } else {
      guard let time = TimeOption(argument: argument) else { return nil }
      seconds = time.seconds
    }
  }

  var duration: Duration { .seconds(seconds) }

  var description: String { TimeOption(seconds: seconds).description }
  var defaultValueDescription: String { description }
}

/// `HOST:PORT`, or `[ADDRESS]:PORT` for IPv6; `:PORT` listens everywhere.
struct AddressOption: Formed, CustomStringConvertible {
  static let form = "HOST:PORT, such as 127.0.0.1:7070, [::1]:7070, or :7070 for every address"

  var address: NodeAddress

  init(host: String, port: Int) { address = NodeAddress(host: host, port: port) }

  init?(formed argument: String) {
    guard var address = NodeAddress(argument) else { return nil }
    if address.host.isEmpty { address.host = "0.0.0.0" }
    self.address = address
  }

  var description: String { address.description }
  var defaultValueDescription: String { description }
}

/// `KEY=VALUE`.
struct LabelOption: Formed {
  static let form = "KEY=VALUE"

  var key: String
  var value: String

  init?(formed argument: String) {
    guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
      return nil
    }
    key = String(argument[..<equals])
    value = String(argument[argument.index(after: equals)...])
  }
}

extension Lifetime: Formed {
  static let form = "a time such as 90s, 15m, 2h or 1d, or never"
  init?(formed text: String) { self.init(text) }
}

extension UserName: Formed {
  init?(formed text: String) { self.init(text) }
}

extension NodeID: Formed {
  static let form = "a name is 1 to 64 characters of A-Z, a-z, 0-9, _ and -"
  init?(formed text: String) { self.init(text) }
}

extension SessionID: Formed {
  static let form = NodeID.form
  init?(formed text: String) { self.init(text) }
}

/// Reads an option's environment variable like its argument; misuse ends the process with 64.
func fromEnvironment<Value: ExpressibleByArgument>(_ name: String, default value: Value) -> Value {
  guard let text = environment(name) else { return value }
  guard let parsed = Value(argument: text) else {
    let values = Value.allValueStrings
    let form =
      (Value.self as? any Formed.Type).map { ": \($0.form(insteadOf: text))" }
      ?? (values.isEmpty ? ". See --help." : ": it is one of \(values.joined(separator: ", "))")
    complain("Error: FAIRLEAD_\(name)=\(printable(text)) is not a valid value\(form)")
    exit(64)
  }
  return parsed
}

struct LogOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Option(help: "What is logged: this and what is worse.")
  var logLevel: LogLevel = fromEnvironment("LOG_LEVEL", default: LogLevel(.info))

  @Option(help: "How it is logged, one line each, on standard error.")
  var logFormat: Format = fromEnvironment("LOG_FORMAT", default: .text)

  func logger(_ role: String) -> Logger {
    let format = logFormat
    LogWriter.standardError.setNotice { count in
      switch format {
      case .text: TextLogHandler.notice(count, label: role)
      case .json: JSONLogHandler.notice(count, label: role)
      }
    }
    var logger = Logger(label: role) { role in
      switch format {
      case .text: TextLogHandler(label: role)
      case .json: JSONLogHandler(label: role)
      }
    }
    logger.logLevel = logLevel.level
    return logger
  }
}

/// swift-log's levels, by their own names.
struct LogLevel: ExpressibleByArgument, CustomStringConvertible {
  var level: Logger.Level
  init(_ level: Logger.Level) { self.level = level }
  init?(argument: String) {
    guard let level = Logger.Level(rawValue: argument) else { return nil }
    self.init(level)
  }
  var description: String { level.rawValue }
  static var allValueStrings: [String] { Logger.Level.allCases.map(\.rawValue) }
}

/// This machine's name as far as it can serve as a node's.
func defaultNodeID() -> NodeID {
  var name = [CChar](repeating: 0, count: 256)
  gethostname(&name, name.count - 1)
  let text = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  let allowed = String(
    text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }.prefix(64))
  return NodeID(allowed) ?? NodeID(unchecked: "node")
}

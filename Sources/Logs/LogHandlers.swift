// A log's lines, as text for people or as JSON for machines. Whatever is in a message or a value, an
// event is one line, and no other one can be forged in it.

internal import FoundationEssentials
public import Logging
internal import Wire

/// One line: time, level, role, message, then each value as `key=value`, quoted where it could be
/// mistaken for more than one.
public struct TextLogHandler: LogHandler {
  private let label: String
  private let writer: LogWriter
  public var logLevel = Logger.Level.info
  public var metadata = Logger.Metadata()

  public init(label: String, writer: LogWriter = .standardError) {
    self.label = label
    self.writer = writer
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var line =
      "\(timestamp()) \(event.level) \(label): "
      + event.message.description.clipped(to: LogLimits.value).escaped
    for (key, value) in fields(of: event, metadata).sorted(by: { $0.key < $1.key }) {
      line += " \(key.escaped)=\(quoted(value))"
    }
    writer.write(line)
  }

  /// The line that says how many could not be kept.
  public static func notice(_ count: Int, label: String) -> String {
    "\(timestamp()) warning \(label): \(loss(of: count))"
  }

  private func quoted(_ value: String) -> String {
    let isPlain = value.unicodeScalars.allSatisfy {
      !$0.isSteering && !["\"", "\\", "="].contains($0) && !$0.properties.isWhitespace
    }
    if isPlain, !value.isEmpty { return value }
    let inner = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(inner.escaped)\""
  }
}

/// One JSON object per line.
public struct JSONLogHandler: LogHandler {
  private let label: String
  private let writer: LogWriter
  public var logLevel = Logger.Level.info
  public var metadata = Logger.Metadata()

  public init(label: String, writer: LogWriter = .standardError) {
    self.label = label
    self.writer = writer
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var fields = fields(of: event, metadata)
    fields["time"] = timestamp()
    fields["level"] = event.level.rawValue
    fields["role"] = label
    fields["message"] = event.message.description.clipped(to: LogLimits.value)
    writer.write(jsonLine(fields))
  }

  /// The line that says how many could not be kept.
  public static func notice(_ count: Int, label: String) -> String {
    let fields = [
      "time": timestamp(), "level": "warning", "role": label,
      "message": loss(of: count),
    ]
    return String(decoding: jsonLine(fields), as: UTF8.self)
  }
}

/// What a log says of lines that it lost, in either form.
private func loss(of count: Int) -> String {
  "\(count) lines were dropped: they could not be written in time"
}

private func fields(of event: LogEvent, _ metadata: Logger.Metadata) -> [String: String] {
  var fields = metadata.merging(event.metadata ?? [:]) { $1 }
    .mapValues { "\($0)".clipped(to: LogLimits.value) }
  if let error = event.error { fields["error"] = "\(error)".clipped(to: LogLimits.value) }
  return fields
}

private func timestamp() -> String {
  Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

/// A value as a line of JSON, without its end.
public func jsonLine(_ value: some Encodable) -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return inertJSON((try? encoder.encode(value)) ?? Data())
}

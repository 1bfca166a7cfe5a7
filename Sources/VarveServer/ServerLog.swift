// The server's log: text for people, or an object a line for programs, on standard error.

import Glibc
import Logging
import Varve
import VarveQuery
import VarveCore
import VarveWire

package struct ServerLogHandler: LogHandler {
  package enum Format: Sendable { case text, json }

  package var logLevel: Logger.Level
  package var metadata: Logger.Metadata = [:]
  private let label: String
  private let format: Format

  package init(label: String, level: Logger.Level, format: Format) {
    self.label = label
    logLevel = level
    self.format = format
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
    let pairs = all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
    let line =
      switch format {
      case .text: Self.text(Self.now(), event.level, label, "\(event.message)", pairs)
      case .json: Self.json(Self.now(), event.level, label, "\(event.message)", pairs)
      }
    // One write a line, so that lines of several threads never mix.
    StandardStreams.note(line)
  }

  static func text(
    _ time: String, _ level: Logger.Level, _ label: String, _ message: String, _ metadata: [(String, String)]
  ) -> String {
    var line = "\(time) \(level.rawValue) \(label): \(message)"
    for (key, value) in metadata {
      let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x7F }
      line += " \(key)=\(isPlain ? value : JSONText.string(value))"
    }
    // A message with line breaks must not look like several lines of the log.
    return line.contains(where: \.isNewline) ? line.split(whereSeparator: \.isNewline).joined(separator: " | ") : line
  }

  static func json(
    _ time: String, _ level: Logger.Level, _ label: String, _ message: String, _ metadata: [(String, String)]
  ) -> String {
    var pairs = [("time", time), ("level", level.rawValue), ("logger", label), ("message", message)]
    let taken = Set(pairs.map(\.0))
    pairs += metadata.map { (taken.contains($0.0) ? "_" + $0.0 : $0.0, $0.1) }
    return "{" + pairs.map { JSONText.string($0.0) + ":" + JSONText.string($0.1) }.joined(separator: ",") + "}"
  }

  /// ISO 8601, UTC, milliseconds.
  private static func now() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var parts = tm()
    gmtime_r(&time.tv_sec, &parts)
    func digits(_ value: some BinaryInteger, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))T"
      + "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2)).\(digits(time.tv_nsec / 1_000_000, 3))Z"
  }
}

extension ServerSettings {
  /// A logger as the settings want it.
  package func logger(_ label: String) -> Logger {
    let format: ServerLogHandler.Format =
      switch logFormat {
      case .text: .text
      case .json: .json
      case .automatic: StandardStreams.isTerminal(.error) ? .text : .json
      }
    let level = Logger.Level(rawValue: logLevel) ?? .info
    return Logger(label: label) { ServerLogHandler(label: $0, level: level, format: format) }
  }
}

extension Logger {
  /// One line for a statement that took long.
  func log(_ statement: SlowStatement) {
    var metadata: Logger.Metadata = [
      "milliseconds": "\(statement.milliseconds)", "rows": "\(statement.rows)", "kind": "\(statement.kind.rawValue)",
      "pid": "\(statement.session.processID)", "user": "\(statement.session.user)",
      "database": "\(statement.session.database)", "application": "\(statement.session.applicationName)",
      "protocol": "\(statement.session.protocol.rawValue)", "statement": "\(statement.text)",
    ]
    if let client = statement.session.clientAddress { metadata["client"] = "\(client)" }
    if let sqlState = statement.sqlState { metadata["sqlstate"] = "\(sqlState)" }
    if !statement.parameters.isEmpty { metadata["parameters"] = "\(statement.parameters.joined(separator: ", "))" }
    if !statement.plan.isEmpty { metadata["plan"] = "\(statement.plan.joined(separator: "\n"))" }
    info("slow statement", metadata: metadata)
  }

  /// For the engine's lines.
  var databaseLog: @Sendable (Database.LogLevel, String) -> Void {
    { level, text in
      switch level {
      case .debug: debug("\(text)")
      case .info: info("\(text)")
      case .warning: warning("\(text)")
      case .error: error("\(text)")
      }
    }
  }
}

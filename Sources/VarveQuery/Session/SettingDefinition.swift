// The settings a session has, and which values they take.

import VarveCompute
import VarveCore

struct SettingDefinition: Sendable {
  enum Kind: Sendable {
    case text, boolean, integer, milliseconds, byteCount, timeZone, encoding, dateStyle
    /// Or -1, for never.
    case millisecondsOrNever
    case oneOf([String])
    /// Can be read only.
    case fixed
  }
  let name: String
  let kind: Kind
  let defaultValue: String
  let summary: String
  /// Clients are told of changes (ParameterStatus).
  var isReported = false

  static let defaultQueryMemory = 512 << 20
  static let defaultRowsPerPart = 1 << 18

  static let all: [SettingDefinition] = [
    SettingDefinition(
      name: "application_name", kind: .text, defaultValue: "", summary: "Name of the client program.", isReported: true),
    SettingDefinition(
      name: "client_encoding", kind: .encoding, defaultValue: "UTF8", summary: "Encoding of text sent and received.",
      isReported: true),
    SettingDefinition(
      name: "DateStyle", kind: .dateStyle, defaultValue: "ISO, MDY", summary: "How dates and times are written.",
      isReported: true),
    SettingDefinition(
      name: "IntervalStyle", kind: .oneOf(["postgres", "postgres_verbose", "iso_8601"]), defaultValue: "postgres",
      summary: "How intervals are written.", isReported: true),
    SettingDefinition(
      name: "TimeZone", kind: .timeZone, defaultValue: "UTC", summary: "Time zone in which times are shown and read.",
      isReported: true),
    SettingDefinition(
      name: "standard_conforming_strings", kind: .oneOf(["on"]), defaultValue: "on",
      summary: "Backslashes in '…' are plain characters.", isReported: true),
    SettingDefinition(
      name: "server_version", kind: .fixed, defaultValue: "15.8",
      summary: "Version of PostgreSQL that clients may expect.", isReported: true),
    SettingDefinition(
      name: "server_version_num", kind: .fixed, defaultValue: "150008", summary: "The version as a number."),
    SettingDefinition(
      name: "server_encoding", kind: .fixed, defaultValue: "UTF8", summary: "Encoding of stored text.", isReported: true
    ),
    SettingDefinition(
      name: "integer_datetimes", kind: .fixed, defaultValue: "on", summary: "Times are integers in binary.",
      isReported: true),
    SettingDefinition(
      name: "is_superuser", kind: .fixed, defaultValue: "on", summary: "Whether the user may do everything.",
      isReported: true),
    SettingDefinition(
      name: "in_hot_standby", kind: .fixed, defaultValue: "off", summary: "Whether this is a standby.", isReported: true
    ),
    SettingDefinition(
      name: "max_identifier_length", kind: .fixed, defaultValue: "63", summary: "Longest name in bytes."),
    SettingDefinition(
      name: "max_index_keys", kind: .fixed, defaultValue: "32", summary: "Most columns of a key, for clients that ask."),
    SettingDefinition(name: "lc_collate", kind: .fixed, defaultValue: "C", summary: "Text is ordered by its bytes."),
    SettingDefinition(name: "lc_ctype", kind: .fixed, defaultValue: "C", summary: "Character classes."),
    SettingDefinition(
      name: "statement_timeout", kind: .milliseconds, defaultValue: "0",
      summary: "Longest run of a statement in ms; 0: no limit."),
    SettingDefinition(
      name: "log_min_duration_statement", kind: .millisecondsOrNever, defaultValue: "-1",
      summary: "Statements that run for so many ms are written to the log with their plan; 0: all, -1: none."),
    SettingDefinition(
      name: "lock_timeout", kind: .milliseconds, defaultValue: "0",
      summary: "Longest wait for another session's writes to a dimension table in ms; 0: no limit."),
    SettingDefinition(
      name: "idle_in_transaction_session_timeout", kind: .milliseconds, defaultValue: "600000",
      summary: "Longest time in ms that a connection may be idle within a transaction; 0: no limit."),
    SettingDefinition(
      name: "idle_session_timeout", kind: .milliseconds, defaultValue: "0",
      summary: "Longest time in ms that a connection may be idle outside of a transaction; 0: no limit."),
    SettingDefinition(
      name: "search_path", kind: .text, defaultValue: "\"$user\", public",
      summary: "Accepted; names are looked up in pg_catalog, then public."),
    SettingDefinition(
      name: "extra_float_digits", kind: .integer, defaultValue: "1",
      summary: "Accepted; floats are written with the fewest exact digits."),
    SettingDefinition(name: "client_min_messages", kind: .text, defaultValue: "notice", summary: "Accepted."),
    SettingDefinition(
      name: "bytea_output", kind: .oneOf(["hex"]), defaultValue: "hex", summary: "How bytea is written."),
    SettingDefinition(
      name: "default_transaction_isolation", kind: .oneOf(["read committed", "repeatable read", "read uncommitted"]),
      defaultValue: "read committed", summary: "Isolation of new transactions."),
    SettingDefinition(
      name: "default_transaction_read_only", kind: .boolean, defaultValue: "off",
      summary: "Whether new transactions only read.", isReported: true),
    SettingDefinition(
      name: "default_transaction_deferrable", kind: .boolean, defaultValue: "off", summary: "Accepted."),
    SettingDefinition(
      name: "transaction_isolation", kind: .oneOf(["read committed", "repeatable read", "read uncommitted"]),
      defaultValue: "read committed", summary: "Isolation of this transaction."),
    SettingDefinition(
      name: "transaction_read_only", kind: .boolean, defaultValue: "off",
      summary: "Whether this transaction only reads."),
    SettingDefinition(name: "transaction_deferrable", kind: .boolean, defaultValue: "off", summary: "Accepted."),
    SettingDefinition(name: "row_security", kind: .boolean, defaultValue: "on", summary: "Accepted."),
    SettingDefinition(name: "jit", kind: .boolean, defaultValue: "off", summary: "Accepted."),
    SettingDefinition(
      name: "synchronous_commit", kind: .oneOf(["on"]), defaultValue: "on", summary: "What is acknowledged is durable."),
    SettingDefinition(name: "synchronize_seqscans", kind: .boolean, defaultValue: "on", summary: "Accepted."),
    SettingDefinition(name: "check_function_bodies", kind: .boolean, defaultValue: "on", summary: "Accepted."),
    SettingDefinition(name: "default_table_access_method", kind: .text, defaultValue: "heap", summary: "Accepted."),
    SettingDefinition(name: "xmloption", kind: .text, defaultValue: "content", summary: "Accepted."),
    SettingDefinition(
      name: "work_mem", kind: .byteCount, defaultValue: "4194304", summary: "Accepted; varve.query_memory_limit counts."
    ),
    SettingDefinition(name: "max_parallel_workers_per_gather", kind: .integer, defaultValue: "2", summary: "Accepted."),
    SettingDefinition(
      name: "varve.query_memory_limit", kind: .byteCount, defaultValue: String(defaultQueryMemory),
      summary: "Memory a query may hold, in bytes or with a unit."),
    SettingDefinition(
      name: "varve.rows_per_part", kind: .integer, defaultValue: String(defaultRowsPerPart),
      summary: "A scan of twice as many rows is cut into parts, which several threads read."),
    SettingDefinition(
      name: "varve.use_rollups", kind: .boolean, defaultValue: "on",
      summary: "Whether rollups answer aggregates over the tables they are made from, in place of rows."),
    SettingDefinition(
      name: "varve.use_summaries", kind: .boolean, defaultValue: "on",
      summary: "Whether aggregates use what chunks know of whole buckets of time, in place of rows."),
    SettingDefinition(
      name: "varve.use_page_aggregates", kind: .boolean, defaultValue: "on",
      summary:
        "Whether rows are aggregated on their pages where groups are long. Both off: all aggregates are made of rows."
    ),
  ]
  static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name.lowercased(), $0) })

  /// The value as it is kept. Throws 22023 for one that the setting does not take.
  func normalize(_ value: String, _ zones: TimeZoneDatabase) throws -> String {
    let lower = value.lowercased()
    func invalid(_ hint: String? = nil) -> VarveError {
      SQLError.make("22023", "invalid value for parameter \"\(name)\": \"\(value)\"", hint: hint)
    }
    switch kind {
    case .text: return value
    case .fixed:
      throw SQLError.make("55P02", "parameter \"\(name)\" cannot be changed")
    case .boolean:
      if ["on", "true", "yes", "1", "t", "y"].contains(lower) { return "on" }
      if ["off", "false", "no", "0", "f", "n"].contains(lower) { return "off" }
      throw invalid()
    case .integer:
      guard let number = Int64(value) else { throw invalid() }
      return String(number)
    case .milliseconds:
      guard
        let number = Self.scaled(
          lower, ["": 1, "us": 0, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000]),
        number >= 0
      else { throw invalid("Valid units for this parameter are \"ms\", \"s\", \"min\", \"h\", and \"d\".") }
      guard number <= Int32.max else { throw invalid("Value exceeds integer range.") }
      return String(number)
    case .millisecondsOrNever:
      if lower == "-1" { return lower }
      return try SettingDefinition(name: name, kind: .milliseconds, defaultValue: "", summary: "").normalize(
        value, zones)
    case .byteCount:
      guard
        let number = Self.scaled(lower, ["": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40]),
        number >= 65_536
      else { throw invalid("Write a size of at least 64kB, such as 256MB or 1GB.") }
      return String(number)
    case .timeZone:
      if lower == "default" || lower == "local" { return defaultValue }
      return try zones.zone(named: value).name
    case .encoding:
      // By letters and digits alone, as PostgreSQL reads names of encodings: asyncpg sends them in quotes.
      guard ["utf8", "unicode"].contains(lower.filter { $0.isLetter || $0.isNumber }) else {
        throw invalid("Text is UTF8 here; let the client encode it.")
      }
      return "UTF8"
    case .dateStyle:
      var order = "MDY"
      for part in lower.split(separator: ",") {
        switch part.filter({ $0 != " " }) {
        case "iso": break
        case "mdy", "us": order = "MDY"
        case "dmy", "european": order = "DMY"
        case "ymd": order = "YMD"
        default: throw invalid("Only ISO dates are written here.")
        }
      }
      return "ISO, \(order)"
    case .oneOf(let values):
      let wanted = lower == "true" || lower == "1" || lower == "yes" ? "on" : lower
      guard values.contains(wanted) else { throw invalid("Available values: \(values.joined(separator: ", ")).") }
      return wanted
    }
  }

  /// `10 min`: the number times what its unit stands for; nil if it is neither.
  private static func scaled(_ text: String, _ units: [String: Int64]) -> Int64? {
    let trimmed = text.filter { $0 != " " }
    let digits = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == "-") }
    guard let number = Int64(digits), let unit = units[String(trimmed.dropFirst(digits.count))] else { return nil }
    let (result, overflow) = number.multipliedReportingOverflow(by: unit)
    return overflow ? nil : result
  }
}

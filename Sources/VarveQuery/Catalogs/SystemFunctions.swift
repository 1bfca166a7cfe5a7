// Functions about the session and the catalogs. They are found beside those of the function catalogue.

import VarveCompute
import VarveCore
import VarveStorage

enum SystemFunctions {
  struct Signature: Sendable {
    let name: String
    let arguments: [SQLType]
    let result: SQLType
    let isStrict: Bool
    let volatility: ScalarFunction.Volatility
    let body: @Sendable ([Datum], SessionState, EvaluationContext) throws -> Datum
  }

  /// The function of that name whose arguments the given ones become implicitly; the first that fits.
  static func find(_ name: String, _ types: [SQLType], _ session: SessionState) throws -> ScalarFunction? {
    guard let candidates = byName[name] else { return nil }
    func fits(_ signature: Signature, _ test: (SQLType, SQLType) throws -> Bool) rethrows -> Bool {
      try signature.arguments.count == types.count && zip(types, signature.arguments).allSatisfy { try test($0, $1) }
    }
    let found =
      try candidates.first { fits($0) { $0.base == $1 } }
      ?? candidates.first {
        try fits($0) { have, want in
          try have == .unknown || want == .unknown
            || FunctionCatalog.cast(from: have, to: want, context: .implicit) != nil
        }
      }
    return found.map { function($0, session) }
  }

  private static func function(_ signature: Signature, _ session: SessionState) -> ScalarFunction {
    ScalarFunction(
      name: signature.name, argumentTypes: signature.arguments, resultType: signature.result,
      volatility: signature.volatility
    ) { columns, count, context in
      if columns.allSatisfy({ $0.constantValue != nil }), count > 0, signature.volatility != .volatile {
        let values = columns.compactMap(\.constantValue)
        let value =
          signature.isStrict && values.contains(.null) ? Datum.null : try signature.body(values, session, context)
        return .constant(value, type: signature.result, count: count)
      }
      var builder = ColumnBuilder(signature.result, capacity: count)
      for row in 0..<count {
        let values = columns.map { $0.datum(at: row) }
        if signature.isStrict, values.contains(.null) {
          builder.appendNull()
        } else {
          try builder.append(try signature.body(values, session, context))
        }
      }
      return builder.finish()
    }
  }

  private static let byName = Dictionary(grouping: signatures, by: \.name)

  static func make(
    _ name: String, _ arguments: [SQLType], _ result: SQLType, isStrict: Bool = true,
    volatility: ScalarFunction.Volatility = .stable,
    _ body: @escaping @Sendable ([Datum], SessionState, EvaluationContext) throws -> Datum
  ) -> Signature {
    Signature(
      name: name, arguments: arguments, result: result, isStrict: isStrict, volatility: volatility, body: body)
  }

  static func text(_ datum: Datum) -> String { if case .text(let text) = datum { text } else { "" } }
  static func int(_ datum: Datum) -> Int64 { if case .int(let value) = datum { value } else { 0 } }

  static let signatures: [Signature] =
    session + catalog + settings + privileges + texts + visibility + definitions

  private static let session: [Signature] = [
    make("current_database", [], .name) { _, session, _ in .text(session.database) },
    make("current_catalog", [], .name) { _, session, _ in .text(session.database) },
    make("current_user", [], .name) { _, session, _ in .text(session.user) },
    make("session_user", [], .name) { _, session, _ in .text(session.user) },
    make("current_schema", [], .name) { _, _, _ in .text("public") },
    make("current_schemas", [.bool], .array(.name)) { arguments, _, _ in
      .array(arguments[0] == .bool(true) ? [.text("pg_catalog"), .text("public")] : [.text("public")])
    },
    make("version", [], .text) { _, session, _ in
      .text("PostgreSQL \(session.setting("server_version") ?? "15.0") (Varve)")
    },
    make("pg_backend_pid", [], .int4) { _, session, _ in .int(Int64(session.activity.processID)) },
    make("pg_is_in_recovery", [], .bool) { _, _, _ in Cell.no },
    make("pg_postmaster_start_time", [], .timestamptz) { _, session, _ in .timestamp(session.monitor.startTime) },
    make("txid_current", [], .int8) { _, _, _ in .int(1) },
    make("inet_server_addr", [], .text) { _, _, _ in .null },
    make("inet_client_addr", [], .text) { _, session, _ in
      session.activity.clientAddress.map { .text(QueryViews.host($0)) } ?? .null
    },
    make("pg_cancel_backend", [.int4], .bool, volatility: .volatile) { arguments, session, _ in
      .bool(interrupt(int(arguments[0]), session) { session.monitor.cancel($0) })
    },
    make("pg_notify", [.text, .text], .void, isStrict: false, volatility: .volatile) { arguments, session, _ in
      try session.notify(text(arguments[0]), text(arguments[1]))
      return .text("")
    },
    make("pg_notification_queue_usage", [], .float8, volatility: .volatile) { _, _, _ in .float(0) },
    make("pg_terminate_backend", [.int4], .bool, volatility: .volatile) { arguments, session, _ in
      .bool(interrupt(int(arguments[0]), session) { session.monitor.terminate($0) })
    },
  ]

  /// As PostgreSQL: a number that no session has is a warning, so that a list of them is gone through to its end.
  private static func interrupt(_ processID: Int64, _ session: SessionState, _ end: (Int32) -> Bool) -> Bool {
    if let number = Int32(exactly: processID), end(number) { return true }
    session.add(
      .notice(
        severity: "WARNING", sqlState: "01000", message: "PID \(processID) is not a PostgreSQL server process"))
    return false
  }

  private static let catalog: [Signature] = [
    make("pg_get_userbyid", [.oid], .name) { arguments, session, _ in
      .text(int(arguments[0]) == Int64(CatalogView.ownerOID) ? session.user : "unknown (OID=\(int(arguments[0])))")
    },
    make("pg_table_is_visible", [.oid], .bool) { arguments, _, _ in .bool(isVisible(int(arguments[0]))) },
    make("pg_type_is_visible", [.oid], .bool) { _, _, _ in Cell.yes },
    make("pg_function_is_visible", [.oid], .bool) { _, _, _ in Cell.yes },
    make("pg_relation_is_publishable", [.regclass], .bool) { _, _, _ in Cell.no },
    make("pg_encoding_to_char", [.int4], .name) { arguments, _, _ in .text(int(arguments[0]) == 6 ? "UTF8" : "") },
    make("pg_char_to_encoding", [.name], .int4) { arguments, _, _ in
      .int(["utf8", "utf-8", "unicode"].contains(text(arguments[0]).lowercased()) ? 6 : -1)
    },
    make("format_type", [.oid, .int4], .text, isStrict: false) { arguments, _, _ in
      formatType(arguments[0], arguments[1])
    },
    make("pg_get_expr", [.text, .oid], .text) { arguments, _, _ in arguments[0] },
    make("pg_get_expr", [.text, .oid, .bool], .text) { arguments, _, _ in arguments[0] },
    make("obj_description", [.oid], .text) { _, _, _ in .null },
    make("obj_description", [.oid, .name], .text) { _, _, _ in .null },
    make("shobj_description", [.oid, .name], .text) { _, _, _ in .null },
    make("col_description", [.oid, .int4], .text) { _, _, _ in .null },
    make("pg_get_constraintdef", [.oid], .text) { arguments, session, _ in
      Cell.text(session.table(ofKey: int(arguments[0])).map(DimensionCatalog.constraintDefinition))
    },
    make("pg_get_constraintdef", [.oid, .bool], .text) { arguments, session, _ in
      Cell.text(session.table(ofKey: int(arguments[0])).map(DimensionCatalog.constraintDefinition))
    },
    make("pg_get_indexdef", [.oid], .text) { arguments, session, _ in
      Cell.text(session.table(ofKey: int(arguments[0])).map(DimensionCatalog.indexDefinition))
    },
    make("pg_get_indexdef", [.oid, .int4, .bool], .text) { arguments, session, _ in
      guard let table = session.table(ofKey: int(arguments[0])) else { return .null }
      let column = Int(int(arguments[1]))
      if column == 0 { return .text(DimensionCatalog.indexDefinition(table)) }
      guard table.key.indices.contains(column - 1) else { return .null }
      return Cell.text(table.column(table.key[column - 1]).map { Binder.quoteIfNeeded($0.name) })
    },
    make("pg_get_viewdef", [.oid], .text) { arguments, session, _ in
      Cell.text(session.rollupStatement(of: int(arguments[0])))
    },
    make("pg_get_viewdef", [.oid, .bool], .text) { arguments, session, _ in
      Cell.text(session.rollupStatement(of: int(arguments[0])))
    },
    make("pg_get_ruledef", [.oid], .text) { _, _, _ in .null },
    make("pg_get_triggerdef", [.oid, .bool], .text) { _, _, _ in .null },
    make("pg_get_partkeydef", [.oid], .text) { _, _, _ in .null },
    make("pg_get_serial_sequence", [.text, .text], .text) { _, _, _ in .null },
    make("pg_get_statisticsobjdef_columns", [.oid], .text) { _, _, _ in .null },
    make("pg_get_function_result", [.oid], .text) { arguments, _, _ in
      FunctionListing.find(oid: int(arguments[0])).map { .text($0.resultText) } ?? .null
    },
    make("pg_get_function_arguments", [.oid], .text) { arguments, _, _ in
      FunctionListing.find(oid: int(arguments[0])).map { .text($0.argumentText) } ?? .null
    },
    make("pg_get_function_identity_arguments", [.oid], .text) { arguments, _, _ in
      FunctionListing.find(oid: int(arguments[0])).map { .text($0.argumentText) } ?? .null
    },
    make("to_regclass", [.text], .regclass) { arguments, _, context in
      try context.objectID?(text(arguments[0]), .regclass).map { .int($0) } ?? .null
    },
    make("to_regtype", [.text], .regtype) { arguments, _, _ in
      try SQLType.parse(text(arguments[0])).map { .int(Int64($0.oid)) } ?? .null
    },
    make("pg_relation_size", [.regclass], .int8) { arguments, session, _ in session.tableSize(int(arguments[0])) },
    make("pg_table_size", [.regclass], .int8) { arguments, session, _ in session.tableSize(int(arguments[0])) },
    make("pg_total_relation_size", [.regclass], .int8) { arguments, session, _ in
      session.tableSize(int(arguments[0]))
    },
    make("pg_database_size", [.name], .int8) { _, session, _ in session.databaseSize() },
    make("pg_database_size", [.oid], .int8) { _, session, _ in session.databaseSize() },
    make("pg_indexes_size", [.regclass], .int8) { _, _, _ in .int(0) },
  ]

  private static let settings: [Signature] = [
    make("current_setting", [.text], .text) { arguments, session, _ in
      guard let value = session.setting(text(arguments[0])) else {
        throw SQLError.make("42704", "unrecognized configuration parameter \"\(text(arguments[0]))\"")
      }
      return .text(value)
    },
    make("current_setting", [.text, .bool], .text) { arguments, session, _ in
      if let value = session.setting(text(arguments[0])) { return .text(value) }
      if arguments[1] == Cell.yes { return .null }
      throw SQLError.make("42704", "unrecognized configuration parameter \"\(text(arguments[0]))\"")
    },
    make("set_config", [.text, .text, .bool], .text, isStrict: false, volatility: .volatile) { arguments, session, _ in
      if arguments[0].isNull { throw SQLError.make("22004", "SET requires parameter name") }
      return .text(
        try session.set(
          text(arguments[0]), arguments[1].isNull ? nil : text(arguments[1]), isLocal: arguments[2] == Cell.yes))
    },
  ]

  private static let privileges: [Signature] =
    [
      // Text first: what a quoted literal is taken for.
      ("has_table_privilege", SQLType.text), ("has_table_privilege", .oid), ("has_schema_privilege", .text),
      ("has_schema_privilege", .oid), ("has_database_privilege", .text), ("has_database_privilege", .oid),
      ("has_function_privilege", .oid), ("has_any_column_privilege", .text), ("has_any_column_privilege", .oid),
      ("has_sequence_privilege", .oid), ("has_tablespace_privilege", .oid), ("has_type_privilege", .oid),
    ].flatMap { name, object in
      [
        make(name, [object, .text], .bool) { _, _, _ in Cell.yes },
        make(name, [.name, object, .text], .bool) { _, _, _ in Cell.yes },
      ]
    } + [
      make("has_column_privilege", [.oid, .int2, .text], .bool) { _, _, _ in Cell.yes },
      make("has_column_privilege", [.text, .text, .text], .bool) { _, _, _ in Cell.yes },
      make("pg_has_role", [.oid, .text], .bool) { _, _, _ in Cell.yes },
      make("pg_has_role", [.name, .text], .bool) { _, _, _ in Cell.yes },
      make("pg_has_role", [.name, .oid, .text], .bool) { _, _, _ in Cell.yes },
      make("row_security_active", [.oid], .bool) { _, _, _ in Cell.no },
    ]

  private static let texts: [Signature] = [
    make("quote_ident", [.text], .text, volatility: .immutable) { arguments, _, _ in
      .text(Binder.quoteIfNeeded(text(arguments[0])))
    },
    make("quote_literal", [.text], .text, volatility: .immutable) { arguments, _, _ in
      .text(quoted(text(arguments[0])))
    },
    make("pg_size_pretty", [.numeric], .text, volatility: .immutable) { arguments, _, context in
      let whole = try TypeText.string(arguments[0], type: .numeric, context: context).prefix { $0 != "." }
      return Int64(whole).map { .text(prettySize($0)) } ?? .null
    },
    make("parse_ident", [.text], .array(.text), volatility: .immutable) { arguments, _, _ in
      guard let parts = CatalogView.parts(text(arguments[0])) else {
        throw SQLError.make("22023", "string is not a valid identifier: \"\(text(arguments[0]))\"")
      }
      return .array(parts.map { .text($0) })
    },
    make("pg_size_pretty", [.int8], .text, volatility: .immutable) { arguments, _, _ in
      .text(prettySize(int(arguments[0])))
    },
    make("array_remove", [.array(.text), .text], .array(.text), isStrict: false, volatility: .immutable) {
      arguments, _, _ in
      guard case .array(let items) = arguments[0] else { return .null }
      return .array(items.filter { $0 != arguments[1] })
    },
    make("array_upper", [.array(.int2), .int4], .int4, volatility: .immutable, arrayUpper),
    make("array_upper", [.array(.text), .int4], .int4, volatility: .immutable, arrayUpper),
    make("array_upper", [.array(.oid), .int4], .int4, volatility: .immutable, arrayUpper),
  ]

  /// As a literal.
  static func quoted(_ text: String) -> String {
    let escaped = text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
    return escaped.contains("\\")
      ? "E'" + escaped.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\") + "'"
      : "'\(escaped)'"
  }

  @Sendable private static func arrayUpper(_ arguments: [Datum], _: SessionState, _: EvaluationContext) -> Datum {
    guard case .array(let items) = arguments[0], !items.isEmpty, int(arguments[1]) == 1 else { return .null }
    return Cell.int(items.count)
  }

  private static func isVisible(_ oid: Int64) -> Bool {
    if oid >= Int64(CatalogView.firstTableOID) { return true }
    return VirtualTable.all.contains { Int64($0.oid) == oid && $0.schema == "pg_catalog" }
  }

  private static func formatType(_ oid: Datum, _ modifier: Datum) -> Datum {
    guard case .int(let number) = oid else { return .null }
    guard let type = UInt32(exactly: number).flatMap({ SQLType(oid: $0) }) else {
      return .text(number == 0 ? "-" : PseudoType.all.first { Int64($0.oid) == number }?.name ?? "???")
    }
    if type == .numeric, case .int(let typmod) = modifier, typmod >= 4 {
      let packed = typmod - 4
      return .text("numeric(\(packed >> 16),\(packed & 0x7FF))")
    }
    return .text(type.name)
  }

  static func prettySize(_ bytes: Int64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB"]
    var size = bytes
    var unit = 0
    // As PostgreSQL: the next unit from 10 of the former times 1024 on, rounded half up.
    while unit < units.count - 1, abs(size) >= (unit == 0 ? 10_240 : 20_480 - 1) {
      if unit == 0 { size = size / 512 } else { size = size >> 10 }
      unit += 1
    }
    if unit == 0 { return "\(size) bytes" }
    return "\((size + (size < 0 ? -1 : 1)) / 2) \(units[unit])"
  }
}

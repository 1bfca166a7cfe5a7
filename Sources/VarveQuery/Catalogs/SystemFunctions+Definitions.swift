// Functions about what the catalogs hold beside tables: whether a name is found without its schema, how a thing would be
// created, where it is stored. Of most there is nothing, and they say so.

import VarveCompute
import VarveCore

extension SystemFunctions {
  /// There is one of each name.
  static let visibility: [Signature] = [
    "pg_collation_is_visible", "pg_conversion_is_visible", "pg_opclass_is_visible", "pg_operator_is_visible",
    "pg_opfamily_is_visible", "pg_statistics_obj_is_visible", "pg_ts_config_is_visible", "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible", "pg_ts_template_is_visible",
  ].map { make($0, [.oid], .bool) { _, _, _ in Cell.yes } }

  static let definitions: [Signature] =
    [
      make("pg_get_functiondef", [.oid], .text) { arguments, _, _ in
        guard let function = FunctionListing.find(oid: int(arguments[0])) else { return .null }
        if function.kind == .aggregate {
          throw SQLError.make("42809", "\"\(function.name)\" is an aggregate function")
        }
        return .text(function.definition)
      },
      // None can be taken.
      make("pg_advisory_unlock_all", [], .void) { _, _, _ in .text("") },
      make("getdatabaseencoding", [], .name) { _, _, _ in .text("UTF8") },
      make("pg_client_encoding", [], .name) { _, session, _ in .text(session.setting("client_encoding") ?? "UTF8") },
      make("pg_export_snapshot", [], .text) { _, _, _ in
        throw SQLError.make(
          "0A000", "snapshots cannot be shared between connections",
          hint: "Read with one connection: REPEATABLE READ gives it one snapshot.")
      },
      make("pg_is_wal_replay_paused", [], .bool) { _, _, _ in Cell.no },
      make("txid_current_if_assigned", [], .int8) { _, _, _ in .null },
      make("pg_table_size", [.text], .int8) { arguments, session, context in
        guard let oid = try context.objectID?(text(arguments[0]), .regclass) else { return .null }
        return session.tableSize(oid)
      },
    ]
    // Of these things there are none, so nobody can name one.
    + [
      ("pg_get_function_sqlbody", [SQLType.oid], SQLType.text), ("pg_get_statisticsobjdef", [.oid], .text),
      ("pg_get_partition_constraintdef", [.oid], .text), ("pg_get_triggerdef", [.oid], .text),
      ("pg_get_ruledef", [.oid, .bool], .text), ("pg_get_viewdef", [.oid, .int4], .text),
      ("pg_get_viewdef", [.text], .text), ("pg_get_viewdef", [.text, .bool], .text),
      ("pg_tablespace_location", [.oid], .text), ("pg_tablespace_size", [.oid], .int8),
      ("pg_tablespace_size", [.name], .int8), ("pg_relation_filenode", [.regclass], .oid),
      ("pg_relation_filepath", [.regclass], .text), ("pg_sequence_last_value", [.regclass], .int8),
      ("pg_last_wal_replay_lsn", [], .text), ("pg_last_wal_receive_lsn", [], .text), ("pg_my_temp_schema", [], .oid),
      ("pg_get_function_arg_default", [.oid, .int4], .text),
    ].map { name, arguments, result in make(name, arguments, result) { _, _, _ in .null } }
}

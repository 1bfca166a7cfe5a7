// What PostgreSQL counts: the tables with their rows, the database, and the time zones there are.

import VarveCompute
import VarveCore
import VarveStorage

enum StatisticsCatalogs {
  static let tables: [VirtualTable] = [
    VirtualTable("pg_catalog", "pg_stat_all_tables", tableColumns) { view in
      view.relations().filter { !$0.isView }.map { row($0, view) }
    },
    VirtualTable("pg_catalog", "pg_stat_user_tables", tableColumns) { view in
      view.relations().filter { !$0.isSystem }.map { row($0, view) }
    },
    VirtualTable(
      "pg_catalog", "pg_stat_database",
      """
      datid oid datname name numbackends int4 xact_commit int8 xact_rollback int8 blks_read int8 blks_hit int8 \
      tup_returned int8 tup_fetched int8 tup_inserted int8 tup_updated int8 tup_deleted int8 conflicts int8 \
      temp_files int8 temp_bytes int8 deadlocks int8 checksum_failures int8 checksum_last_failure timestamptz \
      blk_read_time float8 blk_write_time float8 session_time float8 active_time float8 \
      idle_in_transaction_time float8 sessions int8 sessions_abandoned int8 sessions_fatal int8 sessions_killed int8 \
      stats_reset timestamptz
      """,
      cells: { view in
        [["datid": Cell.oid(CatalogView.databaseOID), "datname": .text(view.session.database)]]
      }),
  ]

  private static let tableColumns = """
    relid oid schemaname name relname name seq_scan int8 seq_tup_read int8 idx_scan int8 idx_tup_fetch int8 \
    n_tup_ins int8 n_tup_upd int8 n_tup_del int8 n_tup_hot_upd int8 n_live_tup int8 n_dead_tup int8 \
    n_mod_since_analyze int8 n_ins_since_vacuum int8 last_vacuum timestamptz last_autovacuum timestamptz \
    last_analyze timestamptz last_autoanalyze timestamptz vacuum_count int8 autovacuum_count int8 analyze_count int8 \
    autoanalyze_count int8
    """

  /// Of what PostgreSQL counts only the rows are known.
  private static func row(_ relation: Relation, _ view: CatalogView) -> VirtualTable.Row {
    var rows = Datum.null
    if case .series(let table) = relation.source { rows = Cell.int(view.snapshot.statistics(of: table.id).rows) }
    return [Cell.oid(relation.oid), .text(relation.schema), .text(relation.name)]
      + Array(repeating: .null, count: 8) + [rows] + Array(repeating: .null, count: 11)
  }
}

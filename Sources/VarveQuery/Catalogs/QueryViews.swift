// The sessions of the database and what they run: `varve.queries`, and pg_stat_activity as PostgreSQL 15 has it.

import VarveCompute
import VarveCore

enum QueryViews {
  static let tables: [VirtualTable] = [
    VirtualTable(
      "varve", "queries",
      """
      pid int4 user_name text database text application_name text client text protocol text state text wait text \
      session_start timestamptz transaction_start timestamptz query_start timestamptz state_change timestamptz \
      query text rows int8 memory_bytes int8 row_blocks_read int8 pages_read int8 bytes_read int8
      """
    ) { view in
      view.session.monitor.reports.map { session in
        [
          .int(Int64(session.processID)), .text(session.user), .text(session.database),
          .text(session.applicationName), text(session.clientAddress), .text(session.protocol.rawValue),
          .text(session.state.rawValue), text(session.wait?.rawValue), .timestamp(session.since),
          time(session.transactionStart), time(session.statementStart), .timestamp(session.stateChange),
          .text(session.statement), Cell.int(session.rows), Cell.int(session.memoryByteCount),
          Cell.int(session.rowBlocksRead), Cell.int(session.pagesRead), Cell.int(session.bytesRead),
        ]
      }
    },
    VirtualTable(
      "varve", "subscriptions",
      """
      pid int4 client text protocol text since timestamptz table_name text kind text query text resume_offset text
      """
    ) { view in
      view.session.monitor.reports.compactMap { session in
        session.following.map { following in
          [
            .int(Int64(session.processID)), text(session.clientAddress), .text(session.protocol.rawValue),
            .timestamp(session.since), .text(following.table), .text(following.hasBuckets ? "buckets" : "rows"),
            .text(session.statement), .text(following.offset),
          ]
        }
      }
    },
    VirtualTable(
      "pg_catalog", "pg_stat_activity",
      """
      datid oid datname name pid int4 leader_pid int4 usesysid oid usename name application_name text \
      client_addr text client_hostname text client_port int4 backend_start timestamptz xact_start timestamptz \
      query_start timestamptz state_change timestamptz wait_event_type text wait_event text state text \
      backend_xid oid backend_xmin oid query_id int8 query text backend_type text
      """
    ) { view in
      view.session.monitor.reports.map { session in
        let port = session.clientAddress.flatMap { Int64($0.split(separator: ":").last ?? "") }
        let (waitType, wait) = waitEvent(session)
        return [
          Cell.oid(CatalogView.databaseOID), .text(session.database), .int(Int64(session.processID)), .null,
          Cell.oid(CatalogView.ownerOID), .text(session.user), .text(session.applicationName),
          text(session.clientAddress.map(host)), .null, port.map { .int($0) } ?? .null, .timestamp(session.since),
          time(session.transactionStart), time(session.statementStart), .timestamp(session.stateChange),
          text(waitType), text(wait), .text(session.state.rawValue), .null, .null, .null, .text(session.statement),
          .text("client backend"),
        ]
      }
    },
  ]

  /// In PostgreSQL's words where it has some.
  private static func waitEvent(_ session: SessionReport) -> (type: String?, name: String?) {
    switch session.wait {
    case .worker: ("Extension", "Worker")
    case .client: ("Client", "ClientWrite")
    case .commits: ("Extension", "Commits")
    case nil: session.state == .active ? (nil, nil) : ("Client", "ClientRead")
    }
  }

  /// Of `127.0.0.1:49152` or `[::1]:49152`.
  static func host(_ address: String) -> String {
    guard let colon = address.lastIndex(of: ":") else { return address }
    let host = address[..<colon]
    return host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host)
  }

  private static func text(_ value: String?) -> Datum { value.map { .text($0) } ?? .null }
  private static func time(_ value: Int64?) -> Datum { value.map { .timestamp($0) } ?? .null }
}

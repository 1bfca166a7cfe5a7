// What comes in, in the schema `varve`: by table, by connection, and the queue to the log. Counted since the database
// was opened, by whichever process has it open.

import VarveCompute
import VarveCore
import VarveStorage

enum IngestViews {
  static let tables: [VirtualTable] = [
    VirtualTable(
      "varve", "ingest",
      """
      table_name text protocol text rows int8 column_bytes int8 batches int8 rejected int8 rejected_by text[] \
      last_write timestamptz queued_bytes int8 syncs int8 sync_p50_ms float8 sync_p99_ms float8 sync_max_ms float8
      """
    ) { view in
      view.session.ingestReport().tables.map { table in
        [
          table.table.map { .text($0) } ?? .null, .text(table.protocol.rawValue), Cell.int(table.rows),
          Cell.int(table.columnByteCount), Cell.int(table.batches), Cell.int(table.rejected.values.reduce(0, +)),
          reasons(table.rejected), table.lastWrite.map { .timestamp($0) } ?? .null, Cell.int(table.queuedByteCount),
          Cell.int(table.syncs.count), milliseconds(table.syncs.milliseconds(atPart: 0.5)),
          milliseconds(table.syncs.milliseconds(atPart: 0.99)), milliseconds(table.syncs.maximumMilliseconds),
        ]
      }
    },
    VirtualTable(
      "varve", "ingest_queue",
      """
      queued_bytes int8 saturation_bytes int8 saturated bool waits_for text commits int8 rows int8 \
      column_bytes int8 refused int8 refused_by text[] commit_p50_ms float8 commit_p99_ms float8 commit_max_ms float8
      """
    ) { view in
      let queue = view.session.ingestReport().queue
      return [
        [
          Cell.int(queue.queuedByteCount), Cell.int(queue.saturationByteCount), .bool(queue.isSaturated),
          .text(queue.waitsFor.rawValue), Cell.int(queue.commits), Cell.int(queue.rows),
          Cell.int(queue.columnByteCount), Cell.int(queue.refusals.values.reduce(0, +)), reasons(queue.refusals),
          milliseconds(queue.commitTimes.milliseconds(atPart: 0.5)),
          milliseconds(queue.commitTimes.milliseconds(atPart: 0.99)),
          milliseconds(queue.commitTimes.maximumMilliseconds),
        ]
      ]
    },
    VirtualTable(
      "varve", "connections",
      """
      id int8 listener text client text since timestamptz state text received_bytes int8 rows int8 rejected int8 \
      in_flight_bytes int8 unanswered_syncs int8 syncs int8 last_sync_ms float8 sync_max_ms float8
      """
    ) { view in
      view.session.ingestReport().connections.map { connection in
        let counts = connection.counts
        return [
          .int(Int64(clamping: connection.number)), .text(connection.listener), .text(connection.client),
          .timestamp(connection.since), .text(counts.state.rawValue), Cell.int(counts.receivedByteCount),
          Cell.int(counts.rows), Cell.int(counts.rejected), Cell.int(counts.inFlightByteCount),
          Cell.int(counts.unansweredSyncs), Cell.int(counts.syncs),
          milliseconds(counts.lastSyncNanoseconds.map { Double($0) / 1e6 }),
          milliseconds(counts.slowestSyncNanoseconds.map { Double($0) / 1e6 }),
        ]
      }
    },
  ]

  /// `{type_conflict=3,syntax=1}`, the most frequent first.
  private static func reasons(_ counts: [VarveError.Code: Int]) -> Datum {
    let sorted = counts.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
    return .array(sorted.map { .text("\($0.key.rawValue)=\($0.value)") })
  }

  private static func milliseconds(_ value: Double?) -> Datum {
    // More digits than a microsecond's are noise.
    value.map { .float(($0 * 1000).rounded() / 1000) } ?? .null
  }
}

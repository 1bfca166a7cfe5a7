// `varve.maintenance`: what sealing, compaction and the manifest's checkpoints have done since the database was opened, and
// how many bytes are due: rows in memory, chunks to be compacted, edits behind the last checkpoint.

import VarveCompute
import VarveCore
import VarveStorage

enum MaintenanceViews {
  static let tables: [VirtualTable] = [
    VirtualTable(
      "varve", "maintenance",
      """
      task text runs int8 failures int8 rows int8 read_bytes int8 written_bytes int8 seconds float8 due_bytes int8 \
      last_run timestamptz last_error text
      """
    ) { view in
      let report = view.session.maintenanceReport()
      return [
        row("seal", report.statistics.seals, due: report.unsealedByteCount),
        row("compaction", report.statistics.compaction, due: report.uncompactedByteCount),
        row("checkpoint", report.statistics.checkpoints, due: report.editByteCount),
      ]
    }
  ]

  private static func row(_ task: String, _ work: MaintenanceWork, due: Int) -> [Datum] {
    [
      .text(task), Cell.int(work.runs), Cell.int(work.failures), Cell.int(work.rowCount), Cell.int(work.readByteCount),
      Cell.int(work.writtenByteCount), .float((Double(work.nanoseconds) / 1e6).rounded() / 1e3), Cell.int(due),
      work.lastRun.map { .timestamp($0) } ?? .null, work.lastError.map { .text($0.description) } ?? .null,
    ]
  }
}

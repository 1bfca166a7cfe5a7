// Edits of the running store, and what they leave to be said of the manifest.

import VarveCore
import VarveFormat

extension Store {
  /// Makes the edit, with the room kept for it where there is no other.
  func commit(_ edit: ManifestEdit, to manifest: ManifestLog) throws {
    let began = options.clock.monotonicNanoseconds()
    do {
      let checkpointByteCount = try reserve.lend { try manifest.commit(edit) }
      let now = options.clock.monotonicNanoseconds()
      let editByteCount = manifest.editByteCount
      maintenance.withLock { maintenance in
        maintenance.editByteCount = editByteCount
        guard let checkpointByteCount else { return }
        maintenance.statistics.checkpoints.runs += 1
        maintenance.statistics.checkpoints.writtenByteCount += checkpointByteCount
        maintenance.statistics.checkpoints.nanoseconds += now - began
        maintenance.statistics.checkpoints.lastRun = edit.wallNanoseconds
      }
    } catch {
      maintenance.withLock { $0.statistics.checkpoints.failed(asVarveError(error)) }
      throw error
    }
  }

  package var maintenanceReport: MaintenanceReport {
    var report = MaintenanceReport()
    (report.statistics, report.editByteCount) = maintenance.withLock { ($0.statistics, $0.editByteCount) }
    let head = headByteCounts
    report.unsealedByteCount = head.active + head.sealing
    var pass = CompactionPass(self)
    while let task = pickCompaction(&pass) {
      report.uncompactedByteCount += task.byteCount
      pass.skip()
    }
    return report
  }
}

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
        maintenance.statistics.checkpoints.succeeded(at: edit.wallNanoseconds)
        maintenance.statistics.checkpoints.writtenByteCount += checkpointByteCount
        maintenance.statistics.checkpoints.took(now - began)
      }
    } catch {
      if manifest.failedToBeginFile { noteFailure(asVarveError(error), of: \.checkpoints) }
      throw error
    }
  }

  func noteFailure(_ error: VarveError, of job: WritableKeyPath<MaintenanceStatistics, MaintenanceWork>) {
    let now = options.clock.wallNanoseconds()
    maintenance.withLock { $0.statistics[keyPath: job].failed(error, at: now) }
  }

  package var maintenanceStatistics: MaintenanceStatistics {
    let (monotonic, wall) = (options.clock.monotonicNanoseconds(), options.clock.wallNanoseconds())
    func later(_ time: Int64) -> Int64? {
      let next = wall.addingReportingOverflow(time - monotonic)
      return time > monotonic && !next.overflow ? next.partialValue : nil
    }
    var (statistics, postponed) = maintenance.withLock {
      ($0.statistics, $0.postponements.first(after: monotonic))
    }
    let (since, isPaused) = published.withLock {
      ($0.sealing == nil ? $0.activeSince : nil, $0.catalog.pausedJobs.contains(.compaction))
    }
    statistics.seals.nextRun = since.flatMap { since in
      let due = since.addingReportingOverflow(Int64(options.sealAgeMilliseconds) * 1_000_000)
      return due.overflow ? nil : later(due.partialValue)
    }
    if isPaused { postponed = nil }
    statistics.compaction.nextRun = postponed.flatMap(later)
    return statistics
  }

  package var maintenanceReport: MaintenanceReport {
    var report = MaintenanceReport()
    report.statistics = maintenanceStatistics
    report.editByteCount = maintenance.withLock { $0.editByteCount }
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

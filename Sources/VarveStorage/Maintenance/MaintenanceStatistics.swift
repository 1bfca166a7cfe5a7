// What sealing, compaction and the manifest's checkpoints have done since the store was opened, and what they have yet to
// do.

import VarveCore

/// One kind of work that nobody waits for.
package struct MaintenanceWork: Sendable {
  package internal(set) var runs = 0
  /// Runs that came to nothing: damaged or missing input, want of room. Not those that an end of the database or a dropped
  /// table made pointless.
  package internal(set) var failures = 0
  package internal(set) var rowCount = 0
  package internal(set) var readByteCount = 0
  package internal(set) var writtenByteCount = 0
  /// Waiting for others that go first included.
  package internal(set) var nanoseconds: Int64 = 0
  /// Of the last run.
  package internal(set) var lastNanoseconds: Int64 = 0
  package internal(set) var isRunning = false
  /// When the last run ended, however it did; wall clock.
  package internal(set) var lastRun: Int64?
  /// Of the last run.
  package internal(set) var lastError: VarveError?
  /// When the next run is due at the latest, if that is known and later than now; wall clock.
  package internal(set) var nextRun: Int64?

  package init() {}

  mutating func began() { isRunning = true }

  mutating func took(_ time: Int64) {
    isRunning = false
    nanoseconds += time
    lastNanoseconds = time
  }

  mutating func succeeded(at wall: Int64) {
    runs += 1
    lastRun = wall
    lastError = nil
  }

  mutating func failed(_ error: VarveError, at wall: Int64) {
    failures += 1
    lastRun = wall
    lastError = error
  }
}

package struct MaintenanceStatistics: Sendable {
  package internal(set) var seals = MaintenanceWork()
  package internal(set) var compaction = MaintenanceWork()
  package internal(set) var checkpoints = MaintenanceWork()
  /// The most bytes that a compaction held of the chunks that it merged.
  package internal(set) var compactionPeakByteCount = 0

  package init() {}

  mutating func raisePeak(_ byteCount: Int) { compactionPeakByteCount = max(compactionPeakByteCount, byteCount) }

  /// Bytes written for each byte sealed; nil before the first.
  package var writeAmplification: Double? {
    let sealed = seals.writtenByteCount
    return sealed > 0 ? Double(sealed + compaction.writtenByteCount) / Double(sealed) : nil
  }
}

/// What was done, and bytes that are due: of rows in memory, of chunks to be compacted, of edits behind the manifest's
/// checkpoint.
package struct MaintenanceReport: Sendable {
  package var statistics = MaintenanceStatistics()
  package var unsealedByteCount = 0
  package var uncompactedByteCount = 0
  package var editByteCount = 0

  package init() {}
}

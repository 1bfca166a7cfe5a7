// Rounds of shipping the log: when one is due, and what is told of it. One thread at a time.

import VarveArchive
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

final class LogShipping {
  private static let firstPauseNanoseconds: Int64 = 1_000_000_000
  private static let longestPauseNanoseconds: Int64 = 60_000_000_000

  private let settings: Database.Backups
  private let state: BackupState
  private let log: @Sendable (Database.LogLevel, String) -> Void
  private var shipper: LogShipper?
  private var segment: FileID?
  private var nextRound = Int64.min
  private var pauseNanoseconds: Int64 = 0
  private var failure: VarveError.Code?
  private var sentByteCount = 0

  init(
    _ settings: Database.Backups, _ state: BackupState, log: @escaping @Sendable (Database.LogLevel, String) -> Void
  ) {
    self.settings = settings
    self.state = state
    self.log = log
  }

  /// At its time, and as soon as a segment has ended; after a failure not before its pause is over.
  func isDue(_ store: Store) -> Bool {
    if state.clock.monotonicNanoseconds() >= nextRound { return true }
    guard pauseNanoseconds == 0, let segment else { return false }
    return store.logIsBeyond(segment)
  }

  /// Whether a backup is wanted. What fails is told, and tried again later; throws only `.closed` and `.cancelled`.
  func round(_ store: Store, check: () throws -> Void, view: () throws -> LogView) throws -> Bool {
    let start = state.clock.monotonicNanoseconds()
    state.records.update(.logShipping) { $0.work.isRunning = true }
    do {
      let shipper = try shipper ?? LogShipper(store, to: state.open(settings.place, store.files))
      self.shipper = shipper
      var reached: LogView?
      let report = try shipper.ship(check: check) {
        let found = try view()
        reached = found
        return found
      }
      if let reached, !report.wasBusy { succeeded(report, reached, start) }
      return report.needsBackup
    } catch {
      let error = asVarveError(error)
      if error.code == .closed || error.code == .cancelled {
        state.records.update(.logShipping) { $0.work.isRunning = false }
        throw error
      }
      failed(error, start)
      return false
    }
  }

  func stop() {
    shipper?.stop()
    shipper = nil
  }

  // MARK: -

  private func succeeded(_ report: ShipReport, _ reached: LogView, _ start: Int64) {
    if let gap = report.gap {
      log(
        .error,
        "commits \(gap.lowerBound.rawValue) to \(gap.upperBound.rawValue) did not get to the backups before their log "
          + "had to go: no moment among them can be restored to; the next backup, which is due now, begins anew")
    }
    if failure != nil { log(.info, "the log gets to the place of the backups again") }
    failure = nil
    pauseNanoseconds = 0
    segment = report.segment
    sentByteCount += report.sentByteCount
    let (now, wall) = (state.clock.monotonicNanoseconds(), state.clock.wallNanoseconds())
    let every = settings.shipEvery?.clampedNanoseconds ?? .max
    nextRound = start.addingReportingOverflow(every).overflow ? .max : start + every
    let detail = "commit \(report.last.rawValue) is there; \(BackupState.megabytes(sentByteCount)) MB were sent"
    state.records.update(.logShipping) { record in
      record.ended(nil, now - start, at: wall)
      record.work.nextRun = wall.addingReportingOverflow(every).overflow ? nil : wall + every
      record.reached = (report.last, reached.wallNanoseconds)
      record.detail = detail
    }
  }

  private func failed(_ error: VarveError, _ start: Int64) {
    if failure != error.code {
      log(.warning, "the log does not get to the place of the backups; it is kept, and tried again: \(error)")
    }
    failure = error.code
    pauseNanoseconds = min(
      pauseNanoseconds == 0 ? Self.firstPauseNanoseconds : pauseNanoseconds * 2, Self.longestPauseNanoseconds)
    let (now, wall) = (state.clock.monotonicNanoseconds(), state.clock.wallNanoseconds())
    nextRound = now + pauseNanoseconds
    // Whatever it was, the next round looks anew what the place has.
    stop()
    state.records.update(.logShipping) { [pauseNanoseconds] record in
      record.ended(error, now - start, at: wall)
      record.work.nextRun = wall + pauseNanoseconds
    }
  }
}

// What the database does with places elsewhere, by itself or when it is asked: backups, shipping of the log between them,
// and runs of the archive. Known since the database was opened; a row of `varve.jobs` each, as far as it is set up or was
// asked for.

import Synchronization
import VarveCore

package enum ServiceJob: UInt8, Sendable, CaseIterable {
  case backup = 8
  case logShipping = 9
  case archive = 10

  var name: String {
    switch self {
    case .backup: "backup"
    case .logShipping: "log shipping"
    case .archive: "archive"
    }
  }
}

package struct ServiceRecord: Sendable {
  package var work = RefreshRecord()
  package var scheduleNanoseconds: Int64?
  /// Of shipping: the last commit that is where it should be, and when there was nothing behind it; wall clock.
  package var reached: (commit: Sequence, wallNanoseconds: Int64)?
  /// How far it is, in words.
  package var detail: String?

  package init() {}

  package mutating func ended(_ error: VarveError?, _ nanoseconds: Int64, at wall: Int64) {
    work.ended(at: wall, after: nanoseconds, nextRun: work.nextRun, error)
  }
}

package final class ServiceRecords: Sendable {
  private let records = Mutex<[ServiceJob: ServiceRecord]>([:])

  init() {}

  package subscript(job: ServiceJob) -> ServiceRecord? { records.withLock { $0[job] } }

  package func update(_ job: ServiceJob, _ body: (inout ServiceRecord) -> Void) {
    records.withLock { body(&$0[job, default: ServiceRecord()]) }
  }
}

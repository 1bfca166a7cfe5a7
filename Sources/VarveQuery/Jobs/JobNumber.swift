// Numbers of jobs: a few that every database has, and one for each policy of a table, which stays the same as long as the
// table is there.

import VarveCore
import VarveFormat

enum JobNumber: Hashable {
  case database(DatabaseJob)
  case service(ServiceJob)
  case policy(TableID, PolicyKind)

  private static let policiesPerTable: Int64 = 16

  var rawValue: Int64 {
    switch self {
    case .database(let job): Int64(job.rawValue)
    case .service(let job): Int64(job.rawValue)
    case .policy(let table, let kind): (Int64(table.rawValue) + 1) * Self.policiesPerTable + Int64(kind.rawValue)
    }
  }

  /// nil: no job has the number.
  init?(_ number: Int64) {
    if let job = UInt8(exactly: number).flatMap(DatabaseJob.init(rawValue:)) {
      self = .database(job)
      return
    }
    if let job = UInt8(exactly: number).flatMap(ServiceJob.init(rawValue:)) {
      self = .service(job)
      return
    }
    guard let table = UInt32(exactly: number / Self.policiesPerTable - 1),
      let kind = UInt8(exactly: number % Self.policiesPerTable).flatMap(PolicyKind.init(rawValue:))
    else { return nil }
    self = .policy(TableID(rawValue: table), kind)
  }
}

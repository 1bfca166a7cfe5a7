// Numbers of jobs: a few that every database has, and one for each policy of a table, which stays the same as long as the
// table is there.

import VarveCore
import VarveFormat

enum JobNumber: Hashable {
  case seal, compaction, checkpoint
  case policy(TableID, PolicyKind)

  private static let policiesPerTable: Int64 = 16

  var rawValue: Int64 {
    switch self {
    case .seal: 1
    case .compaction: 2
    case .checkpoint: 3
    case .policy(let table, let kind): (Int64(table.rawValue) + 1) * Self.policiesPerTable + Int64(kind.rawValue)
    }
  }

  /// nil: no job has the number.
  init?(_ number: Int64) {
    switch number {
    case 1: self = .seal
    case 2: self = .compaction
    case 3: self = .checkpoint
    default:
      guard let table = UInt32(exactly: number / Self.policiesPerTable - 1),
        let kind = PolicyKind(rawValue: UInt8(number % Self.policiesPerTable))
      else { return nil }
      self = .policy(TableID(rawValue: table), kind)
    }
  }
}

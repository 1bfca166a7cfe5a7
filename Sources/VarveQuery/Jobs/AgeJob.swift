// A table of which something is done by itself with what is old, see `AgePolicy`.

import VarveCore
import VarveFormat
import VarveStorage

package struct AgeJob: Sendable {
  /// From the beginning of one run to that of the next: partitions go whole, and are hours wide at the least.
  package static let scheduleNanoseconds: Int64 = 600_000_000_000

  package let table: TableID
  package let name: String
  /// As the catalog has it.
  package let policy: [UInt8]
  package var isPaused: Bool { PolicyFlags.isPaused(policy) }

  /// In order of the tables' creation.
  static func all(_ kind: PolicyKind, _ snapshot: any ReadSnapshot) -> [AgeJob] {
    snapshot.tables().compactMap { table in
      snapshot.policies(of: table.id)[kind].map { AgeJob(table: table.id, name: table.name, policy: $0) }
    }
  }
}

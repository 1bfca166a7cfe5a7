// What came of compacting many partitions: those that are done, and those that are left as they are.

import VarveCore

struct CompactionOutcome {
  private static let namedCount = 10

  var done = Set<PartitionKey>()
  private var left: [PartitionKey] = []
  private var first: VarveError?

  mutating func leave(_ partition: PartitionKey, _ error: VarveError) {
    first = first ?? error
    if left.last != partition { left.append(partition) }
  }

  /// Why the first partition that is left is, and which are; nil if none is. `name` gives a table's name.
  func error(_ name: (TableID) -> String?) -> VarveError? {
    guard var error = first else { return nil }
    let named = left.prefix(Self.namedCount).map { partition in
      "\"\(name(partition.table) ?? "table \(partition.table.rawValue)")\" \(partition.index)"
    }
    let more = left.count > named.count ? " and \(left.count - named.count) more" : ""
    error.message +=
      "; \(done.subtracting(left).count) partitions were compacted, \(left.count) are left as they are: "
      + named.joined(separator: ", ") + more
    return error
  }
}

extension VarveError {
  /// Of a file: trying again does not help.
  package var isDamage: Bool { code == .corruption || code == .unsupportedVersion }
}

// Deleting rows, and merging the files they were in.

import Synchronization
import VarveCore
import VarveStorage

extension Database {
  /// Deletes the rows of a table that earlier writes brought: of the series that have all of these tag values (without
  /// any: of all series), within a range of time, in nanoseconds since 1970, both ends included. Gives the number of
  /// the commit, durable as writes are.
  ///
  /// No later query sees the rows; queries that run go on seeing them. Their bytes go when their files are compacted.
  ///
  /// Throws ``VarveError``: `not_found` for a table or tag that does not exist, `limit_exceeded` for a table with very
  /// many deletes since its last compaction.
  @discardableResult
  public func delete(
    from table: String, tags: [String: String] = [:], time: ClosedRange<Int64> = .min ... .max
  ) async throws -> UInt64 {
    let request = try deletion(table, tags, time)
    let pipeline = try writer()
    let results: [WriteResult] = try await withCheckedThrowingContinuation { continuation in
      pipeline.submit(.delete([request], then: []), from: IngestWriter(.embedded)) { continuation.resume(with: $0) }
    }
    return (results.first?.sequence ?? .zero).rawValue
  }

  /// Writes all rows in memory to chunk files, and makes those of each partition of the table (nil: of all tables) one,
  /// in the smallest form and without deleted rows. The database does the same by itself with partitions whose time is
  /// over, see ``Options/compaction``.
  ///
  /// Throws ``VarveError``: `not_found` for a table that does not exist, `cancelled` when the task is; and once all other
  /// partitions are done, `corruption` with the file that could not be read, or `disk_full` where there was no room.
  public func compact(_ table: String? = nil) async throws {
    let isCancelled = Mutex(false)
    try await withTaskCancellationHandler {
      _ = try await workers.run { [self] in
        try compactBlocking(table: table) {
          if isCancelled.withLock({ $0 }) {
            throw VarveError(.cancelled, "the compaction was cancelled", sqlState: "57014")
          }
        }
      }
    } onCancel: {
      isCancelled.withLock { $0 = true }
    }
  }

  private func deletion(_ name: String, _ tags: [String: String], _ time: ClosedRange<Int64>) throws -> DeleteRequest {
    let snapshot = try snapshot()
    guard let table = snapshot.table(named: name) else {
      throw VarveError(.notFound, "table \"\(name)\" does not exist", sqlState: "42P01")
    }
    return DeleteRequest(
      table: table.id, series: snapshot.series(of: table.id, where: try Self.predicates(tags, table)),
      time: TimeRange(lower: time.lowerBound, upper: time.upperBound))
  }

  /// The series that have all of these tag values.
  static func predicates(_ tags: [String: String], _ table: TableSchema) throws -> [TagPredicate] {
    try tags.map { name, value in
      guard let column = table.column(named: name), column.isTag else {
        throw VarveError(.notFound, "table \"\(table.name)\" has no tag \"\(name)\"", sqlState: "42703")
      }
      return TagPredicate(column: column.id, condition: .isIn([value]))
    }
  }
}

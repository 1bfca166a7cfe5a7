// Rows as an app writes them.

import VarveCore

/// A row: the table it belongs to, the tags that name its series, its fields, and when.
public struct Point: Sendable, Hashable {
  /// A field's value. The first one of a field decides the column's type; integers widen to double.
  public enum Value: Sendable, Hashable {
    case double(Double)
    case integer(Int64)
    case unsigned(UInt64)
    case boolean(Bool)
    case text(String)
    /// Nanoseconds since 1970.
    case timestamp(Int64)
  }

  public var table: String
  public var tags: [String: String]
  public var fields: [String: Value]
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  public var timeNanoseconds: Int64

  public init(_ table: String, tags: [String: String] = [:], fields: [String: Value], timeNanoseconds: Int64) {
    self.table = table
    self.tags = tags
    self.fields = fields
    self.timeNanoseconds = timeNanoseconds
  }
}

/// What became of a write.
public struct WriteSummary: Sendable {
  /// The commit that holds the rows; 0 if none was taken.
  public let sequence: UInt64
  public let rowsWritten: Int
  /// The points that contradict the schema, by index, and why. The others are stored.
  public let rejected: [(index: Int, code: VarveError.Code, message: String)]
}

extension Database {
  /// Writes points. When this returns they are durable, in one commit.
  ///
  /// The same table, tags and time again merge field by field; the last write wins. Points that contradict the schema
  /// are reported in the summary and do not keep the others from being stored.
  /// Throws ``VarveError``: `disk_full` (try again later), `read_only`, `closed`.
  @discardableResult
  public func write(_ points: [Point]) async throws -> WriteSummary {
    let batches = PointBatches(points)
    let results = try await write(batches.batches)
    var rejected = batches.rejected
    for result in results {
      for rejection in result.rejections { rejected.append((rejection.line, rejection.code, rejection.message)) }
    }
    return WriteSummary(
      sequence: results.map(\.sequence.rawValue).max() ?? 0, rowsWritten: results.reduce(0) { $0 + $1.rowsWritten },
      rejected: rejected.sorted { $0.index < $1.index })
  }
}

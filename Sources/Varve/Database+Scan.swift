// Rows without SQL: columns of one series at a time, straight from the store.

import Synchronization
import VarveCore
import VarveStorage

/// What to read of a table.
public struct Scan: Sendable {
  public var table: String
  /// Only series with these tag values.
  public var tags: [String: String]
  /// Nanoseconds since 1970, both ends included.
  public var time: ClosedRange<Int64>
  public var fields: [String]
  public init(_ table: String, tags: [String: String] = [:], time: ClosedRange<Int64> = .min ... .max, fields: [String])
  {
    self.table = table
    self.tags = tags
    self.time = time
    self.fields = fields
  }
}

/// Consecutive rows of one series, oldest first.
public struct ScanSlice: Sendable {
  public let tags: [String: String]
  /// Nanoseconds since 1970.
  public let times: [Int64]
  private let columns: [ByteName: (column: FieldColumn, start: Int)]

  init(tags: [String: String], times: [Int64], columns: [ByteName: (column: FieldColumn, start: Int)]) {
    self.tags = tags
    self.times = times
    self.columns = columns
  }

  public var count: Int { times.count }

  /// The field's values; nil where a row has none. Throws `type_conflict` if the field has another type.
  public func doubles(_ field: String) throws -> [Double?] {
    try values(field, .float64) { Double(bitPattern: $0.words[$1]) }
  }
  public func integers(_ field: String) throws -> [Int64?] {
    try values(field, .int64) { Int64(bitPattern: $0.words[$1]) }
  }
  public func unsigned(_ field: String) throws -> [UInt64?] { try values(field, .uint64) { $0.words[$1] } }
  public func booleans(_ field: String) throws -> [Bool?] { try values(field, .bool) { $0.words[$1] != 0 } }
  public func texts(_ field: String) throws -> [String?] { try values(field, .text) { $0.string($1) } }
  /// Nanoseconds since 1970.
  public func timestamps(_ field: String) throws -> [Int64?] {
    try values(field, .timestamp) { Int64(bitPattern: $0.words[$1]) }
  }

  private func values<T>(_ field: String, _ type: FieldType, _ value: (FieldColumn, Int) -> T) throws -> [T?] {
    guard let (column, start) = columns[ByteName(text: field)] else {
      throw VarveError(.notFound, "the scan did not ask for field \"\(field)\"")
    }
    guard column.type == type else {
      throw VarveError(.typeConflict, "field \"\(field)\" is \(column.type.sqlName), not \(type.sqlName)")
    }
    return (start..<(start + times.count)).map { column.state($0) == .value ? value(column, $0) : nil }
  }
}

extension Database {
  /// Hands over the rows of a scan, slice by slice, on a thread of the database: partitions oldest first, and within
  /// one each series in turn. All slices show one moment of the database. An error thrown by `body` ends the scan and
  /// is thrown on.
  ///
  /// Throws ``VarveError``: `not_found` for a table, tag or field that does not exist, `corruption` with the damaged
  /// file, `cancelled` when the task is.
  public func scan(_ scan: Scan, forEach body: @escaping @Sendable (ScanSlice) throws -> Void) async throws {
    let isCancelled = Mutex(false)
    try await withTaskCancellationHandler {
      try await workers.run { [self] in
        try reading(stop: { isCancelled.withLock { $0 = true } }) {
          try run(scan, body) {
            if isCancelled.withLock({ $0 }) {
              throw VarveError(.cancelled, "the scan was cancelled", sqlState: "57014")
            }
          }
        }
      }
    } onCancel: {
      isCancelled.withLock { $0 = true }
    }
  }

  /// `check` is called before each batch, and throws to end the scan.
  private func run(_ scan: Scan, _ body: (ScanSlice) throws -> Void, check: () throws -> Void) throws {
    let snapshot = try snapshot()
    guard let table = snapshot.table(named: scan.table) else {
      throw VarveError(.notFound, "table \"\(scan.table)\" does not exist", sqlState: "42P01")
    }
    let cursor = try snapshot.scan(try request(scan, table, snapshot))
    let names = (
      tags: table.tags.map { ($0.name, snapshot.tagColumn($0.id, of: table.id)) },
      fields: scan.fields.map { ByteName(text: $0) }
    )
    try check()
    while let batch = try cursor.next() {
      var row = 0
      for run in batch.runs {
        try check()
        let columns = Dictionary(uniqueKeysWithValues: zip(names.fields, batch.fields.map { (column: $0, start: row) }))
        try body(
          ScanSlice(
            tags: tags(of: run.series, names.tags), times: Array(batch.times.span[row..<(row + run.count)]),
            columns: columns))
        row += run.count
      }
    }
  }

  private func request(_ scan: Scan, _ table: TableSchema, _ snapshot: any ReadSnapshot) throws -> ScanRequest {
    guard Set(scan.fields.map { ByteName(text: $0) }).count == scan.fields.count else {
      throw VarveError(.invalidArgument, "a scan names each field once")
    }
    let fields = try scan.fields.map { name in
      guard let column = table.column(named: name), !column.isTag else {
        throw VarveError(.notFound, "table \"\(table.name)\" has no field \"\(name)\"", sqlState: "42703")
      }
      return column.id
    }
    return ScanRequest(
      table: table.id, series: snapshot.series(of: table.id, where: try Self.predicates(scan.tags, table)),
      time: TimeRange(lower: scan.time.lowerBound, upper: scan.time.upperBound), fields: fields)
  }

  private func tags(of series: SeriesID, _ names: [(name: String, column: TagColumn)]) -> [String: String] {
    var tags: [String: String] = [:]
    for (name, column) in names {
      let code = column.code(of: series)
      if code != 0 { tags[name] = column.value(code) }
    }
    return tags
  }
}

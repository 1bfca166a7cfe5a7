// SQL in process.

import Synchronization
import VarveCompute
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

/// The rows of a query, in memory.
public struct QueryRows: Sendable, Swift.Sequence {
  public let columns: [String]
  /// `SELECT 3`, `INSERT 0 1`, `CREATE TABLE`.
  public let commandTag: String
  let values: [[SQLValue]]

  public var count: Int { values.count }
  public subscript(index: Int) -> QueryRow { QueryRow(columns: columns, values: values[index]) }
  public func makeIterator() -> AnyIterator<QueryRow> {
    var index = 0
    return AnyIterator {
      guard index < values.count else { return nil }
      defer { index += 1 }
      return self[index]
    }
  }
}

/// One row of a query.
public struct QueryRow: Sendable, Hashable {
  public let columns: [String]
  public let values: [SQLValue]
  public subscript(index: Int) -> SQLValue { values[index] }
  /// The value of the first column with this name; nil when there is none.
  public subscript(name: String) -> SQLValue? {
    columns.firstIndex { ByteName(text: $0) == ByteName(text: name) }.map { values[$0] }
  }
}

extension Database {
  /// Runs one SQL statement and gives all its rows. Parameters stand for `$1`, `$2`, …
  ///
  /// Throws ``VarveError`` with `sqlState` and, for errors in the text, the 1-based character `position`. A result that
  /// would take more than a quarter of the memory budget is refused: use ``query(_:_:forEach:)`` or a LIMIT.
  @discardableResult
  public func query(_ sql: String, _ parameters: [SQLValue] = []) async throws -> QueryRows {
    let limit = memoryBudgetByteCount / 4
    let collected = Mutex<(rows: [[SQLValue]], byteCount: Int)>(([], 0))
    let (columns, tag) = try await run(sql, parameters) { batch in
      try collected.withLock { state in
        for row in 0..<batch.count {
          let values = batch.columns.map { SQLValue($0.datum(at: row)) }
          state.byteCount += values.reduce(48) { $0 + $1.byteCount }
          state.rows.append(values)
        }
        guard state.byteCount <= limit else {
          throw VarveError(
            .limitExceeded, "the result takes more than \(limit) bytes of memory",
            hint: "add a LIMIT, or take the rows one by one with query(_:_:forEach:)", sqlState: "53200")
        }
      }
    }
    return QueryRows(columns: columns, commandTag: tag, values: collected.withLock { $0.rows })
  }

  /// Runs one SQL statement and hands over its rows one by one, in order, on a thread of the database; a result of any
  /// size takes little memory. An error thrown by `body` ends the query and is thrown on. Returns the command tag.
  @discardableResult
  public func query(
    _ sql: String, _ parameters: [SQLValue] = [], forEach body: @escaping @Sendable (QueryRow) throws -> Void
  ) async throws -> String {
    let names = Mutex<[String]>([])
    let (_, tag) = try await run(sql, parameters, began: { columns in names.withLock { $0 = columns } }) { batch in
      let columns = names.withLock { $0 }
      for row in 0..<batch.count {
        try body(QueryRow(columns: columns, values: batch.columns.map { SQLValue($0.datum(at: row)) }))
      }
    }
    return tag
  }

  /// A session of its own, for a connection. `activity`: the entry that it has among the database's sessions already.
  package func makeSession(
    user: String = "varve", database: String = "varve", protocol: SessionProtocol = .embedded,
    clientAddress: String? = nil, activity: SessionActivity? = nil
  ) -> QuerySession {
    let clock = store.clock
    return QuerySession(
      store: self,
      clock: SessionClock(
        wallNanoseconds: { clock.wallNanoseconds() }, monotonicNanoseconds: { clock.monotonicNanoseconds() }),
      zones: SystemTimeZones.database, helpers: helpers, monitor: monitor,
      activity: activity
        ?? monitor.open(user: user, database: database, protocol: `protocol`, clientAddress: clientAddress))
  }

  /// A session for work that nobody waits for: in no list, and on its own thread only, which is a patient one.
  func makeJobSession() -> QuerySession {
    let clock = store.clock
    return QuerySession(
      store: self,
      clock: SessionClock(
        wallNanoseconds: { clock.wallNanoseconds() }, monotonicNanoseconds: { clock.monotonicNanoseconds() }),
      zones: SystemTimeZones.database, monitor: monitor,
      activity: monitor.unlisted(user: "varve", database: "varve"))
  }

  private func run(
    _ sql: String, _ parameters: [SQLValue], began: @escaping @Sendable ([String]) -> Void = { _ in },
    each: @escaping @Sendable (ColumnBatch) throws -> Void
  ) async throws -> (columns: [String], tag: String) {
    let bound = try parameters.map { try $0.parameter() }
    // From here on others see it, also while it waits for a thread.
    let activity = monitor.open(user: "varve", database: "varve", protocol: .embedded)
    activity.isQueued(sql)
    defer { monitor.close(activity) }
    return try await withTaskCancellationHandler {
      try await workers.run { [self] in
        activity.waits(for: nil)
        let session = makeSession(activity: activity)
        defer { session.close() }
        return try reading(stop: { activity.control.cancel() }) {
          let prepared = try session.prepare(sql, parameterTypes: bound.map(\.type))
          let result = try session.execute(prepared, parameters: bound.map(\.datum))
          let columns = result.columns?.map(\.name) ?? []
          began(columns)
          while let batch = try result.next() { try each(batch) }
          try session.endImplicitTransaction(failed: false)
          return (columns, result.commandTag)
        }
      }
    } onCancel: {
      activity.control.cancel()
    }
  }
}

extension SQLValue {
  fileprivate var byteCount: Int {
    switch self {
    case .text(let text), .numeric(let text): 40 + text.utf8.count
    case .bytes(let bytes): 40 + bytes.count
    case .array(let values): values.reduce(40) { $0 + $1.byteCount }
    default: 40
    }
  }
}

/// Zones from the system's tzdata.
enum SystemTimeZones {
  static let database = TimeZoneDatabase { name in
    // The name comes from users: nothing but a zone's name may become a path.
    guard name.utf8.allSatisfy({ isNameByte($0) }), !name.contains(".."), !name.hasPrefix("/") else { return nil }
    // A zone that is not there is an unknown zone.
    return try? PosixFileSystem().readAll("/usr/share/zoneinfo/\(name)", limit: 1 << 20)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"):
      true
    default: false
    }
  }
}

// A session over a memory store, and results as text.

import VarveCompute
import VarveCore
import VarveStorage

@testable import VarveQuery

/// 2024-05-01 12:00:00 UTC: the wall clock of all tests.
let testNow: Int64 = 1_714_564_800_000_000_000

func makeSession(_ store: any StoreAccess = MemoryStore()) -> QuerySession {
  QuerySession(
    store: store,
    clock: SessionClock(wallNanoseconds: { testNow }, monotonicNanoseconds: { 0 }))
}

extension QuerySession {
  /// Runs a text as a simple query does; the rows of its last statement, values in PostgreSQL's text form.
  @discardableResult
  func rows(_ sql: String, _ parameters: [Datum] = []) throws -> [[String]] {
    var rows: [[String]] = []
    do {
      for statement in try split(sql) {
        rows = []
        let prepared = try prepare(statement)
        let result = try execute(prepared, parameters: parameters)
        while let batch = try result.next() {
          for row in 0..<batch.count {
            rows.append(
              try batch.columns.map { column in
                let datum = column.datum(at: row)
                return datum.isNull
                  ? "NULL" : try TypeText.string(datum, type: column.type, context: evaluationContext)
              })
          }
        }
      }
    } catch {
      try endImplicitTransaction(failed: true)
      throw error
    }
    try endImplicitTransaction(failed: false)
    return rows
  }

  /// Rows joined by `|`, one a line.
  func text(_ sql: String, _ parameters: [Datum] = []) throws -> String {
    try rows(sql, parameters).map { $0.joined(separator: "|") }.joined(separator: "\n")
  }
}

/// What a statement throws; nil if it does not.
func error(_ session: QuerySession, _ sql: String, _ parameters: [Datum] = []) -> VarveError? {
  do {
    try session.rows(sql, parameters)
    return nil
  } catch {
    return error as? VarveError
  }
}

// Where the rows of one COPY … FROM STDIN into a dimension table go: all come true with the session's transaction, or
// none does. No other session writes the table from the COPY's begin on.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

package final class DimensionCopyTarget: CopyTarget {
  package let plan: CopyPlan
  package let values: CopyValues
  private let writer: DimensionCopyPlan
  private let rows: DimensionRows
  private let session: QuerySession
  private let context: ExecutionContext
  private let watch: StatementWatch
  private let types: [SQLType]
  /// Of the columns that are sent: their ids.
  private let ids: [Int]
  /// The row at hand, by column id.
  private var row: [DimensionValue]
  private var encoded: (key: [UInt8], row: [UInt8]) = ([], [])
  private var changes: [[UInt8]: [UInt8]?] = [:]

  /// `rows`: the newest version of the table, which its lock keeps.
  init(
    _ plan: CopyPlan, into writer: DimensionCopyPlan, _ rows: DimensionRows, session: QuerySession,
    context: ExecutionContext, watch: StatementWatch
  ) throws {
    self.plan = plan
    self.writer = writer
    self.rows = rows
    self.session = session
    self.context = context
    self.watch = watch
    values = CopyValues(context: context.evaluation)
    let columns = writer.table.columns
    types = writer.places.map { columns[$0].type.sqlType }
    ids = writer.places.map { Int(columns[$0].id.rawValue) }
    row = [DimensionValue](repeating: .null, count: writer.table.nextColumn)
    for (place, value) in writer.defaults {
      row[Int(columns[place].id.rawValue)] = DimensionValue(try context.constant(value))
    }
  }

  package var remainingNanoseconds: Int64? { context.remainingNanoseconds }
  package func check() throws { try context.check() }

  // MARK: Rows

  /// A value of the row at hand; nil: it is NULL.
  package func put(_ bytes: UnsafeBufferPointer<UInt8>?, column: Int, isBinary: Bool) throws(VarveError) {
    row[ids[column]] = .null
    guard let bytes else { return }
    row[ids[column]] = DimensionValue(try values.datum(bytes, type: types[column], isBinary: isBinary))
  }

  /// The row at hand has all its values. Throws what is wrong with it alone.
  package func checkRow() throws(VarveError) { encoded = try CopyValues.typed { try writer.encoded(row) } }

  /// Takes the row at hand. Throws where it and others do not go together.
  package func endRow() throws(VarveError) {
    let (key, bytes) = encoded
    try CopyValues.typed {
      guard changes[key] == nil, rows.find(key) == nil else { throw try writer.duplicate(row, context) }
      try context.memory.charge(key.count + bytes.count + 64)
    }
    changes[key] = .some(bytes)
    watch.gave(rows: 1)
  }

  // MARK: The end

  package func finish() throws -> Int {
    try check()
    try session.finishCopy(changes, of: writer.table)
    return changes.count
  }

  package func abandon(_ error: any Error) -> String? {
    session.endWatch(error)
    session.fail()
    return nil
  }
}

// What COPY … FROM STDIN sends, and into which columns it goes.

import VarveCore

package enum CopyFormat: Sendable { case text, csv, binary }

/// One column of the rows that are sent, in their order.
package struct CopyColumn: Sendable {
  package enum Role: Sendable, Equatable {
    case time
    case tag
    case field(FieldType)
    /// Of a table that takes whole rows: all of its columns are of this role.
    case value
  }
  package var name: String
  package var role: Role
  /// CSV: what spells NULL elsewhere is a value of this column.
  package var isNeverNull = false
  /// CSV: what spells NULL is NULL within quotes, too.
  package var isNullInQuotes = false

  package init(name: String, role: Role, isNeverNull: Bool = false, isNullInQuotes: Bool = false) {
    self.name = name
    self.role = role
    self.isNeverNull = isNeverNull
    self.isNullInQuotes = isNullInQuotes
  }
}

/// Values in any shape that a type takes, as words of a `FieldColumn`: what the reader asks where a value is not of
/// the shapes that it reads itself. Not for text. The same bytes must give the same word each time.
package struct CopyConversion {
  package var fromText: (UnsafeBufferPointer<UInt8>, FieldType) throws(VarveError) -> UInt64
  package var fromBinary: (UnsafeBufferPointer<UInt8>, FieldType) throws(VarveError) -> UInt64

  package init(
    fromText: @escaping (UnsafeBufferPointer<UInt8>, FieldType) throws(VarveError) -> UInt64,
    fromBinary: @escaping (UnsafeBufferPointer<UInt8>, FieldType) throws(VarveError) -> UInt64
  ) {
    self.fromText = fromText
    self.fromBinary = fromBinary
  }
}

/// What takes the rows of a table that is no series table, value by value. Errors get their place in the COPY from the
/// reader.
package protocol CopyRows: AnyObject {
  /// The value of the row at hand in a column; nil: it is NULL. A row that is not complete is begun anew.
  func put(_ bytes: UnsafeBufferPointer<UInt8>?, column: Int, isBinary: Bool) throws(VarveError)
  /// All columns have their value. Throws what is wrong with the row alone.
  func checkRow() throws(VarveError)
  /// Throws where the row and others do not go together.
  func endRow() throws(VarveError)
}

package struct CopyOptions {
  package enum Header: Sendable { case none, skipped, matched }

  package var table: String
  /// One of them is the time, unless whole rows are taken.
  package var columns: [CopyColumn]
  package var format: CopyFormat
  package var delimiter: UInt8
  package var null: [UInt8]
  package var quote: UInt8 = 0x22
  package var escape: UInt8 = 0x22
  package var header = Header.none
  package var conversion: CopyConversion
  /// Takes the rows where they make no batches.
  package var rows: (any CopyRows)?
  /// Times in text without a zone are UTC; otherwise `conversion` knows.
  package var isUTC = true
  /// Times beyond this are refused.
  package var latestTime: Int64 = .max
  package var rowByteLimit = Limits.copyRowByteCount
  package var batchRowLimit = Limits.batchRowCount
  package var batchTextByteLimit = 8 * 1024 * 1024
  /// Memory for tag sets remembered by their bytes; beyond it they are forgotten and learnt anew.
  package var seriesMemoryByteLimit = 64 * 1024 * 1024
  /// What all that are remembered, here and elsewhere, take together; nil: only the limit above holds.
  package var seriesMemory: ByteBudget?
  package var hashSeed = UInt64.random(in: .min ... .max)

  package init(table: String, columns: [CopyColumn], format: CopyFormat, conversion: CopyConversion) {
    self.table = table
    self.columns = columns
    self.format = format
    self.conversion = conversion
    delimiter = format == .csv ? 0x2C : 0x09
    null = format == .csv ? [] : Array("\\N".utf8)
  }
}

/// Rows of one COPY that go to the store together.
package struct CopyBatch: Sendable {
  package let points: PointBatch
  /// 1-based number of its first row within the COPY.
  package let firstRow: Int
}

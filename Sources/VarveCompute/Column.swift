// Columns of values: what expressions and operators of a query work on, some thousand rows at a time.

import VarveCore

/// The distinct strings of a dictionary-coded column. Shared by all batches of a scan, which is why it also holds
/// them ready as text refs and hashes.
package final class TextDictionary: Sendable {
  package let values: [String]
  /// A `TextRef` a value into `bytes`.
  package let refs: Buffer<UInt64>
  package let bytes: Buffer<UInt8>
  /// `Hashing.bytes` of each value.
  package let hashes: Buffer<UInt64>

  package init(_ values: [String]) {
    self.values = values
    let refs = Buffer<UInt64>(capacity: values.count)
    let bytes = Buffer<UInt8>(capacity: values.reduce(0) { $0 + $1.utf8.count })
    let hashes = Buffer<UInt64>(capacity: values.count)
    for value in values {
      var value = value
      value.withUTF8 { utf8 in
        refs.append(TextRef(offset: bytes.count, length: utf8.count).word)
        bytes.append(utf8)
        hashes.append(Hashing.bytes(utf8))
      }
    }
    self.refs = refs
    self.bytes = bytes
    self.hashes = hashes
  }
}

/// An immutable vector of SQL values of one type.
package struct Column: Sendable {
  package enum Storage: Sendable {
    /// bool (0 or 1), integers and oid kin (as Int64 bits), float4 and float8 (as Double bits), timestamptz and
    /// timestamp (nanoseconds), date (days): a word a row.
    case words(Buffer<UInt64>)
    /// Text kin: a `TextRef` a row into the bytes.
    case text(Buffer<UInt64>, bytes: Buffer<UInt8>)
    /// Text kin: a code a row.
    case dictionary(Buffer<UInt32>, TextDictionary)
    /// numeric, interval, bytea, arrays: a datum a row.
    case data([Datum])
    /// The same value in every row.
    case constant(Datum)
  }

  package let type: SQLType
  package let count: Int
  package let storage: Storage
  /// 1 where the row is NULL; nil when none is. Not used with `.constant` and `.data`, whose datum says `.null`.
  package let nulls: Buffer<UInt8>?

  package init(type: SQLType, count: Int, storage: Storage, nulls: Buffer<UInt8>? = nil) {
    self.type = type
    self.count = count
    self.storage = storage
    self.nulls = nulls
  }
}

/// Some rows of a query between two operators.
package struct ColumnBatch: Sendable {
  package let count: Int
  package let columns: [Column]
  package init(count: Int, columns: [Column]) {
    for column in columns { precondition(column.count == count, "columns of a batch have its length") }
    self.count = count
    self.columns = columns
  }
}

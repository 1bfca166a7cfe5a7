// What the catalog says of a rollup and of what is done by itself. FORMAT.md, "Rollups".
//
// A rollup is a series table that a statement fills from another, its source. The engine knows whose rows it must mark
// late, and which columns must stay; what the statement means is for the layers above.

import VarveCore

package struct RollupDefinition: Sendable, Hashable {
  package let source: TableID
  /// Late rows are marked in steps of this width, which start at `origin`.
  package let stepNanoseconds: Int64
  package let origin: Int64
  /// Columns of the source that can neither be dropped nor renamed while the rollup is there; ascending.
  package let columns: [ColumnID]
  package let statement: String

  package init(source: TableID, stepNanoseconds: Int64, origin: Int64, columns: [ColumnID], statement: String) {
    precondition(stepNanoseconds > 0, "a step has a width")
    self.source = source
    self.stepNanoseconds = stepNanoseconds
    self.origin = origin
    self.columns = columns
    self.statement = statement
  }

  /// varint source's table id, varint width of a step in ns, zigzag origin, varint count of columns, their ids ascending,
  /// statement (prefixed).
  func append(to out: inout ByteWriter) {
    out.append(varint: UInt64(source.rawValue))
    out.append(varint: UInt64(stepNanoseconds))
    out.append(zigzag: origin)
    out.append(varint: UInt64(columns.count))
    for column in columns { out.append(varint: UInt64(column.rawValue)) }
    out.append(prefixed: Array(statement.utf8))
  }

  static func read(from reader: inout ByteReader) throws -> RollupDefinition {
    let source = TableID(rawValue: try reader.readUInt32Varint())
    let step = try reader.readVarint()
    let origin = try reader.readZigzag()
    var columns: [ColumnID] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 1)) {
      columns.append(ColumnID(rawValue: try reader.readUInt16Varint()))
    }
    let bytes = try reader.readPrefixed()
    guard let width = Int64(exactly: step), width > 0, zip(columns, columns.dropFirst()).allSatisfy({ $0 < $1 }),
      bytes.count <= Limits.rollupStatementByteCount, let statement = String(validating: bytes, as: UTF8.self)
    else { throw VarveError(.corruption, "a rollup of table \(source.rawValue) is described impossibly") }
    return RollupDefinition(
      source: source, stepNanoseconds: width, origin: origin, columns: columns, statement: statement)
  }
}

/// What a table's policy is about. The raw value is what files say: never renumber.
package enum PolicyKind: UInt8, Sendable, CaseIterable {
  case refresh = 1
  case retention = 2
}

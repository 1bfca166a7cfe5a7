// What the catalog says of a rollup and of what is done by itself. FORMAT.md, "Rollups".
//
// A rollup is a series table that a statement fills from another, its source. The engine knows whose rows it must mark
// late, and which columns must stay; what the statement means is for the layers above.

import VarveCore

package struct RollupDefinition: Sendable, Hashable {
  /// Fields that came when rows of the source were gone already: of those rows they hold nothing.
  package struct Addition: Sendable, Hashable {
    /// They are those of the rollup's fields from this number on.
    package let firstField: Int
    /// They stand for all of the source's rows of times from here on, and mean nothing below.
    package let knownFrom: Int64
    package init(firstField: Int, knownFrom: Int64) {
      self.firstField = firstField
      self.knownFrom = knownFrom
    }
  }

  package let source: TableID
  /// Late rows are marked in steps of this width, which start at `origin`.
  package let stepNanoseconds: Int64
  package let origin: Int64
  /// Columns of the source that can neither be dropped nor renamed while the rollup is there; ascending.
  package let columns: [ColumnID]
  package let statement: String
  /// In order of their fields.
  package var additions: [Addition]

  package init(
    source: TableID, stepNanoseconds: Int64, origin: Int64, columns: [ColumnID], statement: String,
    additions: [Addition] = []
  ) {
    precondition(stepNanoseconds > 0, "a step has a width")
    self.source = source
    self.stepNanoseconds = stepNanoseconds
    self.origin = origin
    self.columns = columns
    self.statement = statement
    self.additions = additions
  }

  /// varint source's table id, varint width of a step in ns, zigzag origin, varint count of columns, their ids ascending,
  /// statement (prefixed); if there are additions: varint count of them, for each: varint first field, zigzag known from.
  func append(to out: inout ByteWriter) {
    out.append(varint: UInt64(source.rawValue))
    out.append(varint: UInt64(stepNanoseconds))
    out.append(zigzag: origin)
    out.append(varint: UInt64(columns.count))
    for column in columns { out.append(varint: UInt64(column.rawValue)) }
    out.append(prefixed: Array(statement.utf8))
    guard !additions.isEmpty else { return }
    out.append(varint: UInt64(additions.count))
    for addition in additions {
      out.append(varint: UInt64(addition.firstField))
      out.append(zigzag: addition.knownFrom)
    }
  }

  static func read(from reader: inout ByteReader, hasAdditions: Bool) throws -> RollupDefinition {
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
      source: source, stepNanoseconds: width, origin: origin, columns: columns, statement: statement,
      additions: hasAdditions ? try readAdditions(from: &reader) : [])
  }
}

extension RollupDefinition {
  private static func readAdditions(from reader: inout ByteReader) throws -> [Addition] {
    var additions: [Addition] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 2)) {
      additions.append(
        Addition(firstField: Int(try reader.readUInt16Varint()), knownFrom: try reader.readZigzag()))
    }
    guard !additions.isEmpty, zip(additions, additions.dropFirst()).allSatisfy({ $0.firstField < $1.firstField })
    else { throw VarveError(.corruption, "a rollup has fields added in no order") }
    return additions
  }
}

/// What a table's policy is about. The raw value is what files say: never renumber.
package enum PolicyKind: UInt8, Sendable, CaseIterable {
  case refresh = 1
  case retention = 2
  case tiering = 3
}

// COPY, bound: what the bytes look like, and into which columns they go or which rows they are of.

import VarveCompute
import VarveCore
import VarveStorage

/// How rows are written down.
package struct CopyShape: Sendable {
  package enum Format: String, Sendable { case text, csv, binary, parquet }
  package enum Header: Sendable { case none, present, matched }

  package var format = Format.text
  package var delimiter = UInt8(ascii: "\t")
  package var null: [UInt8] = Array("\\N".utf8)
  package var quote = UInt8(ascii: "\"")
  package var escape = UInt8(ascii: "\"")
  package var header = Header.none
}

/// COPY … FROM STDIN. Reading the formats is the wire's.
package struct CopyPlan: Sendable {
  package enum Target: Sendable, Hashable {
    case time
    case tag
    case field(FieldType)
    /// Of a dimension table.
    case value(SQLType)
  }
  package struct Column: Sendable {
    package var name: String
    package var target: Target
    package var isNeverNull = false
    package var isNullInQuotes = false
  }

  package var table: String
  package var columns: [Column]
  package var shape: CopyShape
  /// nil: into a series table.
  var dimension: DimensionCopyPlan?
}

/// COPY … FROM STDIN into a dimension table.
struct DimensionCopyPlan: DimensionRowWriter {
  let table: DimensionSchema
  /// Of the columns that are sent: their places in the table's.
  let places: [Int]
  /// Of the others.
  let defaults: [(place: Int, value: BoundExpression)]
}

/// COPY … TO STDOUT.
struct CopyOutPlan: Sendable {
  let rows: any PlanNode
  let columns: [ResultColumn]
  let shape: CopyShape
  /// CSV: the columns whose values are always quoted.
  let quoted: [Bool]
}

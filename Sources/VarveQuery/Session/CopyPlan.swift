// COPY … FROM STDIN, bound: what is sent, and into which columns it goes. Reading the formats is the wire's.

import VarveCore
import VarveStorage

package struct CopyPlan: Sendable {
  package enum Format: String, Sendable { case text, csv, binary }
  package enum Header: Sendable { case none, skipped, matched }
  package enum Target: Sendable, Hashable {
    case time
    case tag
    case field(FieldType)
  }
  package struct Column: Sendable {
    package var name: String
    package var target: Target
    package var isNeverNull = false
    package var isNullInQuotes = false
  }

  package var table: String
  package var columns: [Column]
  package var format = Format.text
  package var delimiter = UInt8(ascii: "\t")
  package var null: [UInt8] = Array("\\N".utf8)
  package var quote = UInt8(ascii: "\"")
  package var escape = UInt8(ascii: "\"")
  package var header = Header.none
}

// Three-valued logic over columns of bool.

import VarveCompute
import VarveCore

enum Logic {
  /// From states: 0 false, 1 true, 2 unknown.
  static func column(_ states: Buffer<UInt8>) -> Column {
    let words = Buffer<UInt64>(repeating: 0, count: states.count)
    var nulls: Buffer<UInt8>?
    for row in 0..<states.count {
      switch states[row] {
      case 0: break
      case 1: words[row] = 1
      default:
        if nulls == nil { nulls = Buffer(repeating: 0, count: states.count) }
        nulls?[row] = 1
      }
    }
    return Column(type: .bool, count: states.count, storage: .words(words), nulls: nulls)
  }

  static func booleans(_ count: Int, _ value: (Int) -> Bool) -> Column {
    let words = Buffer<UInt64>(repeating: 0, count: count)
    for row in 0..<count where value(row) { words[row] = 1 }
    return Column(type: .bool, count: count, storage: .words(words))
  }

  static func not(_ column: Column) -> Column {
    if let value = column.constantValue {
      guard case .bool(let bool) = value else { return column }
      return .constant(.bool(!bool), type: .bool, count: column.count)
    }
    let source = column.wordBuffer
    let words = Buffer<UInt64>(repeating: 0, count: column.count)
    for row in 0..<column.count { words[row] = source[row] ^ 1 }
    return Column(type: .bool, count: column.count, storage: .words(words), nulls: column.nulls)
  }

  static func isNull(_ column: Column, _ isNegated: Bool) -> Column {
    if !column.hasNulls { return .constant(.bool(isNegated), type: .bool, count: column.count) }
    return booleans(column.count) { column.isNull(at: $0) != isNegated }
  }

  /// ANY (decided by true) or ALL (decided by false) over the rows of one column.
  static func quantify(_ results: Column, _ isAll: Bool) -> UInt8 {
    var unknown = false
    for row in 0..<results.count {
      switch results.datum(at: row) {
      case .bool(let value): if value != isAll { return isAll ? 0 : 1 }
      default: unknown = true
      }
    }
    return unknown ? 2 : isAll ? 1 : 0
  }
}

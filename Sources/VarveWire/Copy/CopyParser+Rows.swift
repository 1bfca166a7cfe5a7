// Rows of tables that are no series tables: their values go to who takes them (`CopyRows`) as they are read, nothing is
// gathered here.

import VarveCore

extension CopyParser {
  /// The field of the row at hand, NULL or not.
  mutating func putValue(column: Int) -> Bool {
    let field = fields[column]
    do throws(VarveError) {
      try options.rows?.put(
        field.count < 0 ? nil : UnsafeBufferPointer(start: field.start, count: field.count), column: column,
        isBinary: options.format == .binary)
      return true
    } catch {
      fail(error, column: column)
      return false
    }
  }

  /// All fields are read; `start`: of the row's line, if it is one.
  mutating func putRow(inLine start: UnsafePointer<UInt8>?) -> Outcome {
    do throws(VarveError) {
      try options.rows?.checkRow()
    } catch {
      if let start { fail(error, inLine: start) } else { fail(error) }
      return .failed
    }
    do throws(VarveError) {
      try options.rows?.endRow()
    } catch {
      fail(error)
      return .failed
    }
    rowCount &+= 1
    return .row
  }
}

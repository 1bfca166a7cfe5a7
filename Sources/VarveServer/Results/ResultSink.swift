// Rows on their way to people and files: what runs SQL hands rows of texts to a sink, whatever format that writes.

import VarveCore
import VarveWire

/// One row as PostgreSQL's text format has it. Valid during the call that gets it.
package struct ResultRow {
  package let bytes: UnsafeBufferPointer<UInt8>
  /// A range of `bytes` a column; nil: NULL.
  package let cells: [Range<Int>?]

  package init(bytes: UnsafeBufferPointer<UInt8>, cells: [Range<Int>?]) {
    self.bytes = bytes
    self.cells = cells
  }

  package subscript(column: Int) -> UnsafeBufferPointer<UInt8>? {
    cells[column].map { UnsafeBufferPointer(rebasing: bytes[$0]) }
  }
}

package protocol ResultSink: AnyObject {
  /// A statement that gives rows begins.
  func begin(_ columns: [ResultColumn]) throws
  func row(_ row: ResultRow) throws
  /// The statement is done. `tag`: `SELECT 5`. Also for statements without rows, then without `begin`.
  func end(tag: String) throws
  func notice(_ notice: PostgresError)
}

extension ResultColumn {
  /// Integers, floats, numeric and oid.
  package var isNumber: Bool { [20, 21, 23, 26, 700, 701, 1700].contains(typeOID) }
  package var isBoolean: Bool { typeOID == 16 }
}

/// Something that runs SQL: an engine in this process, or a server.
package protocol SQLConnection: AnyObject {
  /// Runs the statements of a text one after the other. Throws PostgresError where a statement failed, VarveError
  /// where the connection did.
  func run(_ sql: String, into sink: any ResultSink) throws
  /// Ends the statement that runs, if any, soon: called on any thread.
  var canceller: @Sendable () -> Void { get }
  /// Where COPY … FROM STDIN finds its data; nil: there is none, and it fails.
  var copyInput: InputFile? { get set }
  /// Takes what COPY … TO STDOUT gives, cut anywhere; nil: nobody does, and it fails.
  var copyOutput: ((UnsafeRawBufferPointer) throws -> Void)? { get set }
}

enum CopyInput {
  static let missing = VarveError(
    .unsupported, "COPY … FROM STDIN has no data here",
    hint: "Give the query as an argument and the data on standard input: varve sql --connect URL 'COPY …' < FILE.")

  static let isOutput = VarveError(
    .unsupported, "COPY … TO STDOUT is not supported here",
    hint: "varve export writes rows to a file; varve sql --format csv 'SELECT …' shows them as CSV.")

  /// Hands the file over piece by piece.
  static func forEachPiece(_ file: InputFile, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 1)
    defer { buffer.deallocate() }
    while true {
      let count = try file.read(into: buffer)
      if count == 0 { return }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }
}

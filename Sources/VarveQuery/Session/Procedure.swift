// CALL: what a database does on request.
//
//   CALL flush()    all rows in memory into chunk files; gives the last commit that is in them
//   CALL compact_chunks()          rows in memory into chunk files, and those of each partition into one, the smallest
//   CALL compact_chunks('table')   there can be; gives chunks and bytes before and after, a row a table
//   CALL verify()   every byte of the files read and checked; gives a row a file, and one a problem

import VarveCompute
import VarveCore
import VarveStorage

enum Procedure: String, CaseIterable {
  case flush, verify
  case compactChunks = "compact_chunks"

  /// nil: there is no such procedure.
  init?(_ name: [String]) {
    guard let last = name.last, name.count == 1 || (name.count == 2 && name[0] == "varve") else { return nil }
    self.init(rawValue: last)
  }

  var columns: [ResultColumn] {
    let columns: [(String, SQLType)] =
      switch self {
      case .flush: [("commit", .int8)]
      case .compactChunks:
        [
          ("table_name", .text), ("chunks_before", .int8), ("chunks_after", .int8), ("bytes_before", .int8),
          ("bytes_after", .int8),
        ]
      case .verify: [("kind", .text), ("file", .text), ("bytes", .int8), ("message", .text)]
      }
    return columns.map { ResultColumn(name: $0.0, type: $0.1) }
  }
}

extension QuerySession {
  func callProcedure(_ call: CallSyntax, at location: Int, _ source: SourceText) throws -> QueryResult {
    guard let procedure = Procedure(call.name) else {
      let known = Procedure.allCases.map { "\($0.rawValue)()" }.joined(separator: " and ")
      throw source.error(
        "42883", "procedure \(call.name.joined(separator: "."))(…) does not exist", at: location,
        hint: "There are \(known).")
    }
    let table = try tableArgument(procedure, call, at: location, source)
    if transactionStatus != .idle { throw inBlock("CALL \(procedure.rawValue)()") }
    try writePending()
    let rows: [[Datum]]
    switch procedure {
    case .flush: rows = [[.int(Int64(bitPattern: try store.flushBlocking().rawValue))]]
    case .compactChunks:
      let context = context(CatalogView(snapshot: try snapshot(), session: state), [])
      rows = try store.compactBlocking(table: table) { try context.check() }.map { report in
        [.text(report.table)]
          + [report.chunksBefore, report.chunksAfter, report.bytesBefore, report.bytesAfter].map { .int(Int64($0)) }
      }
    case .verify:
      let context = context(CatalogView(snapshot: try snapshot(), session: state), [])
      let report = try store.verifyBlocking { try context.check() }
      rows =
        report.problems.map { [.text("damaged"), .text($0.path), .null, .text($0.message)] }
        + report.files.map { [.text($0.kind), .text($0.path), .int(Int64($0.byteCount)), .null] }
        + [[.text("summary"), .null, .null, .text(report.lines.last ?? "")]]
    }
    let columns = procedure.columns
    return QueryResult(
      columns: columns, rows: RowsOperator(try QueryBatch(rows: rows, types: columns.map(\.type))), verb: "CALL")
  }

  /// compact_chunks takes the name of a table; the others nothing.
  private func tableArgument(_ procedure: Procedure, _ call: CallSyntax, at location: Int, _ source: SourceText) throws
    -> String?
  {
    guard let first = call.arguments.first else { return nil }
    guard procedure == .compactChunks, call.arguments.count == 1 else {
      let what = procedure == .compactChunks ? "takes one table's name at most" : "takes no arguments"
      throw source.error("42883", "\(procedure.rawValue)() \(what)", at: location)
    }
    guard case .string(let name) = first.kind else {
      throw source.error("42883", "compact_chunks takes the name of a table, as a text", at: first.location)
    }
    return name
  }
}

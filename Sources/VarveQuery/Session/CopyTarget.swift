// Where the rows of one COPY … FROM STDIN into a series table go.
//
// In a transaction block they are kept until it commits, as those of INSERT are. Outside of one they are written in
// pieces: as soon as there is a piece it is on its way to the store, and the next one is read meanwhile. A COPY of one
// piece is written whole or not at all; of a larger one the pieces before an error stay, and the error says so. Either
// way the COPY is answered when all its rows are durable.

import VarveCompute
import VarveCore
import VarveStorage

/// A COPY … FROM STDIN that has begun: ends with `finish` or `abandon`. Used from one thread at a time, by the connection
/// that its session belongs to.
package protocol CopyTarget: AnyObject {
  var plan: CopyPlan { get }
  var values: CopyValues { get }
  /// Monotonic nanoseconds from now to the end that statement_timeout sets; nil: there is none.
  var remainingNanoseconds: Int64? { get }
  /// Throws when the COPY was cancelled or has run too long.
  func check() throws
  /// All rows came. Gives their number once they are durable, or kept for the transaction.
  func finish() throws -> Int
  /// The COPY ends with an error. Gives what became of the rows before, where the user has to know.
  func abandon(_ error: any Error) -> String?
}

package final class SeriesCopyTarget: CopyTarget {
  /// Rows that are written in one commit, in bytes as the store holds them.
  static let pieceByteCount = 4 << 20
  /// Pieces on their way to the store.
  static let pieceLimit = 4

  private struct Piece {
    let write: PendingWrite
    /// Of each batch.
    let firstRows: [Int]
  }

  package let plan: CopyPlan
  package let values: CopyValues
  package let latestTime: Int64
  /// Text without a zone is UTC.
  package var isUTC: Bool { session.state.timeZone == "UTC" }

  private let writer = IngestWriter(.sql)
  private let session: QuerySession
  private let context: ExecutionContext
  private let isInBlock: Bool
  private let watch: StatementWatch
  private var held: [PointBatch] = []
  private var heldFirstRows: [Int] = []
  private var heldByteCount = 0
  private var pieces: [Piece] = []
  private var rowCount = 0
  private var storedRowCount = 0

  init(_ plan: CopyPlan, session: QuerySession, context: ExecutionContext, watch: StatementWatch) {
    self.plan = plan
    self.watch = watch
    self.session = session
    self.context = context
    values = CopyValues(context: context.evaluation)
    latestTime = session.store.latestTime
    isInBlock = session.transactionStatus == .inBlock
  }

  package var remainingNanoseconds: Int64? { context.remainingNanoseconds }

  package func check() throws { try context.check() }

  /// Rows in order; `firstRow` is the number of the first of them. Blocks while the store is behind.
  package func take(_ batch: PointBatch, firstRow: Int) throws {
    try check()
    rowCount += batch.rowCount
    watch.gave(rows: batch.rowCount)
    if isInBlock { return try session.keep(batch) }
    held.append(batch)
    heldFirstRows.append(firstRow)
    heldByteCount += batch.byteCount
    if heldByteCount >= Self.pieceByteCount { try send() }
  }

  private func send() throws {
    let limit = session.store.isSaturated ? 1 : Self.pieceLimit
    while pieces.count >= limit { try awaitPiece() }
    let write = try session.store.beginWrite(held, from: writer)
    pieces.append(Piece(write: write, firstRows: heldFirstRows))
    held = []
    heldFirstRows = []
    heldByteCount = 0
  }

  private func awaitPiece() throws {
    if let problem = settle(pieces.removeFirst()) { throw problem }
  }

  /// Waits for what becomes of a piece. Gives why it is not stored, or not all of it.
  private func settle(_ piece: Piece) -> (any Error)? {
    var rejection: (row: Int, code: VarveError.Code, message: String)?
    do {
      for (result, firstRow) in zip(try piece.write.wait(), piece.firstRows) {
        storedRowCount += result.rowsWritten
        if rejection == nil, let first = result.rejections.first {
          rejection = (firstRow + first.line - 1, first.code, first.message)
        }
      }
    } catch {
      return error
    }
    return rejection.map { rejection in
      var error = VarveError(rejection.code, "a row was not taken: \(rejection.message)")
      error.context = "COPY \(plan.table), row \(rejection.row)"
      return error
    }
  }

  package func finish() throws -> Int {
    try check()
    if !held.isEmpty { try send() }
    while !pieces.isEmpty { try awaitPiece() }
    session.endWatch()
    return rowCount
  }

  package func abandon(_ error: any Error) -> String? {
    session.endWatch(error)
    held = []
    // What is on its way cannot be called back; what it comes to must be known.
    let problems = pieces.compactMap(settle)
    pieces = []
    session.fail()
    guard storedRowCount > 0 else { return nil }
    let others = problems.first.map { " A later piece was not written: \($0)." } ?? ""
    return "\(storedRowCount) rows of this COPY are stored; sending all of it again changes nothing in them.\(others)"
  }
}

extension QuerySession {
  /// Starts COPY … FROM STDIN. What an implicit transaction inserted before is written first, so that later rows replace
  /// earlier ones.
  package func beginCopy(_ prepared: PreparedStatement) throws -> any CopyTarget {
    let watch = beginWatch(prepared, [])
    do {
      try checkTransaction(prepared)
      try checkWritable("COPY FROM")
      let (plan, catalog) = try copyPlan(prepared)
      state.setSnapshot(catalog.snapshot)
      let context = context(catalog, [])
      if let dimension = plan.dimension {
        return try DimensionCopyTarget(
          plan, into: dimension, catalog.snapshot.rows(of: dimension.table), session: self, context: context,
          watch: watch)
      }
      if transactionStatus == .idle { try writePending() }
      return SeriesCopyTarget(plan, session: self, context: context, watch: watch)
    } catch {
      fail()
      watch.end(error)
      throw error
    }
  }

  /// Of the tables of now. A dimension table is this session's to write then.
  private func copyPlan(_ prepared: PreparedStatement) throws -> (CopyPlan, CatalogView) {
    let (statement, catalog) = try current(prepared)
    guard case .copy(let plan) = statement.kind else { preconditionFailure("only a COPY is begun") }
    guard let table = plan.dimension?.table, !lockedTables.contains(table.id) else { return (plan, catalog) }
    try lock(table.id)
    return try copyPlan(statement)
  }

  /// Rows for the commit of the transaction block.
  func keep(_ batch: PointBatch) throws {
    pending.add(batch)
    guard pending.byteCount <= state.queryMemoryByteCount else {
      forgetPending()
      throw VarveError(
        .limitExceeded, "the transaction has inserted more than varve.query_memory_limit allows",
        hint: "COPY outside of a transaction block: then rows are written as they come. Or raise the limit.",
        sqlState: "53200")
    }
  }
}

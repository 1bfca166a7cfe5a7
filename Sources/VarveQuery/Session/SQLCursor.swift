// A cursor of SQL: a query that has been opened and gives its rows as FETCH asks for them. It goes forward; going back to
// its start opens the query again, which sees the same snapshot and so has the same rows.

import VarveCompute
import VarveCore

struct CursorPlan: Sendable {
  let name: String
  let rows: any PlanNode
  let columns: [ResultColumn]
  let isNeverScrolled: Bool
  /// The statement that declared it.
  let text: String
}

/// What pg_cursors says of a cursor.
struct CursorEntry: Sendable {
  let name: String
  let text: String
  let createdAt: Int64
}

final class SQLCursor {
  let plan: CursorPlan
  /// Keeps its snapshot, its parameters and its memory.
  let context: ExecutionContext
  private var rows: any Operator
  /// Of the last batch, what has not been fetched.
  private var rest: QueryBatch?
  /// The row that the cursor stands on.
  private var current: QueryBatch?
  /// Rows up to and with the current one.
  private(set) var position = 0
  private(set) var isAtEnd = false

  init(_ plan: CursorPlan, _ context: ExecutionContext) throws {
    self.plan = plan
    self.context = context
    rows = try plan.rows.open(context)
  }

  /// The next rows, at most `limit`; nil: it stands behind the last one.
  func pull(_ limit: Int) throws -> QueryBatch? {
    try context.check()
    guard let batch = try rest ?? rows.next() else {
      isAtEnd = true
      current = nil
      return nil
    }
    let count = min(limit, batch.count)
    rest = count < batch.count ? batch.slice(count..<batch.count) : nil
    position += count
    current = batch.slice((count - 1)..<count)
    return count < batch.count ? batch.slice(0..<count) : batch
  }

  /// Passes over rows. Gives how many there were.
  func skip(_ limit: Int) throws -> Int {
    var skipped = 0
    while skipped < limit, let batch = try pull(limit - skipped) { skipped += batch.count }
    return skipped
  }

  func rewind() throws {
    if position == 0, !isAtEnd { return }
    if plan.isNeverScrolled { throw Self.onlyForward }
    rows = try plan.rows.open(context)
    rest = nil
    current = nil
    position = 0
    isAtEnd = false
  }

  /// The current row again, if there is one.
  func again() throws -> QueryBatch? {
    if current != nil, plan.isNeverScrolled { throw Self.onlyForward }
    return current
  }

  /// Goes where FETCH or MOVE wants to be before its rows. Gives how many of them follow, or the current row again.
  func place(_ fetch: FetchSyntax) throws -> (limit: Int, again: QueryBatch?) {
    if fetch.direction == .backward, plan.isNeverScrolled { throw Self.onlyForward }
    if fetch.count == 0, fetch.direction != .absolute { return (0, try again()) }
    switch fetch.direction {
    case .forward where fetch.count > 0: return (fetch.count, nil)
    case .backward where fetch.count < 0: return (-fetch.count, nil)
    case .relative where fetch.count > 0:
      _ = try skip(fetch.count - 1)
      return (isAtEnd ? 0 : 1, nil)
    case .absolute where fetch.count >= 0:
      // Behind the last row the cursor has passed one more place.
      if fetch.count <= position + (isAtEnd ? 1 : 0) { try rewind() }
      if fetch.count == 0 { return (0, nil) }
      _ = try skip(fetch.count - 1 - position)
      return (1, nil)
    default: throw Self.onlyForward
    }
  }

  static var otherColumns: VarveError {
    SQLError.make(
      "0A000", "cached plan must not change result type", hint: "Prepare the FETCH again: its cursor is another one.")
  }

  static var onlyForward: VarveError {
    SQLError.make(
      "55000", "cursor can only scan forward",
      hint: "MOVE BACKWARD ALL and FETCH ABSOLUTE go back to the start, if the cursor is not declared with NO SCROLL.")
  }
}

/// The rows of one FETCH.
final class FetchOperator: Operator {
  private let cursor: SQLCursor
  private var remaining: Int
  private var again: QueryBatch?

  init(_ cursor: SQLCursor, _ place: (limit: Int, again: QueryBatch?)) {
    self.cursor = cursor
    remaining = place.limit
    again = place.again
  }

  func next() throws -> QueryBatch? {
    if let again {
      self.again = nil
      return again
    }
    guard remaining > 0, let batch = try cursor.pull(remaining) else { return nil }
    if remaining != .max { remaining -= batch.count }
    return batch
  }
}

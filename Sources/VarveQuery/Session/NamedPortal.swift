// A portal of the protocol that has a name: a query that has been bound in a transaction block. Beside the protocol's
// Execute, FETCH and MOVE take its rows as a cursor's. It only goes forward.

import VarveCompute
import VarveCore

/// Held by whoever runs the portal; its session only knows it. Used from the session's thread.
package final class NamedPortal {
  let statement: PreparedStatement
  private let parameters: [Datum]
  private unowned let session: QuerySession
  private var result: QueryResult?
  /// Of the last batch, what has not been taken.
  private var rest: QueryBatch?

  init(_ statement: PreparedStatement, _ parameters: [Datum], _ session: QuerySession) {
    self.statement = statement
    self.parameters = parameters
    self.session = session
  }

  /// The next rows, at most `limit`, never none; nil: there are no more.
  package func pull(_ limit: Int) throws -> ColumnBatch? {
    if result == nil { result = try session.execute(statement, parameters: parameters) }
    guard let batch = try rest ?? result?.next().map({ QueryBatch(count: $0.count, columns: $0.columns) }) else {
      return nil
    }
    let count = min(limit, batch.count)
    rest = count < batch.count ? batch.slice(count..<batch.count) : nil
    let taken = count < batch.count ? batch.slice(0..<count) : batch
    return ColumnBatch(count: taken.count, columns: taken.columns)
  }

  /// Passes over rows. Gives how many there were.
  func skip(_ limit: Int) throws -> Int {
    var skipped = 0
    while skipped < limit, let batch = try pull(limit - skipped) { skipped += batch.count }
    return skipped
  }
}

extension QuerySession {
  struct KnownPortal {
    weak var portal: NamedPortal?
  }

  /// nil: the statement gives no rows of a query, or there is no transaction block that others could use it in.
  package func openPortal(_ name: String, _ statement: PreparedStatement, _ parameters: [Datum]) throws -> NamedPortal?
  {
    guard case .query = statement.kind, transactionStatus == .inBlock else { return nil }
    portals = portals.filter { $0.value.portal != nil }
    let portal = NamedPortal(statement, parameters, self)
    portals[Name(name)] = KnownPortal(portal: portal)
    return portal
  }

  func portal(named name: String) -> NamedPortal? { portals[Name(name)]?.portal }

  /// FETCH and MOVE, forward.
  func fetch(_ fetch: FetchSyntax, from portal: NamedPortal, _ statement: PreparedStatement) throws -> QueryResult {
    guard fetch.direction == .forward || fetch.direction == .relative, fetch.count > 0 else {
      throw SQLCursor.onlyForward
    }
    if fetch.isMove {
      let passed = try portal.skip(fetch.count)
      return QueryResult(
        columns: nil, rows: nil, verb: "MOVE",
        affected: fetch.direction == .forward ? passed : passed == fetch.count ? 1 : 0)
    }
    guard statement.columns == portal.statement.columns else { throw SQLCursor.otherColumns }
    var limit = fetch.count
    if fetch.direction == .relative {
      _ = try portal.skip(fetch.count - 1)
      limit = 1
    }
    return QueryResult(columns: statement.columns, rows: PortalOperator(portal, limit), verb: "FETCH")
  }
}

/// The rows of one FETCH.
private final class PortalOperator: Operator {
  private let portal: NamedPortal
  private var remaining: Int

  init(_ portal: NamedPortal, _ limit: Int) {
    self.portal = portal
    remaining = limit
  }

  func next() throws -> QueryBatch? {
    guard remaining > 0, let batch = try portal.pull(remaining) else { return nil }
    if remaining != .max { remaining -= batch.count }
    return QueryBatch(count: batch.count, columns: batch.columns)
  }
}

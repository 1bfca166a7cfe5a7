// A statement while it runs. Rows are computed as they are pulled.

import VarveCompute
import VarveCore

package final class QueryResult {
  /// nil: the statement gives no rows.
  package let columns: [ResultColumn]?
  private var rows: (any Operator)?
  private let verb: String
  /// For statements that count what they did: INSERT and DELETE.
  private let affected: Int?
  private let failed: (any Error) -> any Error
  private let ended: () -> Void
  package private(set) var rowCount = 0
  /// The statement's, until its rows are over.
  var watch: StatementWatch?

  init(
    columns: [ResultColumn]?, rows: (any Operator)?, verb: String, affected: Int? = nil,
    failed: @escaping (any Error) -> any Error = { $0 }, ended: @escaping () -> Void = {}
  ) {
    self.columns = columns
    self.rows = rows
    self.verb = verb
    self.affected = affected
    self.failed = failed
    self.ended = ended
  }

  /// A portal that is closed before its end.
  deinit { watch?.end() }

  /// Whether there may be more rows.
  var hasRows: Bool { rows != nil }

  /// The next rows, never none; nil at the end. After an error there is no more.
  package func next() throws -> ColumnBatch? {
    guard let rows else { return nil }
    do {
      guard let batch = try rows.next() else {
        self.rows = nil
        ended()
        watch?.end()
        return nil
      }
      rowCount += batch.count
      watch?.gave(rows: batch.count)
      return ColumnBatch(count: batch.count, columns: batch.columns)
    } catch {
      self.rows = nil
      let failure = failed(error)
      watch?.end(failure)
      throw failure
    }
  }

  /// What INSERT and its kin did.
  var affectedRows: Int { affected ?? 0 }

  /// `SELECT 5`, `INSERT 0 3`, `CREATE TABLE`. For rows: of those pulled so far.
  package var commandTag: String { commandTag(rowCount: rowCount) }
  package func commandTag(rowCount: Int) -> String {
    if let affected { return verb == "INSERT" ? "INSERT 0 \(affected)" : "\(verb) \(affected)" }
    return verb == "SELECT" || verb == "FETCH" ? "\(verb) \(rowCount)" : verb
  }
}

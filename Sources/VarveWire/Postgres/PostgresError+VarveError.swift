// VarveError in PostgreSQL's terms.

import VarveCore

extension PostgresError {
  /// The place of the error becomes the detail; SQLSTATE is the error's own where SQL decided it.
  package init(_ error: VarveError, severity: Severity = .error) {
    self.init(
      severity, PostgresError.sqlState(of: error), error.message, detail: error.place.map { "at \($0)" },
      hint: error.hint, position: error.position, context: error.context)
  }

  package static func sqlState(of error: VarveError) -> String { error.finalSQLState }
}

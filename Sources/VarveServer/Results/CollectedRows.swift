// A result that a command looks into, instead of showing it.

import VarveWire

package final class CollectedRows: ResultSink {
  /// nil: NULL.
  package private(set) var rows: [[String?]] = []
  private let onNotice: (PostgresError) -> Void

  package init(onNotice: @escaping (PostgresError) -> Void = { _ in }) { self.onNotice = onNotice }

  package func begin(_ columns: [ResultColumn]) { rows = [] }
  package func row(_ row: ResultRow) {
    rows.append(row.cells.indices.map { column in row[column].map { String(decoding: $0, as: UTF8.self) } })
  }
  package func end(tag: String) {}
  package func notice(_ notice: PostgresError) { onNotice(notice) }
}

extension SQLConnection {
  /// The rows of the text's last statement.
  package func rows(_ sql: String) throws -> [[String?]] {
    let sink = CollectedRows()
    try run(sql, into: sink)
    return sink.rows
  }
}

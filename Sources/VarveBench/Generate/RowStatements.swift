// The statements that write rows by SQL: the table they go to, COPY, and INSERT with parameters. Columns are in the order
// in which rows have their values.

struct RowStatements {
  private let table: String
  private let tags: [String]
  private let fields: [LoadField]

  /// Parameters of a statement; the protocol counts them in 16 bits.
  private static let parameterLimit = 32_767

  init(_ plan: LoadPlan) {
    let shape = RowShape(plan.schema)
    table = plan.table
    tags = shape.tagNames
    fields = shape.fields
  }

  private var columnNames: [String] { ["time"] + tags + fields.map(\.name) }
  private var columnList: String { columnNames.map { "\"\($0)\"" }.joined(separator: ", ") }

  var createTable: String {
    let columns =
      ["\"time\" timestamptz"] + tags.map { "\"\($0)\" text" } + fields.map { "\"\($0.name)\" \(Self.type($0).name)" }
    return "CREATE TABLE IF NOT EXISTS \"\(table)\" (\(columns.joined(separator: ", "))) "
      + "WITH (varve.tags = '\(tags.joined(separator: ","))')"
  }

  var copy: String { "COPY \"\(table)\" (\(columnList)) FROM STDIN (FORMAT binary)" }

  /// Rows that one INSERT takes at most.
  var insertRowLimit: Int { min(1000, Self.parameterLimit / columnNames.count) }

  func insert(rowCount: Int) -> String {
    let width = columnNames.count
    let rows = (0..<rowCount).map { row in
      "(" + (0..<width).map { "$\(row * width + $0 + 1)" }.joined(separator: ", ") + ")"
    }
    return "INSERT INTO \"\(table)\" (\(columnList)) VALUES \(rows.joined(separator: ", "))"
  }

  func parameterCount(rowCount: Int) -> Int { rowCount * columnNames.count }

  /// OIDs of the parameters of one row.
  var parameterTypes: [UInt32] {
    [1184] + tags.map { _ in 25 } + fields.map { Self.type($0).oid }
  }

  private static func type(_ field: LoadField) -> (name: String, oid: UInt32) {
    switch field.kind {
    case .integer: ("bigint", 20)
    case .decimal: ("double precision", 701)
    case .boolean: ("boolean", 16)
    case .text: ("text", 25)
    }
  }
}

// What a store really holds, in the shape of the model.

import VarveCore
import VarveStorage

extension Model {
  /// Everything the store holds.
  static func reading(_ store: Store) throws -> Model { try reading(store.snapshot()) }

  static func reading(_ snapshot: Snapshot) throws -> Model {
    var model = Model()
    for table in snapshot.tables() {
      model.schemas[table.name] = Schema(table)
      let rows = try Self.rows(of: table, snapshot)
      if !rows.isEmpty { model.tables[table.name] = rows }
    }
    for table in snapshot.dimensions() {
      model.dimensions[table.name] = try ModelDimension(table, snapshot.rows(of: table))
    }
    return model
  }

  private static func rows(of table: TableSchema, _ snapshot: Snapshot) throws -> [Identity: [String: Cell]] {
    var result: [Identity: [String: Cell]] = [:]
    let tags = table.tags.map { ($0.name, snapshot.tagColumn($0.id, of: table.id)) }
    let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: table.fields.map(\.id)))
    var previous: (series: SeriesID, time: Int64)?
    while let batch = try cursor.next() {
      // Arrays: the buffers' own access is slow in a debug build.
      let times = batch.times.array
      let columns = batch.fields.map(CellReader.init)
      var row = 0
      for run in batch.runs {
        var identity = Identity(tags: [:], time: 0)
        for (name, column) in tags where column.code(of: run.series) != 0 {
          identity.tags[name] = column.value(column.code(of: run.series))
        }
        for _ in 0..<run.count {
          identity.time = times[row]
          if result[identity] != nil { throw VarveError(.query, "a scan delivers \(identity) twice") }
          if let previous, previous.series == run.series, previous.time >= times[row] {
            throw VarveError(.query, "a scan delivers \(identity) behind a later time")
          }
          var cells: [String: Cell] = [:]
          for (field, column) in zip(table.fields, columns) { cells[field.name] = column.cell(row) }
          result[identity] = cells
          previous = (run.series, times[row])
          row += 1
        }
      }
    }
    return result
  }
}

/// One column of a batch as cells.
private struct CellReader {
  private let column: FieldColumn
  private let words: [UInt64]
  private let states: [UInt8]?

  init(_ column: FieldColumn) {
    self.column = column
    words = column.words.array
    states = column.states?.array
  }

  /// nil where there is no value.
  func cell(_ row: Int) -> Cell? {
    if let states, states[row] != CellState.value.rawValue { return nil }
    return switch column.type {
    case .float64: .double(words[row])
    case .int64: .integer(Int64(bitPattern: words[row]))
    case .text: .text(column.string(row))
    default: .other(column.type, words[row])
    }
  }
}

extension Model.Schema {
  init(_ table: TableSchema) {
    tags = Set(table.tags.map(\.name))
    for case let (name, .field(type)) in table.columns.map({ ($0.name, $0.kind) }) { fields[name] = type }
  }
}

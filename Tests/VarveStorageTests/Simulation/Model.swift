// The model: what a store must hold, as plainly as can be said. A table maps identities to fields; a later write
// replaces the fields it names. What the store really holds is read into the same shape.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

struct Identity: Hashable, CustomStringConvertible {
  var tags: [String: String]
  var time: Int64
  var description: String {
    "\(tags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")) @\(time)"
  }
}

enum Cell: Hashable {
  case double(UInt64)
  case integer(Int64)
  case text(String)
  case other(FieldType, UInt64)
  case null
}

struct ModelRow {
  var table: String
  var identity: Identity
  var fields: [String: Cell]
}

struct Model: Equatable {
  /// Cells that are NULL are left out.
  var tables: [String: [Identity: [String: Cell]]] = [:]

  mutating func write(_ row: ModelRow) {
    var cells = tables[row.table, default: [:]][row.identity] ?? [:]
    for (name, cell) in row.fields { cells[name] = cell == .null ? nil : cell }
    tables[row.table, default: [:]][row.identity] = cells
  }

  mutating func drop(_ table: String) { tables[table] = nil }

  var rowCount: Int { tables.values.reduce(0) { $0 + $1.count } }

  /// Everything the store holds. Tables without rows are left out: the model cannot tell them from dropped ones.
  static func reading(_ store: Store) throws -> Model {
    var model = Model()
    let snapshot = store.snapshot()
    for table in snapshot.tables() {
      let rows = try Self.rows(of: table, snapshot)
      if !rows.isEmpty { model.tables[table.name] = rows }
    }
    return model
  }

  private static func rows(of table: TableSchema, _ snapshot: Snapshot) throws -> [Identity: [String: Cell]] {
    var result: [Identity: [String: Cell]] = [:]
    let tags = table.tags.map { ($0.name, snapshot.tagColumn($0.id, of: table.id)) }
    let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: table.fields.map(\.id)))
    var previous: (series: SeriesID, time: Int64)?
    while let batch = try cursor.next() {
      var row = 0
      for run in batch.runs {
        for _ in 0..<run.count {
          let time = batch.times[row]
          var identity = Identity(tags: [:], time: time)
          for (name, column) in tags {
            let series = Int(run.series.rawValue)
            if series < column.codes.count, column.codes[series] != 0 {
              identity.tags[name] = column.values[Int(column.codes[series])]
            }
          }
          precondition(result[identity] == nil, "a scan delivers each identity once: \(identity)")
          var cells: [String: Cell] = [:]
          for (field, column) in zip(table.fields, batch.fields) where column.state(row) == .value {
            cells[field.name] = cell(column, row)
          }
          result[identity] = cells
          if let previous, previous.series == run.series {
            precondition(previous.time != time, "times of a series ascend")
          }
          previous = (run.series, time)
          row += 1
        }
      }
    }
    return result
  }

  private static func cell(_ column: FieldColumn, _ row: Int) -> Cell {
    switch column.type {
    case .float64: .double(column.words[row])
    case .int64: .integer(Int64(bitPattern: column.words[row]))
    case .text: .text(column.string(row))
    default: .other(column.type, column.words[row])
    }
  }
}

/// Rows as the batches that the store takes.
func batches(_ rows: [ModelRow]) -> [PointBatch] {
  var order: [String] = []
  var byTable: [String: [ModelRow]] = [:]
  for row in rows {
    if byTable[row.table] == nil { order.append(row.table) }
    byTable[row.table, default: []].append(row)
  }
  return order.map { batch($0, byTable[$0] ?? []) }
}

private func batch(_ table: String, _ rows: [ModelRow]) -> PointBatch {
  var series: [SeriesKey] = []
  let rowSeries = Buffer<UInt32>()
  for row in rows {
    let key = SeriesKey(tags: row.identity.tags.map { (name: $0.key, value: $0.value) })
    if let known = series.firstIndex(of: key) {
      rowSeries.append(UInt32(known))
    } else {
      rowSeries.append(UInt32(series.count))
      series.append(key)
    }
  }
  var names: [(name: String, type: FieldType)] = []
  for row in rows {
    for (name, cell) in row.fields.sorted(by: { $0.key < $1.key }) {
      // A NULL takes the type that the field has elsewhere in the batch.
      let type = cell.type ?? rows.compactMap { $0.fields[name]?.type }.first ?? .float64
      if !names.contains(where: { $0.name == name && $0.type == type }) { names.append((name, type)) }
    }
  }
  let fields = names.map { PointBatch.Field(name: $0.name, column: fieldColumn($0.name, $0.type, rows)) }
  return PointBatch(
    table: table, series: series, rowSeries: rowSeries, times: Buffer(rows.map(\.identity.time)), fields: fields)
}

extension Cell {
  fileprivate var type: FieldType? {
    switch self {
    case .double: .float64
    case .integer: .int64
    case .text: .text
    case .other(let type, _): type
    case .null: nil
    }
  }
}

private func fieldColumn(_ name: String, _ type: FieldType, _ rows: [ModelRow]) -> FieldColumn {
  let words = Buffer<UInt64>()
  let states = Buffer<UInt8>()
  let text = Buffer<UInt8>()
  for row in rows {
    var word: UInt64 = 0
    var state = CellState.absent
    if let cell = row.fields[name], cell == .null || cell.type == type {
      state = cell == .null ? .null : .value
      switch cell {
      case .double(let bits), .other(_, let bits): word = bits
      case .integer(let value): word = UInt64(bitPattern: value)
      case .text(let string):
        word = TextRef(offset: text.count, length: string.utf8.count).word
        Array(string.utf8).withUnsafeBufferPointer { text.append($0) }
      case .null: break
      }
    }
    words.append(word)
    states.append(state.rawValue)
  }
  return FieldColumn(type: type, words: words, text: type == .text ? text : nil, states: states)
}

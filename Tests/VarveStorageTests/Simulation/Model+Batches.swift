// Rows of the model as the columnar batches that the store takes.

import VarveCore

/// Rows as the batches that the store takes.
func batches(_ rows: [ModelRow]) -> [PointBatch] { byTable(rows).map { batch($0[0].table, $0) } }

/// The rows of each table, in order of its first row.
func byTable(_ rows: [ModelRow]) -> [[ModelRow]] {
  var order: [String] = []
  var byTable: [String: [ModelRow]] = [:]
  for row in rows {
    if byTable[row.table] == nil { order.append(row.table) }
    byTable[row.table, default: []].append(row)
  }
  return order.map { byTable[$0] ?? [] }
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
  /// nil: a NULL has none.
  var type: FieldType? {
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

// Aggregates over rows of a column: what `PageAggregator` falls back to, with rows that have no value, and how rows in
// memory are aggregated.

import VarveCore

package enum ColumnAggregator {
  package static func aggregate(_ column: FieldColumn, _ segments: [Range<Int>], _ wanted: PageAggregates) -> [ZoneMap]
  {
    segments.map { rows in
      guard let states = column.states else {
        var zone = ZoneMap()
        add(column, rows, wanted, to: &zone)
        return zone
      }
      var zone = ZoneMap()
      // Stretches of rows with a value are aggregated at a time.
      var start = rows.lowerBound
      for row in rows {
        let state = states.base[row]
        guard state != CellState.value.rawValue else { continue }
        zone.nullCount += state == CellState.null.rawValue ? 1 : 0
        if start < row { add(column, start..<row, wanted, to: &zone) }
        start = row + 1
      }
      if start < rows.upperBound { add(column, start..<rows.upperBound, wanted, to: &zone) }
      return zone
    }
  }

  private static func add(
    _ column: FieldColumn, _ rows: Range<Int>, _ wanted: PageAggregates, to zone: inout ZoneMap
  ) {
    let words = column.words.base + rows.lowerBound
    switch column.type {
    case .text: zone.valueCount += rows.count
    case .float64: WordKernels.addDoubles(words, rows.count, wanted, to: &zone)
    case .uint64: WordKernels.add(words, rows.count, false, wanted, to: &zone)
    case .int64, .timestamp, .bool: WordKernels.add(words, rows.count, true, wanted, to: &zone)
    }
  }
}

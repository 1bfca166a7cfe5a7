// The hot path: a batch of which the store knows every name, and in which nothing is wrong. No row is looked at alone.

import VarveCore

extension BatchResolver {
  /// The batch as it stands; nil if anything about it is new or not allowed, for the careful way.
  mutating func resolveKnown(_ batch: PointBatch) -> ResolvedBatch? {
    guard batch.rowCount > 0, let table = catalog.table(named: batch.table), !hasRefusedTime(batch.times),
      let fields = knownFields(batch, table), let series = knownSeries(batch, table)
    else { return nil }
    var result = ResolvedBatch()
    result.add(series, batch.times, fields, table: table.id, partitionWidth: table.partitionNanoseconds)
    return result
  }

  private func hasRefusedTime(_ times: Buffer<Int64>) -> Bool {
    var latest = Int64.min
    var earliest = Int64.max
    for time in times.span {
      latest = max(latest, time)
      earliest = min(earliest, time)
    }
    return latest > latestTime || earliest == .min
  }

  /// In order of column id, each with the column's own type.
  private func knownFields(_ batch: PointBatch, _ table: TableSchema) -> [(id: ColumnID, column: FieldColumn)]? {
    var fields: [(id: ColumnID, column: FieldColumn)] = []
    for field in batch.fields {
      guard let column = table.column(named: field.name), case .field(let type) = column.kind else { return nil }
      if field.column.type == type {
        fields.append((column.id, field.column))
      } else if field.column.type == .int64, type == .float64 {
        fields.append((column.id, field.column.converted(to: type)))
      } else {
        return nil
      }
    }
    // Senders keep to one order of fields, so ids nearly always ascend as they come.
    var ascends = true
    for index in fields.indices.dropFirst() where fields[index - 1].id >= fields[index].id { ascends = false }
    if ascends { return fields }
    fields.sort { $0.id < $1.id }
    for index in fields.indices.dropFirst() where fields[index - 1].id == fields[index].id { return nil }
    return fields
  }

  /// The id of each row's series.
  private mutating func knownSeries(_ batch: PointBatch, _ table: TableSchema) -> Buffer<UInt32>? {
    let index = seriesOf(table.id)
    let names = tagNames(table.id)
    var ids = [UInt32](repeating: 0, count: batch.series.count)
    for local in ids.indices {
      if let memo = batch.memo, let id = memo.notes.series(memo.numbers[local], index: index.number) {
        ids[local] = id.rawValue
        continue
      }
      guard let id = index.find(batch.series[local], column: names.find) else { return nil }
      ids[local] = id.rawValue
      if let memo = batch.memo { memo.notes.note(memo.numbers[local], index: index.number, series: id) }
    }
    let out = Buffer<UInt32>(capacity: batch.rowCount)
    let rowSeries = batch.rowSeries.span
    ids.withUnsafeBufferPointer { ids in
      for row in 0..<rowSeries.count { out.base[row] = ids[Int(rowSeries[row])] }
    }
    out.count = rowSeries.count
    return out
  }
}

// The hot path: a batch of which the store knows every name, and in which nothing is wrong. No row is looked at alone.
// New series are part of it, as long as their tags are known columns and there is room for them.

import VarveCore

extension BatchResolver {
  /// The batch as it stands; nil if anything about it is new or not allowed, for the careful way.
  mutating func resolveKnown(_ batch: PointBatch) throws -> ResolvedBatch? {
    guard batch.rowCount > 0, let table = catalog.table(named: batch.table), !hasRefusedTime(batch.times),
      let fields = knownFields(batch, table), let series = try knownSeries(batch, table)
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

  /// The id of each row's series; nil if one of them cannot be had without a closer look. Those that were added until
  /// then stay: nothing is wrong with them or their rows.
  private mutating func knownSeries(_ batch: PointBatch, _ table: TableSchema) throws -> Buffer<UInt32>? {
    let index = seriesOf(table.id)
    let names = tagNames(table.id)
    var ids = [UInt32](repeating: .max, count: batch.series.count)
    var unknown: [Int] = []
    for local in ids.indices {
      if let memo = batch.memo, let id = memo.notes.series(memo.numbers[local], index: index.number) {
        ids[local] = id.rawValue
      } else {
        unknown.append(local)
      }
    }
    if !unknown.isEmpty {
      let used = usedSeries(batch)
      // Before the index's lock, which measuring takes.
      var room = seriesRoom
      defer { seriesRoom = room }
      for local in unknown where used[local] {
        guard let id = try findOrAdd(batch.series[local], table, index, names, &room) else { return nil }
        ids[local] = id.rawValue
        if let memo = batch.memo { memo.notes.note(memo.numbers[local], index: index.number, series: id) }
      }
    }
    let out = Buffer<UInt32>(capacity: batch.rowCount)
    let rowSeries = batch.rowSeries.span
    ids.withUnsafeBufferPointer { ids in
      for row in 0..<rowSeries.count { out.base[row] = ids[Int(rowSeries[row])] }
    }
    out.count = rowSeries.count
    return out
  }

  private func usedSeries(_ batch: PointBatch) -> [Bool] {
    var used = [Bool](repeating: false, count: batch.series.count)
    for local in batch.rowSeries.span { used[Int(local)] = true }
    return used
  }

  /// Nil for a new series that has a tag which is no column yet or is too long, or that is beyond a limit.
  private mutating func findOrAdd(
    _ key: SeriesKey, _ table: TableSchema, _ index: SeriesIndex, _ names: TagNames, _ room: inout SeriesRoom
  ) throws -> SeriesID? {
    var added = 0
    let id = try index.findOrAdd(key, column: names.find) { count in
      var isPlain = true
      key.forEachTag { name, value in
        isPlain = isPlain && value.count <= Limits.tagValueByteCount && names.find(name) != nil
      }
      let byteCount = SeriesIndex.byteCount(ofNew: key)
      guard isPlain, room.refusal(table: table.name, seriesCount: count, byteCount: byteCount) == nil else {
        return false
      }
      added = byteCount
      return true
    }
    if added > 0 {
      room.byteCount -= added
      tablesWithNewSeries.insert(table.id)
    }
    return id
  }
}

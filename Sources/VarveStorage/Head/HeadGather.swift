// Rows of a partition's young blocks put in order by (series, time): a block of the head in which each series lies
// together. Scans take such rows in stretches, aggregates take them as they lie, and a seal merges few of these blocks
// where it would pick each row from far apart.
//
// Made off the commit path from blocks that stay as they are, so snapshots and commits go on meanwhile; put in their
// place only if they are still there.

import VarveCore

package struct HeadGather: Sendable {
  let partition: PartitionKey
  /// In order of arrival.
  let blocks: [HeadBlock]

  /// All rows, each identity once, the last write of each field.
  package func make() -> HeadBlock {
    let count = blocks.reduce(0) { $0 + $1.rowCount }
    let series = Buffer<UInt32>(capacity: count)
    let times = Buffer<Int64>(capacity: count)
    for block in blocks {
      series.append(contentsOf: block.series)
      times.append(contentsOf: block.times)
    }
    let order = RowOrder.sorted(series: series.span, times: times.span)
    let (orderedSeries, orderedTimes) = (taken(order, from: series), taken(order, from: times))
    if hasRepeats(orderedSeries.span, orderedTimes.span) { return merged() }
    // One after the other: then what is looked for all over is no more than a column.
    let fields = fieldTypes.map { id, type in
      let joined = FieldColumnBuilder(type: type, capacity: count)
      for block in blocks { joined.append(block.field(id), rows: block.rowCount) }
      let builder = FieldColumnBuilder(type: type, capacity: count)
      builder.append(joined.finish(), order: order.span)
      return (id: id, column: builder.finish())
    }
    return HeadBlock(series: orderedSeries, times: orderedTimes, fields: fields)
  }

  private var fieldTypes: [(id: ColumnID, type: FieldType)] {
    var types: [ColumnID: FieldType] = [:]
    for block in blocks { for field in block.fields { types[field.id] = field.column.type } }
    return types.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Where identities repeat.
  private func merged() -> HeadBlock {
    let fields = fieldTypes
    let source = HeadBlockSource(HeadRows(blocks), RowSelection(series: .all, time: .all, fields: fields))
    let series = Buffer<UInt32>()
    let times = Buffer<Int64>()
    let builders = fields.map { FieldColumnBuilder(type: $0.type, capacity: 0) }
    while let batch = source.nextRows() {
      for run in batch.runs { series.append(repeating: run.series.rawValue, count: run.count) }
      times.append(contentsOf: batch.times)
      for (builder, column) in zip(builders, batch.fields) { builder.append(column, rows: 0..<batch.count) }
    }
    return HeadBlock(
      series: series, times: times, fields: zip(fields, builders).map { (id: $0.id, column: $1.finish()) })
  }
}

/// The values of the rows that `order` names, in that order.
private func taken<Value>(_ order: Buffer<UInt32>, from values: Buffer<Value>) -> Buffer<Value> {
  let taken = Buffer<Value>(capacity: order.count)
  let (rows, from, to) = (order.base, values.base, taken.base)
  for place in 0..<order.count { to[place] = from[Int(rows[place])] }
  taken.count = order.count
  withExtendedLifetime((order, values)) {}
  return taken
}

/// Whether neighbours are one identity, in rows in order of (series, time).
private func hasRepeats(_ series: UnsafeBufferPointer<UInt32>, _ times: UnsafeBufferPointer<Int64>) -> Bool {
  var repeats = 0
  for row in stride(from: 1, to: series.count, by: 1) {
    repeats &+= series[row] == series[row &- 1] && times[row] == times[row &- 1] ? 1 : 0
  }
  return repeats > 0
}

extension Head {
  /// What to gather: the blocks behind a partition's last large one in order, if they take `byteCount` together, or as
  /// many of them as do. Blocks of fewer than `joinedRowCount` rows are left, since what comes next is joined to them.
  func youngBlocks(byteCount: Int, joinedRowCount: Int = Head.joinedRowCount) -> HeadGather? {
    for (key, blocks) in partitions {
      let first = (blocks.lastIndex { $0.isSorted && $0.byteCount >= byteCount / 2 } ?? -1) + 1
      var young: [HeadBlock] = []
      var youngByteCount = 0
      for block in blocks[first...] where block.rowCount >= joinedRowCount {
        young.append(block)
        youngByteCount += block.byteCount
        if youngByteCount >= byteCount, young.count > 1 || !block.isSorted {
          return HeadGather(partition: key, blocks: young)
        }
      }
    }
    return nil
  }

  /// False, and nothing done, if the blocks are no longer there as they were.
  mutating func replace(_ gather: HeadGather, by block: HeadBlock) -> Bool {
    guard let blocks = partitions[gather.partition],
      let start = blocks.firstIndex(where: { $0 === gather.blocks[0] }),
      start + gather.blocks.count <= blocks.count,
      zip(blocks[start...], gather.blocks).allSatisfy({ $0 === $1 })
    else { return false }
    replaceBlocks(of: gather.partition, start..<(start + gather.blocks.count), by: block)
    return true
  }
}

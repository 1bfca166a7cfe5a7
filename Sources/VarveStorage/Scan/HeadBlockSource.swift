// Rows of one head block. The block's sorted order is searched for each wanted series, so that one series of many
// costs what that series has.

import VarveCore

final class HeadBlockSource: RowSource {
  private let block: HeadBlock
  private let selection: RowSelection
  private let order: Buffer<UInt32>
  private let fields: [FieldColumn?]
  /// Next place in `order`.
  private var position = 0
  /// Next wanted series, when they are listed.
  private var wanted = 0

  init(_ block: HeadBlock, _ selection: RowSelection) {
    self.block = block
    self.selection = selection
    order = block.sortedOrder()
    fields = selection.fields.map { block.field($0.id) }
  }

  func next() throws -> ScanBatch? {
    var runs: [SeriesRun] = []
    let rows = Buffer<UInt32>(capacity: min(order.count, ScanLimits.batchRowCount))
    /// Rows of `rows` whose identity the row before has too.
    var repeats = false
    while rows.count < ScanLimits.batchRowCount, let run = nextRun() {
      var kept = 0
      var previous: Int64?
      var place = run.lowerBound
      let series = SeriesID(rawValue: block.series.base[Int(order.base[run.lowerBound])])
      // The next range of time that is excluded; times ascend, and so do these.
      var excluded = selection.exclusions.isEmpty ? [][...] : selection.exclusions.ranges(of: series)[...]
      while place < run.upperBound {
        let row = order.base[place]
        let time = block.times.base[Int(row)]
        place += 1
        guard time >= selection.time.lower else { continue }
        guard time <= selection.time.upper else { break }
        while let range = excluded.first, range.upper < time { excluded.removeFirst() }
        if let range = excluded.first, range.lower <= time { continue }
        if time == previous { repeats = true } else { kept += 1 }
        previous = time
        rows.append(row)
      }
      if kept > 0 {
        runs.append(SeriesRun(series: series, count: kept))
      }
    }
    guard rows.count > 0 else { return nil }
    return repeats ? mergingRepeats(runs, rows) : gathered(runs, rows)
  }

  /// Places in `order` of the next series that is wanted.
  private func nextRun() -> Range<Int>? {
    guard position < order.count else { return nil }
    let start: Int
    switch selection.series {
    case .all: start = position
    case .some(let list):
      guard let found = findWanted(list) else { return nil }
      start = found
    }
    let series = block.series.base[Int(order.base[start])]
    let end = lowerBound(UInt64(series) + 1, from: start)
    position = end
    return start..<end
  }

  private func findWanted(_ list: [SeriesID]) -> Int? {
    while wanted < list.count, position < order.count {
      let target = list[wanted].rawValue
      let place = lowerBound(UInt64(target), from: position)
      guard place < order.count else { return nil }
      let found = block.series.base[Int(order.base[place])]
      if found == target {
        wanted += 1
        return place
      }
      // Skip wanted series that the block does not have.
      position = place
      while wanted < list.count, list[wanted].rawValue < found { wanted += 1 }
    }
    return nil
  }

  /// First place at or behind `start` whose series is not below `series`: galloping, then bisecting.
  private func lowerBound(_ series: UInt64, from start: Int) -> Int {
    var low = start
    var step = 1
    while low + step < order.count, UInt64(block.series.base[Int(order.base[low + step])]) < series {
      low += step
      step *= 2
    }
    var high = min(low + step, order.count)
    while low < high {
      let middle = (low + high) / 2
      if UInt64(block.series.base[Int(order.base[middle])]) < series { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func gathered(_ runs: [SeriesRun], _ rows: Buffer<UInt32>) -> ScanBatch {
    let times = Buffer<Int64>(capacity: rows.count)
    for row in rows.span { times.append(block.times.base[Int(row)]) }
    let columns = zip(selection.fields, fields).map { field, column in
      let builder = FieldColumnBuilder(type: field.type, capacity: rows.count)
      if let column { builder.append(column, order: rows.span) } else { builder.appendAbsent(rows.count) }
      return builder.finish()
    }
    return ScanBatch(runs: runs, times: times, fields: columns)
  }

  /// As `gathered`, where identities repeat: the last write of each field counts.
  private func mergingRepeats(_ runs: [SeriesRun], _ rows: Buffer<UInt32>) -> ScanBatch {
    let times = Buffer<Int64>(capacity: rows.count)
    var groups: [Range<Int>] = []
    var start = 0
    while start < rows.count {
      let row = Int(rows.base[start])
      var end = start + 1
      while end < rows.count, block.times.base[Int(rows.base[end])] == block.times.base[row],
        block.series.base[Int(rows.base[end])] == block.series.base[row]
      { end += 1 }
      groups.append(start..<end)
      times.append(block.times.base[row])
      start = end
    }
    let columns = zip(selection.fields, fields).map { field, column in
      let builder = FieldColumnBuilder(type: field.type, capacity: groups.count)
      guard let column else {
        builder.appendAbsent(groups.count)
        return builder.finish()
      }
      for group in groups {
        let last = group.last { column.state(Int(rows.base[$0])) != .absent } ?? group.lowerBound
        builder.append(column, row: Int(rows.base[last]))
      }
      return builder.finish()
    }
    return ScanBatch(runs: runs, times: times, fields: columns)
  }
}

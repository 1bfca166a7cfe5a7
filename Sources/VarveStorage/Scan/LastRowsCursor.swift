// Delivers the newest rows of series, from the newest partition to the oldest, until each series has what is wanted: from
// the tails of a partition's sources where that can be, by scanning the partition for the series that are left where not.

import VarveCore

final class LastRowsCursor: ScanCursor {
  /// Where a chunk or a block has this many times the series that are left, these are looked for themselves: that reads
  /// less than a tail takes to be made.
  private static let seriesRatio = 8

  private let plan: ScanPlan
  private let tails: TailCache
  private let pending: PendingSeries
  private let wantsValues: Bool
  private var nextPartition = 0
  private var partition: ScanPlan.Partition?
  private var merge: TailMerge?
  private var scan: StoreCursor?
  // What the scan under way has found; the end of it makes it count, since a series' later rows may still come.
  /// Series with all that is wanted. May have one twice.
  private var foundSeries = Buffer<UInt32>()
  /// Others, with fields that have a value.
  private var foundFields: [UInt32: Set<Int>] = [:]
  private var done: ScanStatistics

  /// `plan` has the newest partition first.
  init(_ plan: ScanPlan, _ request: LastRowsRequest, seriesCount: Int, _ tails: TailCache) {
    self.plan = plan
    self.tails = tails
    wantsValues = request.wanted == .values && !request.fields.isEmpty
    pending = PendingSeries(
      request.series, seriesCount: seriesCount, fieldCount: wantsValues ? request.fields.count : 0)
    done = plan.statistics
  }

  var statistics: ScanStatistics {
    var total = done
    if let scan { total.add(scan.statistics) }
    return total
  }

  func next() throws -> ScanBatch? {
    while true {
      if let merge {
        if let batch = merge.next() {
          done.rows += batch.count
          return batch
        }
        self.merge = nil
        if !merge.stragglers.isEmpty { beginScan(for: .some(merge.stragglers)) }
      }
      if let scan {
        if let batch = try scan.next() { return newest(of: batch) }
        endScan(scan)
      }
      guard pending.count > 0, nextPartition < plan.partitions.count else { return nil }
      try open(plan.partitions[nextPartition])
      nextPartition += 1
    }
  }

  private func open(_ partition: ScanPlan.Partition) throws {
    self.partition = partition
    guard let sources = try tails(of: partition) else { return beginScan(for: pending.all) }
    merge = TailMerge(sources, plan.selection.fields, plan.selection.time, pending, wantsValues: wantsValues)
  }

  // MARK: Tails

  /// Nil if some source has none.
  private func tails(of partition: ScanPlan.Partition) throws -> [TailMerge.Source]? {
    let fields = plan.selection.fields
    for chunk in partition.chunks where !tails.has(chunk.handle.metadata.file, fields) {
      if try pending.count * Self.seriesRatio <= chunk.handle.contents().index.seriesCount { return nil }
    }
    for block in partition.blocks where !block.rows.hasTail {
      if pending.count * Self.seriesRatio <= block.rows.seriesRange.count { return nil }
    }
    var sources: [TailMerge.Source] = []
    for chunk in partition.chunks {
      guard let tail = try tails.tail(of: chunk.handle, fields, &done) else { return nil }
      sources.append(TailMerge.Source(tail.tail, fields.map { tail.columns[$0.id] }, chunk.exclusions))
    }
    for block in partition.blocks {
      sources.append(
        TailMerge.Source(block.rows.tail(), fields.map { block.rows.field($0.id) }, block.exclusions))
    }
    return sources
  }

  // MARK: A scan

  private func beginScan(for series: SeriesSet) {
    guard let partition else { return }
    scan = StoreCursor(plan.only(partition, series: series), zones: [])
  }

  private func endScan(_ scan: StoreCursor) {
    done.add(scan.statistics)
    self.scan = nil
    for id in foundSeries.span { pending.foundAll(id) }
    for (id, fields) in foundFields { pending.found(id, fields: fields) }
    foundSeries = Buffer()
    foundFields.removeAll()
  }

  /// The last row of each run, and of each field that is missing the last one with a value.
  private func newest(of batch: ScanBatch) -> ScanBatch {
    let rows = Buffer<UInt32>(capacity: batch.runs.count)
    let times = Buffer<Int64>(capacity: batch.runs.count)
    var runs: [SeriesRun] = []
    runs.reserveCapacity(batch.runs.count)
    var start = 0
    for run in batch.runs {
      let last = start + run.count - 1
      var taken: Set<Int> = [last]
      let id = run.series.rawValue
      let missing = wantsValues ? pending.missingFields(id) : []
      var fields = wantsValues ? foundFields[id] ?? [] : []
      for field in missing {
        guard let row = lastValue(batch.fields[field], start...last) else { continue }
        taken.insert(row)
        fields.insert(field)
      }
      if fields.count == missing.count {
        foundSeries.append(id)
        if wantsValues { foundFields[id] = nil }
      } else {
        foundFields[id] = fields
      }
      for row in taken.sorted() {
        rows.append(UInt32(row))
        times.append(batch.times.base[row])
      }
      runs.append(SeriesRun(series: run.series, count: taken.count))
      start += run.count
    }
    let columns = batch.fields.map { column in
      let builder = FieldColumnBuilder(type: column.type, capacity: rows.count)
      builder.append(column, order: rows.span)
      return builder.finish()
    }
    return ScanBatch(runs: runs, times: times, fields: columns)
  }

  private func lastValue(_ column: FieldColumn, _ rows: ClosedRange<Int>) -> Int? {
    guard let states = column.states else { return rows.upperBound }
    return rows.last { states.base[$0] == CellState.value.rawValue }
  }
}

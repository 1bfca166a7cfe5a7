// Delivers an aggregating scan partition by partition: first what summaries say, then what pages, and blocks of the head
// in order, say of rows that are in no summary and lie alone, then the other rows, merged.

import VarveCore
import VarveFormat

final class StoreAggregateCursor: AggregateCursor {
  private let plan: ScanPlan
  private let request: AggregateRequest
  private var nextPartition = 0
  private var partition: ScanPlan.Partition?
  /// Of each chunk of the partition, where it lies alone.
  private var lone: [LoneTimes] = []
  /// Of each chunk.
  private var summaries: [SummarySource?] = []
  private var nextSummaries = 0
  /// Of each chunk; nil before the summaries are read.
  private var pages: [PageAggregateSource]?
  private var nextPages = 0
  /// Of head blocks in order that have rows which lie alone.
  private var blocks: [BlockAggregateSource] = []
  private var nextBlock = 0
  private var rows: StoreCursor?
  private var done: ScanStatistics

  init(_ plan: ScanPlan, _ request: AggregateRequest) {
    self.plan = plan
    self.request = request
    done = plan.statistics
  }

  var statistics: ScanStatistics {
    var total = done
    for source in summaries { source?.addStatistics(to: &total) }
    for source in pages ?? [] { source.addStatistics(to: &total) }
    for source in blocks {
      total.rows += source.rowCount
      total.rowsAggregatedOnPages += source.aggregatedRowCount
    }
    if let rows { total.add(rows.statistics) }
    return total
  }

  func next() throws -> AggregateItem? {
    if case .some(let list) = plan.selection.series, list.isEmpty { return nil }
    while true {
      if let item = try nextOfPartition() { return item }
      guard nextPartition < plan.partitions.count else { return nil }
      try open(plan.partitions[nextPartition])
      nextPartition += 1
    }
  }

  private func nextOfPartition() throws -> AggregateItem? {
    guard let partition else { return nil }
    while nextSummaries < summaries.count {
      if let batch = try summaries[nextSummaries]?.next() { return .partials(batch) }
      nextSummaries += 1
    }
    let pages = self.pages ?? openPages(partition)
    self.pages = pages
    while nextPages < pages.count {
      if let item = try pages[nextPages].next() { return item }
      nextPages += 1
    }
    while nextBlock < blocks.count {
      if let item = try blocks[nextBlock].next() { return item }
      nextBlock += 1
    }
    let rows =
      self.rows ?? StoreCursor(plan.only(left(of: partition) { pages.isEmpty ? .all : .rest(lone[$0]) }), zones: [])
    self.rows = rows
    return try rows.next().map { .rows($0) }
  }

  private func open(_ partition: ScanPlan.Partition) throws {
    done = statistics
    blocks = []
    nextBlock = 0
    self.partition = takingBlocks(of: partition)
    (nextSummaries, nextPages, pages, rows) = (0, 0, nil, nil)
    lone = partition.chunks.indices.map { LoneTimes(ofChunk: $0, in: partition) }
    summaries = try zip(partition.chunks, lone).map { chunk, lone in
      request.sources.contains(.summaries) ? try SummarySource(chunk, request, plan.selection, lone) : nil
    }
  }

  /// What is left of the partition without the rows that `blocks` deliver.
  private func takingBlocks(of partition: ScanPlan.Partition) -> ScanPlan.Partition {
    guard request.sources.contains(.pages) else { return partition }
    var left = partition
    for number in partition.blocks.indices.reversed() where partition.blocks[number].rows.isSorted {
      let (block, exclusions) = (partition.blocks[number].rows, partition.blocks[number].exclusions)
      let time = block.timeRange.intersection(plan.selection.time)
      let lone = LoneTimes(ofBlock: number, in: partition).ranges(of: block.seriesRange, in: time)
      guard !lone.isEmpty else { continue }
      let others = lone.reduce([time]) { times, range in times.flatMap { $0.without(range) } }
      var excluded = exclusions
      excluded.add(others)
      blocks.append(BlockAggregateSource(block, request, plan.selection.excluding(excluded)))
      if others.isEmpty { left.blocks.remove(at: number) } else { left.blocks[number].exclusions.add(lone) }
    }
    return left
  }

  private func openPages(_ partition: ScanPlan.Partition) -> [PageAggregateSource] {
    guard request.sources.contains(.pages) else { return [] }
    return left(of: partition) { .lone(lone[$0]) }.chunks.map { PageAggregateSource($0, request, plan.selection) }
  }

  /// Parts of the chunks without the rows that were in summaries, and the rest of the partition.
  private func left(of partition: ScanPlan.Partition, _ part: (Int) -> ChunkPart) -> ScanPlan.Partition {
    var result = partition
    for number in result.chunks.indices {
      result.chunks[number].exclusions.add(summaries[number]?.covered ?? [])
      result.chunks[number].part = part(number)
    }
    return result
  }
}

// Delivers an aggregating scan partition by partition: first what summaries say, then the rows that are in none.

import VarveCore
import VarveFormat

final class StoreAggregateCursor: AggregateCursor {
  private let plan: ScanPlan
  private let request: AggregateRequest
  private var nextPartition = 0
  private var partition: ScanPlan.Partition?
  /// Of each chunk of the partition.
  private var summaries: [SummarySource?] = []
  private var nextSummaries = 0
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
    let rows = self.rows ?? StoreCursor(plan.only(without(partition)), zones: [])
    self.rows = rows
    return try rows.next().map { .rows($0) }
  }

  private func open(_ partition: ScanPlan.Partition) throws {
    done = statistics
    rows = nil
    self.partition = partition
    nextSummaries = 0
    summaries = try partition.chunks.indices.map { index in
      let metadata = partition.chunks[index].handle.metadata
      let others = partition.chunks.indices.filter { $0 != index }.map { partition.chunks[$0].handle.metadata }
        .filter { $0.firstSeries <= metadata.lastSeries && metadata.firstSeries <= $0.lastSeries }.map(\.time)
      return try SummarySource(
        partition.chunks[index], request, plan.selection, others: others + partition.blocks.map(\.rows.timeRange))
    }
  }

  /// The partition, without the rows that were in summaries.
  private func without(_ partition: ScanPlan.Partition) -> ScanPlan.Partition {
    var result = partition
    result.chunks = zip(partition.chunks, summaries).map { chunk, summaries in
      var exclusions = chunk.exclusions
      exclusions.add(summaries?.covered ?? [])
      return ScanPlan.Chunk(handle: chunk.handle, exclusions: exclusions)
    }
    return result
  }
}

// Delivers a scan partition by partition; within one, its sources merged.

import VarveCore

final class StoreCursor: ScanCursor {
  private let plan: ScanPlan
  private let zones: [ZonePredicate]
  private var nextPartition = 0
  private var current: (any RowSource)?
  private var chunkSources: [ChunkSource] = []
  private var done: ScanStatistics

  init(_ plan: ScanPlan, zones: [ZonePredicate]) {
    self.plan = plan
    self.zones = zones
    done = plan.statistics
  }

  var statistics: ScanStatistics { chunkSources.reduce(into: done) { $1.addStatistics(to: &$0) } }

  func next() throws -> ScanBatch? {
    if case .some(let list) = plan.selection.series, list.isEmpty { return nil }
    while true {
      if let batch = try current?.next() {
        done.rows += batch.count
        return batch
      }
      guard nextPartition < plan.partitions.count else {
        current = nil
        return nil
      }
      try open(plan.partitions[nextPartition])
      nextPartition += 1
    }
  }

  private func open(_ partition: ScanPlan.Partition) throws {
    for source in chunkSources { source.addStatistics(to: &done) }
    // Zone maps may skip a row only where no other source could hold newer cells of it.
    let sourceCount = partition.chunks.count + partition.blocks.count
    let byteLimit = min(
      ScanLimits.readByteCount,
      max(ScanLimits.firstReadByteCount, ScanLimits.partitionReadByteCount / max(1, partition.chunks.count)))
    chunkSources = partition.chunks.map {
      ChunkSource(
        $0.handle, plan.selection.of($0), zones: sourceCount == 1 ? zones : [],
        readByteLimit: byteLimit)
    }
    let sources: [any RowSource] =
      chunkSources
      + partition.blocks.map {
        HeadBlockSource($0.rows, plan.selection.excluding($0.exclusions))
      }
    current = sources.count == 1 ? sources[0] : try MergeSource(sources, plan.selection.fields)
  }
}

// Delivers a scan partition by partition; within one, its sources merged.

import VarveCore

final class StoreCursor: ScanCursor {
  private let plan: ScanPlan
  private let zones: [ZonePredicate]
  private let filter: (any RowFilter)?
  private var nextPartition = 0
  private var current: (any RowSource)?
  private var chunkSources: [ChunkSource] = []
  private var done: ScanStatistics

  init(_ plan: ScanPlan, zones: [ZonePredicate], filter: (any RowFilter)? = nil) {
    self.plan = plan
    self.zones = zones
    self.filter = filter
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
    // Zone maps and filters may skip a row only where no other source could hold newer cells of it.
    let sourceCount = partition.chunks.count + partition.blocks.count
    let byteLimit = min(
      ScanLimits.readByteCount,
      max(ScanLimits.firstReadByteCount, ScanLimits.partitionReadByteCount / max(1, partition.chunks.count)))
    chunkSources = partition.chunks.map {
      ChunkSource(
        $0.handle, plan.selection.of($0), zones: sourceCount == 1 ? zones : [],
        filter: sourceCount == 1 ? filter : nil, readByteLimit: byteLimit)
    }
    let sources: [any RowSource] =
      chunkSources
      + headSources(partition.blocks)
    current = sources.count == 1 ? sources[0] : try MergeSource(sources, plan.selection.fields)
  }

  /// Of rows of all series, those that came behind each other are ordered together: that is done sooner than merging
  /// many blocks row by row. Of few series each block finds its own.
  private func headSources(_ blocks: [ScanPlan.Block]) -> [any RowSource] {
    var isOfAll = false
    if case .all = plan.selection.series { isOfAll = true }
    var sources: [any RowSource] = []
    var group: [HeadBlock] = []
    var groupRowCount = 0
    func endGroup() {
      if !group.isEmpty {
        sources.append(HeadBlockSource(HeadRows(group), plan.selection, batchesAtOnce: group.count > 1 ? 8 : 1))
      }
      (group, groupRowCount) = ([], 0)
    }
    for block in blocks {
      let isJoined = isOfAll && !block.rows.isSorted && block.exclusions.isEmpty
      if !isJoined || groupRowCount + block.rows.rowCount > ScanLimits.orderedRowCount { endGroup() }
      if isJoined {
        group.append(block.rows)
        groupRowCount += block.rows.rowCount
      } else {
        let selection = plan.selection.excluding(block.exclusions)
        sources.append(
          block.rows.isSorted
            ? SortedBlockSource(block.rows, selection) : HeadBlockSource(HeadRows([block.rows]), selection))
      }
    }
    endGroup()
    return sources
  }
}

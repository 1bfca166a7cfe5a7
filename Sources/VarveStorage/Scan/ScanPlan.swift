// Which partitions, chunks and head blocks a scan must look at: everything that the request's time range and series
// rule out is gone before a page is read.

import VarveCore
import VarveFormat

struct ScanPlan {
  struct Partition {
    let index: Int64
    /// In order of sequence.
    var chunks: [Chunk] = []
    /// In order of arrival; all newer than the chunks.
    var blocks: [Block] = []
  }
  struct Chunk {
    let handle: ChunkHandle
    var exclusions: Exclusions
    var part = ChunkPart.all

    /// What of it a scan would look at.
    func rowBlocks(_ selection: RowSelection, _ zones: [ZonePredicate]) throws -> (
      selected: [Int], total: Int, rowCount: Int
    ) {
      ChunkHandle.rowBlocks(try handle.contents().index, selection.excluding(exclusions), zones)
    }
  }
  struct Block {
    let rows: HeadBlock
    var exclusions: Exclusions
  }

  private(set) var selection: RowSelection
  private(set) var partitions: [Partition] = []
  private(set) var statistics = ScanStatistics()

  init(_ request: ScanRequest, _ state: Store.Published) throws {
    guard let table = state.catalog.tables[request.table] else {
      throw VarveError(.notFound, "table \(request.table.rawValue) does not exist", sqlState: "42P01")
    }
    selection = RowSelection(
      series: request.series, time: request.time,
      fields: try request.fields.map { id in
        guard case .field(let type) = table.column(id)?.kind else {
          throw VarveError(.invalidArgument, "column \(id.rawValue) of table \"\(table.name)\" is not a field")
        }
        return (id, type)
      })
    collect(request, state, table)
  }

  /// The same of one partition alone, which counts nothing twice.
  func only(_ partition: Partition) -> ScanPlan {
    var plan = self
    plan.partitions = [partition]
    plan.statistics = ScanStatistics()
    return plan
  }

  /// The same for some of its series.
  func only(_ partition: Partition, series: SeriesSet) -> ScanPlan {
    var plan = only(partition)
    plan.selection.series = series
    return plan
  }

  private mutating func collect(_ request: ScanRequest, _ state: Store.Published, _ table: TableSchema) {
    let chunks = state.chunks[table.id]
    var wantedCount = 0
    let hasTombstones = !state.tombstones.of(table.id).isEmpty
    for partition in chunks.partitions(overlapping: request.time) {
      let wanted = partition.chunks.compactMap { chunk -> Chunk? in
        guard Self.mayHold(chunk.metadata, request) else { return nil }
        guard hasTombstones else { return Chunk(handle: chunk, exclusions: .none) }
        let exclusions = state.tombstones.exclusions(for: chunk.metadata)
        return exclusions.cover(chunk.metadata.time, series: chunk.metadata.seriesBounds)
          ? nil : Chunk(handle: chunk, exclusions: exclusions)
      }
      wantedCount += wanted.count
      if !wanted.isEmpty { partitions.append(Partition(index: partition.index, chunks: wanted)) }
    }
    statistics.chunks = chunks.count
    statistics.chunksPruned = chunks.count - wantedCount
    var partitionsOfHeads = Set<Int64>()
    for (head, exclusions) in state.heads(of: table.id) {
      for (key, blocks) in head.partitions where key.table == table.id {
        if !chunks.hasPartition(key.index) { partitionsOfHeads.insert(key.index) }
        let wanted = blocks.filter { $0.timeRange.overlaps(request.time) }.map {
          Block(rows: $0, exclusions: exclusions)
        }
        statistics.headRows += wanted.reduce(0) { $0 + $1.rows.rowCount }
        if !wanted.isEmpty { add(wanted, to: key.index) }
      }
    }
    statistics.partitions = chunks.partitions.count + partitionsOfHeads.count
    statistics.partitionsPruned = statistics.partitions - partitions.count
    if request.newestPartitionFirst { partitions.reverse() }
  }

  /// While partitions stand in order of time.
  private mutating func add(_ blocks: [Block], to index: Int64) {
    let place = partitions.partitioningPlace { $0.index >= index }
    if place == partitions.count || partitions[place].index != index {
      partitions.insert(Partition(index: index), at: place)
    }
    partitions[place].blocks += blocks
  }

  private static func mayHold(_ chunk: ChunkMetadata, _ request: ScanRequest) -> Bool {
    guard chunk.time.overlaps(request.time) else { return false }
    guard case .some(let series) = request.series else { return true }
    // The first wanted series that is not below the chunk's.
    var low = 0
    var high = series.count
    while low < high {
      let middle = (low + high) / 2
      if series[middle] < chunk.firstSeries { low = middle + 1 } else { high = middle }
    }
    return low < series.count && series[low] <= chunk.lastSeries
  }
}

extension Store.Published {
  /// Rows in memory, the older first, each with what deletes behind them cover.
  func heads(of table: TableID) -> [(head: Head, exclusions: Exclusions)] {
    var heads: [(Head, Exclusions)] = []
    if let sealing { heads.append((sealing, tombstones.exclusions(in: table, behind: sealingSequence))) }
    // Deletes have taken their rows out of the active head.
    heads.append((active, .none))
    return heads
  }
}

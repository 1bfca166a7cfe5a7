// One moment of the store: a copy of its published state. Blocks and chunks are shared and immutable; as long as a
// snapshot lives, its chunks' files stay readable.

import VarveCore
import VarveFormat

package final class Snapshot: ReadSnapshot {
  let state: Store.Published
  let indexes: [TableID: SeriesIndex]
  /// Of a transaction's own rows (`overlaid`).
  let provisional: [TableID: ProvisionalSeries]
  private let tails: TailCache

  init(store: Store, state: Store.Published) {
    self.state = state
    indexes = store.series.all
    provisional = [:]
    tails = store.caches.tails
  }

  /// `snapshot` with other contents.
  init(_ snapshot: Snapshot, state: Store.Published, provisional: [TableID: ProvisionalSeries]) {
    self.state = state
    self.provisional = provisional
    indexes = snapshot.indexes
    tails = snapshot.tails
  }

  package var sequence: Sequence { state.sequence }
  package func tables() -> [TableSchema] { state.catalog.inOrder }
  package func table(named name: String) -> TableSchema? { state.catalog.table(named: name) }
  package func table(id: TableID) -> TableSchema? { state.catalog.tables[id] }
  package func dimensions() -> [DimensionSchema] { state.catalog.dimensionsInOrder }
  package func dimension(named name: String) -> DimensionSchema? { state.catalog.dimension(named: name) }
  package func rows(of table: DimensionSchema) -> DimensionRows { state.dimensions[table.id].rows }

  package func rollup(_ table: TableID) -> Rollup? {
    guard let definition = state.catalog.rollups[table], let schema = state.catalog.tables[table] else { return nil }
    return Rollup(schema: schema, definition: definition, state: state.rollups[table])
  }
  package func rollups(of source: TableID) -> [Rollup] { state.catalog.rollups(of: source).compactMap(rollup) }
  package func policies(of table: TableID) -> [PolicyKind: [UInt8]] { state.catalog.policies[table] ?? [:] }
  package var pausedJobs: Set<DatabaseJob> { state.catalog.pausedJobs }
  package var trustedClock: Int64 { state.catalog.trustedClock }

  package func tagColumn(_ column: ColumnID, of table: TableID) -> TagColumn {
    tagColumn(indexes[table]?.tagColumn(column) ?? TagColumn(codes: [], values: [""]), column, of: table)
  }

  package func series(of table: TableID, where predicates: [TagPredicate]) -> SeriesSet {
    guard !predicates.isEmpty else { return .all }
    var result: [UInt32]?
    for predicate in predicates {
      let matching = indexes[table]?.series(where: predicate.condition, on: predicate.column) ?? []
      result = result.map { Self.intersection($0, matching) } ?? matching
    }
    return .some(series(result ?? [], of: table, where: predicates).map { SeriesID(rawValue: $0) })
  }

  private func seriesCount(of table: TableID) -> Int {
    provisional[table].map { $0.first + $0.keys.count } ?? indexes[table]?.count ?? 0
  }

  package func statistics(of table: TableID) -> TableStatistics {
    let chunks = state.chunks[table]
    // Rows that a delete covers in part of a chunk, or of a block on its way to one, count until they are compacted away.
    let emptied = emptiedChunks(of: table)
    var statistics = TableStatistics()
    statistics.series = seriesCount(of: table)
    statistics.chunks = chunks.count
    statistics.rows = emptied.values.reduce(chunks.rowCount) { $0 - $1.rowCount }
    statistics.chunkBytes = chunks.byteCount
    statistics.chunkValues = chunks.valueCount
    statistics.archivedChunks = chunks.archived.count
    statistics.archivedRows = chunks.archived.rowCount
    statistics.objectBytes = chunks.archived.objectByteCount
    var partitionsOfHeads = Set<Int64>()
    var time = chunks.time(without: emptied)
    for (head, exclusions) in state.heads(of: table) {
      for (key, blocks) in head.partitions where key.table == table {
        if !chunks.hasPartition(key.index) { partitionsOfHeads.insert(key.index) }
        for block in blocks where !exclusions.cover(block.timeRange, series: 0...UInt32.max) {
          statistics.rows += block.rowCount
          statistics.headRows += block.rowCount
          time = time?.hull(block.timeRange) ?? block.timeRange
        }
      }
    }
    statistics.partitions = chunks.partitions.count + partitionsOfHeads.count
    statistics.time = time
    return statistics
  }

  /// Those of which deletes cover all rows.
  private func emptiedChunks(of table: TableID) -> [FileID: ChunkMetadata] {
    let tombstones = state.tombstones.of(table)
    guard !tombstones.isEmpty else { return [:] }
    let chunks = state.chunks[table]
    var emptied: [FileID: ChunkMetadata] = [:]
    for range in Exclusions.united(tombstones.map(\.deletion.time)) {
      for partition in chunks.partitions(overlapping: range) {
        for chunk in partition.chunks where isEmptied(chunk.metadata) { emptied[chunk.metadata.file] = chunk.metadata }
      }
    }
    return emptied
  }

  private func isEmptied(_ chunk: ChunkMetadata) -> Bool {
    state.tombstones.exclusions(for: chunk).coverAll(of: chunk)
  }

  package func chunks(of id: TableID) -> [ChunkStatistics] {
    guard let table = state.catalog.tables[id] else { return [] }
    return state.chunks[id].partitions.flatMap { partition in
      let chunks = partition.chunks.map(\.metadata)
      return chunks.map { chunk in
        ChunkStatistics(
          file: StorePaths.name(chunk.file, "chunk"),
          partition: PartitionSplit.range(partition.index, width: table.partitionNanoseconds),
          level: Int(chunk.level.rawValue),
          rows: chunk.rowCount, values: chunk.valueCount, bytes: chunk.byteCount, objectBytes: chunk.objectByteCount,
          time: chunk.time,
          firstSequence: chunk.firstSequence, lastSequence: chunk.lastSequence,
          isOverlapping: chunks.contains { $0.file != chunk.file && $0.mayOverlap(chunk) },
          isEmptied: isEmptied(chunk))
      }
    }
  }

  package func estimate(_ request: ScanRequest) throws -> ScanStatistics {
    let plan = try ScanPlan(request, state)
    var statistics = plan.statistics
    for partition in plan.partitions {
      // As the scan: zone maps rule out rows only where no other source could change them.
      let isAlone = partition.chunks.count + partition.blocks.count == 1
      for chunk in partition.chunks {
        let blocks = try chunk.rowBlocks(plan.selection, isAlone ? request.zones : [])
        statistics.rowBlocks += blocks.total
        statistics.rowBlocksPruned += blocks.total - blocks.selected.count
        statistics.rows += blocks.rowCount
      }
      statistics.rows += partition.blocks.reduce(0) { $0 + $1.rows.rowCount }
    }
    return statistics
  }

  package func estimatedCount(_ request: AggregateRequest) throws -> Int {
    let plan = try ScanPlan(request.scan, state)
    let blockRows = plan.partitions.reduce(0) { $0 + $1.blocks.reduce(0) { $0 + $1.rows.rowCount } }
    let chunks = plan.partitions.flatMap { partition in partition.chunks.indices.map { (partition, $0) } }
    var (rows, askedRows, asked) = (0, 0, 0)
    for (number, (partition, place)) in chunks.enumerated() {
      let chunk = partition.chunks[place]
      let rowCount = try chunk.rowBlocks(plan.selection, []).rowCount
      rows += rowCount
      // Some speak for all: there may be thousands.
      guard number % (chunks.count / 16 + 1) == 0 else { continue }
      let lone = LoneTimes(ofChunk: place, in: partition)
      let summaries =
        request.sources.contains(.summaries) ? try SummarySource(chunk, request, plan.selection, lone) : nil
      askedRows += rowCount
      asked += try summaries?.estimatedCount(rowCount: rowCount) ?? rowCount
    }
    return blockRows + (askedRows == 0 ? rows : Int(Double(rows) * Double(asked) / Double(askedRows)))
  }

  package func scan(_ request: ScanRequest, filter: (any RowFilter)?) throws -> any ScanCursor {
    StoreCursor(try ScanPlan(request, state), zones: request.zones, filter: filter)
  }

  package func lastRows(_ request: LastRowsRequest) throws -> any ScanCursor {
    let scan = ScanRequest(
      table: request.table, series: request.series, time: request.time, fields: request.fields,
      newestPartitionFirst: true)
    return LastRowsCursor(
      try ScanPlan(scan, state), request, seriesCount: seriesCount(of: request.table), tails)
  }

  package func aggregate(_ request: AggregateRequest) throws -> any AggregateCursor {
    StoreAggregateCursor(try ScanPlan(request.scan, state), request)
  }

  package func summaries(_ request: ScanRequest) throws -> [SummaryUse] {
    var found: [SummaryStep: Int] = [:]
    for partition in try ScanPlan(request, state).partitions {
      for chunk in partition.chunks {
        if let step = try chunk.handle.contents().index.summaries?.step { found[step, default: 0] += 1 }
      }
    }
    return SummaryStep.allCases.compactMap { step in
      found[step].map { SummaryUse(step: step.label, nanoseconds: step.nanoseconds, chunks: $0) }
    }
  }

  /// Of two ascending lists.
  private static func intersection(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    var i = 0
    var j = 0
    while i < a.count, j < b.count {
      if a[i] < b[j] {
        i += 1
      } else if a[i] > b[j] {
        j += 1
      } else {
        result.append(a[i])
        i += 1
        j += 1
      }
    }
    return result
  }
}

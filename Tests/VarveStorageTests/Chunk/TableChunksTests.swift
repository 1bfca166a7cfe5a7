import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
@testable import VarveStorage

/// What is known of a table's chunks without looking at each is what looking at each gives.
@Suite struct TableChunksTests {
  private static let width: Int64 = 100

  private func chunk(_ number: Int, _ random: inout SeededRandom) -> ChunkHandle {
    let partition = Int64.random(in: -20...20, using: &random)
    let ends = [Int64.random(in: 0..<Self.width, using: &random), .random(in: 0..<Self.width, using: &random)]
    let first = Sequence(rawValue: .random(in: 1...50, using: &random))
    return ChunkHandle(
      ChunkMetadata(
        file: FileID(rawValue: UInt64(number)), table: TableID(rawValue: 1), partition: partition,
        byteCount: .random(in: 1...1000, using: &random), rowCount: .random(in: 1...1000, using: &random),
        valueCount: .random(in: 1...1000, using: &random),
        time: TimeRange(
          lower: partition * Self.width + min(ends[0], ends[1]), upper: partition * Self.width + max(ends[0], ends[1])),
        firstSeries: SeriesID(rawValue: 0), lastSeries: SeriesID(rawValue: 9), firstSequence: first,
        lastSequence: first),
      path: "\(number)", files: SimulatedFileSystem(), caches: .off, archive: nil)
  }

  @Test(arguments: 1...(seedCount * 4)) func whatComesAndGoesIsFoundAndCounted(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    var set = ChunkSet()
    var model: [ChunkHandle] = []
    for number in 0..<200 {
      if model.count < 3 || Int.random(in: 0..<3, using: &random) > 0 {
        let chunk = chunk(number, &random)
        set.add(chunk)
        model.append(chunk)
      } else {
        let partition = try #require(model.randomElement(using: &random)).metadata.partition
        let files = model.filter { $0.metadata.partition == partition && Bool.random(using: &random) }
          .map(\.metadata.file)
        let gone = set.replace(
          files, with: [], in: PartitionKey(table: TableID(rawValue: 1), index: partition))
        #expect(Set(gone.map(\.metadata.file)) == Set(files), "seed \(seed)")
        model.removeAll { files.contains($0.metadata.file) }
      }
      let chunks = set[TableID(rawValue: 1)]
      let metadata = model.map(\.metadata)
      #expect(Set(set.all.map(\.metadata)) == Set(metadata) && set.all.count == model.count, "seed \(seed)")
      #expect(chunks.count == model.count && chunks.rowCount == metadata.reduce(0) { $0 + $1.rowCount })
      #expect(chunks.byteCount == metadata.reduce(0) { $0 + $1.byteCount })
      #expect(chunks.valueCount == metadata.reduce(0) { $0 + $1.valueCount })
      let indexes = chunks.partitions.map(\.index)
      #expect(indexes == Set(metadata.map(\.partition)).sorted(), "seed \(seed)")
      for partition in chunks.partitions {
        let own = metadata.filter { $0.partition == partition.index }
        #expect(
          partition.chunks.map(\.metadata)
            == own.sorted { ($0.firstSequence, $0.file) < ($1.firstSequence, $1.file) }, "seed \(seed)")
        #expect(partition.time == hull(own), "seed \(seed)")
        #expect(chunks.chunks(in: partition.index).count == own.count && chunks.hasPartition(partition.index))
      }
      #expect(!chunks.hasPartition(21) && chunks.chunks(in: 21).isEmpty)
      let left = metadata.filter { _ in Bool.random(using: &random) }
      let without = Dictionary(uniqueKeysWithValues: left.map { ($0.file, $0) })
      #expect(chunks.time(without: [:]) == hull(metadata), "seed \(seed)")
      #expect(chunks.time(without: without) == hull(metadata.filter { without[$0.file] == nil }), "seed \(seed)")
      let bounds = [Int64.random(in: -2500...2500, using: &random), .random(in: -2500...2500, using: &random)]
      for range in [TimeRange(lower: bounds[0], upper: bounds[1]), .all, TimeRange(lower: bounds[0], upper: bounds[0])]
      {
        let found = Set(chunks.partitions(overlapping: range).map(\.index))
        let wanted = Set(metadata.filter { $0.time.overlaps(range) }.map(\.partition))
        #expect(found.isSuperset(of: wanted), "seed \(seed): \(range)")
        #expect(
          found.allSatisfy { index in chunks.partitions.contains { $0.index == index && $0.time.overlaps(range) } })
      }
    }
  }

  private func hull(_ chunks: [ChunkMetadata]) -> TimeRange? {
    guard let lower = chunks.map(\.time.lower).min(), let upper = chunks.map(\.time.upper).max() else { return nil }
    return TimeRange(lower: lower, upper: upper)
  }

  /// With deletes, drops, seals and compactions, whatever a workload does.
  @Test(arguments: 1...(seedCount * 2)) func statisticsAreThoseOfTheChunksThatAreListed(seed: Int) throws {
    let workload = Workload(seed: UInt64(9100 + seed), stepCount: 60)
    let disk = SimulatedFileSystem()
    #expect(Run(workload, disk).error == nil, "seed \(seed)")
    let store = try Store.open(workload.options(disk))
    try store.sealAll()
    let snapshot = store.snapshot()
    #expect(!snapshot.tables().isEmpty)
    for table in snapshot.tables() {
      let statistics = snapshot.statistics(of: table.id)
      let chunks = snapshot.chunks(of: table.id)
      let live = chunks.filter { !$0.isEmptied }
      #expect(statistics.chunks == chunks.count && statistics.headRows == 0, "seed \(seed)")
      #expect(statistics.rows == live.reduce(0) { $0 + $1.rows }, "seed \(seed)")
      #expect(statistics.chunkBytes == chunks.reduce(0) { $0 + $1.bytes }, "seed \(seed)")
      #expect(statistics.chunkValues == chunks.reduce(0) { $0 + $1.values }, "seed \(seed)")
      #expect(statistics.partitions == Set(chunks.map(\.partition)).count, "seed \(seed)")
      #expect(statistics.time?.lower == live.map(\.time.lower).min(), "seed \(seed)")
      #expect(statistics.time?.upper == live.map(\.time.upper).max(), "seed \(seed)")
    }
    try store.close()
  }

  /// Rows on their way to chunks are deleted by a tombstone, as those in chunks are.
  @Test func whatIsDeletedWhileItIsSealedDoesNotCount() throws {
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    let rows = (0..<3).map {
      ModelRow(table: "t", identity: Identity(tags: ["host": "h"], time: Int64($0)), fields: ["v": .integer(1)])
    }
    _ = try store.commit([.write(batches(rows))])[0].get()
    let table = try #require(store.snapshot().table(named: "t")).id
    #expect(try store.freeze())
    #expect(store.snapshot().statistics(of: table).time == TimeRange(lower: 0, upper: 2))
    let delete = DeleteRequest(table: table, time: TimeRange(lower: .min, upper: 5))
    _ = try store.commit([.delete([delete], then: [])])[0].get()
    #expect(store.snapshot().statistics(of: table).rows == 0 && store.snapshot().statistics(of: table).time == nil)
    try store.install(store.writeChunks())
    let statistics = store.snapshot().statistics(of: table)
    #expect(statistics.rows == 0 && statistics.time == nil && statistics.chunks == 1)
    try store.close()
  }
}

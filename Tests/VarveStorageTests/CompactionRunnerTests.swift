import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
@testable import VarveStorage

/// The thread that compacts, beside those that commit and seal.
@Suite struct CompactionRunnerTests {
  private let disk = SimulatedFileSystem()

  private func open(_ change: (inout StoreOptions) -> Void) throws -> (Store, CommitPipeline) {
    var options = StoreOptions(directory: "/sim/db", fileSystem: disk, clock: SystemClock())
    options.segmentByteCount = 4096
    change(&options)
    let store = try Store.open(options)
    return (store, CommitPipeline(store))
  }

  private func rows(_ number: Int) -> [ModelRow] {
    (0..<20_000).map {
      ModelRow(
        table: "t", identity: Identity(tags: ["host": "h\($0 % 3)"], time: Int64($0 + number * 10_000)),
        fields: ["v": .integer(Int64($0 ^ number * 7919))])
    }
  }

  private func levels(_ store: Store) -> [ChunkLevel] {
    store.published.withLock { $0.chunks.all.map(\.metadata.level) }
  }

  /// Looks until it is so; a test that hangs has failed.
  private func wait(_ body: () -> Bool) { while !body() { _ = Gate(0).wait(milliseconds: 5) { _ in nil as Int? } } }

  @Test(.timeLimit(.minutes(20))) func closedPartitionsAreCompactedWithoutBeingAsked() throws {
    let (store, pipeline) = try open { _ in }
    var model = Model()
    for number in 0..<3 {
      _ = try pipeline.write(.write(batches(rows(number))))
      for row in rows(number) { model.write(row) }
      try pipeline.flush()
    }
    wait { levels(store) == [.full] }
    #expect(try Model.reading(store) == model)
    #expect(store.maintenanceStatistics.compaction.runs > 0)
    pipeline.close()
    try store.close()
    #expect(disk.paths.filter { $0.hasSuffix(".chunk") }.count == 1)
  }

  @Test(.timeLimit(.minutes(20))) func switchedOffItCompactsWhatItIsAskedFor() throws {
    let (store, pipeline) = try open { $0.compactsByItself = false }
    for number in 0..<3 {
      _ = try pipeline.write(.write(batches(rows(number))))
      try pipeline.flush()
    }
    let expected = try Model.reading(store)
    #expect(levels(store) == [.sealed, .sealed, .sealed])
    try pipeline.compact(table: nil) {}
    #expect(levels(store) == [.full])
    #expect(try Model.reading(store) == expected)
    pipeline.close()
    let error = #expect(throws: VarveError.self) { try pipeline.compact(table: nil) {} }
    #expect(error?.code == .closed)
    try store.close()
  }

  /// What was not written while somebody else went first is not made up for in one go.
  @Test func aStallEarnsASecondAtMost() {
    let clock = ManualClock()
    let pacer = Pacer(clock, bytesPerSecond: 1000)
    #expect(pacer.delayNanoseconds(behind: 500) == 500_000_000)
    clock.advance(nanoseconds: 500_000_000)
    #expect(pacer.delayNanoseconds(behind: 500) == 500_000_000)
    clock.advance(nanoseconds: 60_000_000_000)
    #expect(pacer.delayNanoseconds(behind: 1000) == 0)
    #expect(pacer.delayNanoseconds(behind: 1000) == 1_000_000_000)
  }

  /// At a byte a second a compaction would outlive everybody.
  @Test(.timeLimit(.minutes(20))) func closingWaitsForNoCompaction() throws {
    let (store, pipeline) = try open { $0.compactionBytesPerSecond = 1 }
    _ = try pipeline.write(.write(batches(rows(0))))
    try pipeline.flush()
    wait { disk.paths.filter { $0.hasSuffix(".chunk") }.count == 2 }
    pipeline.close()
    #expect(levels(store) == [.sealed])
    try store.close()
    #expect(disk.paths.filter { $0.hasSuffix(".chunk") }.count == 1)
  }
}

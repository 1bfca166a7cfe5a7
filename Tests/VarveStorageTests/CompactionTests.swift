import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
@testable import VarveStorage

/// Compaction changes what is on disk, never what a scan finds.
@Suite struct CompactionTests {
  private let disk = SimulatedFileSystem()
  private let store: Store

  init() throws { store = try Store.open(Run.options(disk, ManualClock())) }

  private func row(_ host: Int, _ time: Int64, _ fields: [String: Cell]) -> ModelRow {
    ModelRow(table: "t", identity: Identity(tags: ["host": "h\(host)"], time: time), fields: fields)
  }

  private func seal(_ rows: [ModelRow], _ store: Store? = nil) throws {
    let store = store ?? self.store
    _ = try store.commit([.write(batches(rows))])[0].get()
    try store.sealAll()
  }

  private func chunks(_ store: Store? = nil) -> [ChunkMetadata] {
    (store ?? self.store).published.withLock { $0.chunks.all }.map(\.metadata)
  }

  private var tombstoneCount: Int { store.published.withLock { $0.tombstones.all.count } }

  private func delete(_ host: Int?, _ time: TimeRange = .all) throws {
    let delete = ModelDelete(table: "t", host: host.map { "h\($0)" }, time: time)
    _ = try store.commit([Request.delete(delete, then: []).forStore(store)])[0].get()
  }

  /// A chunk that says "no delete up to commit 2 covers me" is wrong of a log that gives number 2 to another delete.
  @Test func aLogThatLacksWhatACompactionMadeRealIsRefusedAndRepaired() throws {
    try seal([row(0, 1, ["n": .integer(1)]), row(1, 1, ["n": .integer(2)])])
    try delete(0)
    let table = try #require(store.snapshot().table(named: "t"))
    let task = try #require(store.pickFullCompaction(of: table.id))
    #expect(try store.install(store.write(task)))
    try store.close()
    let disk = disk.restart()
    for path in disk.paths where path.hasSuffix(".wal") { try disk.remove(path) }
    let error = #expect(throws: VarveError.self) { try Store.open(Run.options(disk, ManualClock())) }
    #expect(error?.code == .corruption && error?.place == "/sim/db/wal")
    #expect(try !StoreVerifier.verify(directory: "/sim/db", files: disk).isSound)

    let report = try StoreRepair.repair(Run.options(disk, ManualClock()))
    #expect(report.log?.lostCommits == [Sequence(rawValue: 2)...Sequence(rawValue: 2)], "\(report.lines)")
    #expect(try StoreVerifier.verify(directory: "/sim/db", files: disk).isSound)
    let store = try Store.open(Run.options(disk, ManualClock()))
    #expect(try Model.reading(store).rowCount == 1)
    let again = ModelDelete(table: "t", host: "h1", time: .all)
    _ = try store.commit([Request.delete(again, then: []).forStore(store)])[0].get()
    #expect(try Model.reading(store).rowCount == 0)
    try store.close()
  }

  /// Whatever a workload leaves: compacted whole it is the same, sound, in one generation a partition without tombstones,
  /// and needs no log.
  @Test(arguments: 1...(seedCount * 2)) func compactedWholeAStoreHoldsWhatItHeld(seed: Int) throws {
    let workload = Workload(seed: UInt64(5000 + seed), stepCount: 60)
    let disk = SimulatedFileSystem()
    let run = Run(workload, disk)
    #expect(run.error == nil, "seed \(seed)")
    let store = try Store.open(workload.options(disk))
    try store.compactAll()
    #expect(try Model.reading(store) == run.last, "seed \(seed)")
    let state = store.published.withLock { $0 }
    #expect(state.tombstones.all.isEmpty && store.manifest?.state.tombstones.isEmpty == true, "seed \(seed)")
    for chunk in state.chunks.all.map(\.metadata) {
      let partition = state.chunks[chunk.table].chunks(in: chunk.partition)
      #expect(chunk.level == .full && CompactionPicker.generations(of: partition.map(\.metadata)).count == 1)
    }
    #expect(store.logByteCount == 0)
    try store.close()
    #expect(!disk.paths.contains { $0.hasSuffix(".wal") })
    let report = try StoreVerifier.verify(directory: "/sim/db", files: disk)
    #expect(report.isSound && report.orphans.isEmpty, "seed \(seed): \(report.lines)")
    #expect(try Model.reading(try Store.open(workload.options(disk))) == run.last, "seed \(seed)")
  }

  @Test func generationsOfLikeSizeAreMergedAndNulsAndAbsentCellsStayApart() throws {
    // Not closed: the newest rows of the partition are in memory.
    var model = Model()
    for number in 0..<4 {
      let rows = [
        row(0, 1, number % 2 == 0 ? ["a": .integer(Int64(number))] : ["b": .null]),
        row(number, Int64(number + 2), ["b": .integer(Int64(number)), "a": .null]),
      ]
      try seal(rows)
      for row in rows { model.write(row) }
    }
    let late = row(9, 50, ["a": .integer(1)])
    _ = try store.commit([.write(batches([late]))])[0].get()
    model.write(late)
    let task = try #require(store.pickCompaction())
    #expect(!task.isFull && task.inputs.count == 4)
    let written = try store.write(task)
    #expect(try store.install(written))
    #expect(chunks().map(\.level) == [.merged])
    #expect(chunks()[0].firstSequence.rawValue == 1 && chunks()[0].lastSequence.rawValue == 4)
    #expect(try Model.reading(store) == model)
    #expect(store.pickCompaction() == nil)
    // The explicit null of commit 4 still hides what an older chunk would have had.
    try store.compactAll()
    #expect(chunks().map(\.level) == [.full])
    #expect(try Model.reading(store) == model)
  }

  @Test func deletesBecomeRealAndTheirTombstonesGo() throws {
    try seal((0..<10).map { row($0 % 2, Int64($0), ["v": .integer(1)]) })
    try delete(0)
    try seal([row(0, 2, ["v": .integer(2)])])
    #expect(tombstoneCount == 1 && store.manifest?.state.tombstones.count == 1)
    let before = store.snapshot()
    let expected = try Model.reading(store)
    try store.compactAll()
    #expect(tombstoneCount == 0 && store.manifest?.state.tombstones.isEmpty == true)
    #expect(chunks().map(\.rowCount) == [6])
    #expect(try Model.reading(store) == expected)
    #expect(try Model.reading(before) == expected)
    #expect(disk.paths.filter { $0.hasSuffix(".chunk") }.count == 1)
  }

  @Test func whatIsDeletedWholeLeavesNoChunk() throws {
    try seal((0..<10).map { row($0 % 2, Int64($0), ["v": .integer(1)]) })
    try delete(nil)
    let task = try #require(store.pickCompaction())
    #expect(try store.install(try store.write(task)))
    #expect(chunks().isEmpty && tombstoneCount == 0)
    #expect(!disk.paths.contains { $0.hasSuffix(".chunk") })
  }

  /// A delete that comes while a compaction writes covers what it has written.
  @Test func aDeleteDuringACompactionIsNotLost() throws {
    try seal([row(0, 1, ["v": .integer(1)]), row(1, 1, ["v": .integer(1)])])
    try seal([row(0, 2, ["v": .integer(1)])])
    let table = try #require(store.snapshot().table(named: "t"))
    let task = try #require(store.pickFullCompaction(of: table.id))
    let written = try store.write(task)
    try delete(0)
    #expect(try store.install(written))
    #expect(try Model.reading(store).rowCount == 1 && tombstoneCount == 1)
    try store.compactAll()
    #expect(chunks().map(\.rowCount) == [1])
  }

  /// In the weaker sync modes a crash may lose the last commits, but not one before a delete whose rows are gone.
  @Test func whatACompactionMakesRealIsDurable() throws {
    let disk = SimulatedFileSystem()
    var options = Run.options(disk, ManualClock())
    options.sync = .off
    let store = try Store.open(options)
    try seal([row(0, 1, ["v": .integer(1)])], store)
    _ = try store.commit([.write(batches([row(1, 5, ["v": .integer(1)])]))])[0].get()
    let delete = try Request.delete(ModelDelete(table: "t", host: "h0", time: .all), then: []).forStore(store)
    _ = try store.commit([delete])[0].get()
    let expected = try Model.reading(store)
    let task = try #require(store.pickCompaction())
    #expect(try store.install(try store.write(task)))
    let crashed = disk.afterCrash(.nothing, seed: 1)
    options.fileSystem = crashed
    #expect(try Model.reading(try Store.open(options)) == expected)
  }

  @Test func aTableThatIsDroppedMeanwhileStaysDropped() throws {
    try seal([row(0, 1, ["v": .integer(1)])])
    let table = try #require(store.snapshot().table(named: "t"))
    let task = try #require(store.pickFullCompaction(of: table.id))
    _ = try store.commit([.dropTable("t")])[0].get()
    let written = try store.write(task)
    #expect(try !store.install(written))
    #expect(!disk.paths.contains { $0.hasSuffix(".chunk") })
    #expect(store.failure == nil && store.maintenanceStatistics.compaction.failures == 0)
  }

  @Test func aDamagedChunkIsNamedOnceAndTheRestGoesOn() throws {
    try seal([row(0, 1, ["v": .integer(1)])])
    try seal([row(0, -1, ["v": .integer(1)])])
    let path = try #require(disk.paths.first { $0.hasSuffix(".chunk") })
    // In the first page.
    disk.flip(path, bit: 100 * 8)
    let error = #expect(throws: VarveError.self) { try store.compactAll() }
    #expect(error?.code == .corruption && error?.place?.hasPrefix(path) == true)
    #expect(chunks().map(\.level).sorted() == [.sealed, .full])
    let table = try #require(store.snapshot().table(named: "t"))
    #expect(store.pickFullCompaction(of: table.id) == nil)
    #expect(store.maintenanceStatistics.compaction.failures == 1 && store.failure == nil)
    try seal([row(5, 1 << 50, ["v": .integer(1)])])
  }

  /// One partition that cannot be compacted holds up no other, and gets its turn again.
  @Test func whatFailsIsPutOffAndTheRestGoesOn() throws {
    let clock = ManualClock()
    let store = try Store.open(Run.options(disk.restart(), clock))
    for day in 0..<3 { try seal([row(0, Int64(day) * 86_400_000_000_000, ["v": .integer(1)])], store) }
    let first = try #require(store.pickCompaction()).partition
    let error = VarveError(.inputOutput, "read: Input/output error")
    #expect(store.postpone(first, error))
    let second = try #require(store.pickCompaction()).partition
    #expect(second != first)
    #expect(store.postpone(second, VarveError(.diskFull, "no room")))
    let third = try #require(store.pickCompaction()).partition
    #expect(![first, second].contains(third))
    // Want of room is told once for all.
    #expect(!store.postpone(third, VarveError(.diskFull, "no room")) && store.pickCompaction() == nil)
    let table = try #require(store.snapshot().table(named: "t")).id
    #expect(store.pickFullCompaction(of: table)?.partition == first, "who asks is not put off")
    clock.advance(nanoseconds: 30_000_000_000)
    #expect(store.pickCompaction()?.partition == first)
    #expect(!store.postpone(first, error))
    clock.advance(nanoseconds: 30_000_000_000)
    #expect(store.pickCompaction()?.partition == second, "the longer for each time")
  }

  /// Damage of a chunk is passed by; that of the manifest would be met again for ever.
  @Test func whatEndsTheStoreEndsTheCompaction() throws {
    try seal([row(0, 1, ["v": .integer(1)])])
    let damage = VarveError(.corruption, "the manifest is damaged")
    var tries = 0
    let error = #expect(throws: VarveError.self) {
      try store.compactWhole(nil, pace: { _ in }) { _ in
        tries += 1
        if tries > 3 { throw VarveError(.cancelled, "again and again") }
        store.fail(damage)
        throw damage
      }
    }
    #expect(error?.code == .corruption && tries == 1)
  }

  /// A merge must not take the room that sealing needs; one that makes room needs none.
  @Test func whatTheDiskHasNoRoomForIsNotBegun() throws {
    try seal(
      (0..<3000).map { row($0 % 3, Int64($0), ["v": .integer(Int64(bitPattern: UInt64($0) &* 0x9E37_79B9_7F4A_7C15))]) }
    )
    let used = disk.paths.reduce(0) { $0 + (disk.contents($1)?.count ?? 0) }
    let needed = chunks()[0].byteCount + 2 * store.options.segmentByteCount
    disk.set(capacity: used + needed - 1)
    let paths = disk.paths
    #expect(#expect(throws: VarveError.self) { try store.compactAll() }?.code == .diskFull)
    #expect(disk.paths == paths && store.maintenanceStatistics.compaction.failures == 1)
    disk.set(capacity: used + needed)
    let task = try #require(store.pickCompaction())
    try store.discard(store.write(task))
    disk.set(capacity: used + needed - 1)
    try delete(nil)
    try store.compactAll()
    #expect(chunks().isEmpty)
  }

  /// What no snapshot holds needs no descriptor when it goes.
  @Test func inputsThatNobodyReadsAreNotOpenedAgain() throws {
    for number in 0..<3 { try seal([row(number, 1, ["v": .integer(1)])]) }
    let table = try #require(store.snapshot().table(named: "t")).id
    disk.startTrace()
    let pick = { store.pickFullCompaction(of: table) }
    #expect(try store.compactOnce(pick, pace: { _ in }, install: { try store.install($0) })?.isInstalled == true)
    let calls = disk.trace
    let edit = try #require(calls.lastIndex { $0.contains(".manifest") })
    #expect(!calls[edit...].contains { $0.hasPrefix("open") && $0.hasSuffix(".chunk") })
    #expect(calls[edit...].filter { $0.hasPrefix("remove") && $0.hasSuffix(".chunk") }.count == 3)
  }

  /// Nothing of a compaction is left when it ends early, and the same one succeeds later.
  @Test func aCompactionThatIsStoppedLeavesNothing() throws {
    try seal((0..<30_000).map { row($0 % 3, Int64($0), ["v": .integer(Int64($0))]) })
    try seal([row(0, 7, ["v": .integer(-1)])])
    let expected = try Model.reading(store)
    let table = try #require(store.snapshot().table(named: "t"))
    let task = try #require(store.pickFullCompaction(of: table.id))
    var blocks = 0
    let error = #expect(throws: VarveError.self) {
      try store.write(task) { _ in
        blocks += 1
        if blocks == 2 { throw VarveError(.cancelled, "enough") }
      }
    }
    #expect(error?.code == .cancelled)
    #expect(disk.paths.filter { $0.hasSuffix(".chunk") }.count == 2)
    #expect(try store.install(try store.write(task)))
    #expect(try Model.reading(store) == expected)
    let statistics = store.maintenanceStatistics
    #expect(statistics.compaction.runs == 1 && statistics.writeAmplification ?? 0 > 1.5)
  }

  /// A partition that fills several files: they are one generation, and later rows of any of them win.
  @Test func aLargePartitionBecomesSeveralChunksOfOneGeneration() throws {
    var options = Run.options(disk.restart(), ManualClock())
    options.compactedChunkByteCount = 1
    let store = try Store.open(options)
    let rows = (0..<40_000).map { row($0 % 2, Int64($0), ["v": .integer(Int64($0))]) }
    try seal(rows, store)
    try store.compactAll()
    let first = chunks(store)
    #expect(first.count > 1 && CompactionPicker.generations(of: first).count == 1)
    try seal([row(0, 100, ["v": .integer(-1)]), row(1, 39_999, ["v": .integer(-2)])], store)
    func check() throws {
      let cells = try #require(try Model.reading(store).tables["t"])
      #expect(cells.count == 40_000)
      #expect(cells[row(0, 100, [:]).identity] == ["v": .integer(-1)])
      #expect(cells[row(1, 39_999, [:]).identity] == ["v": .integer(-2)])
    }
    try check()
    try store.compactAll()
    #expect(CompactionPicker.generations(of: chunks(store)).count == 1)
    try check()
  }

  /// Who asks for all gets what there is room for, and is told of the rest.
  @Test func whatThereIsNoRoomForIsLeftAndTheOthersAreDone() throws {
    let day: Int64 = 86_400_000_000_000
    func noise(_ number: Int) -> Cell { .integer(Int64(bitPattern: UInt64(number) &* 0x9E37_79B9_7F4A_7C15)) }
    for number in 0..<2 {
      let large = (0..<3000).map { row($0 % 3, day + Int64($0 + number), ["v": noise($0)]) }
      try seal([row(0, Int64(number), ["v": noise(1)])] + large + [row(0, 2 * day + Int64(number), ["v": noise(2)])])
    }
    let expected = try Model.reading(store)
    let largest = try #require(chunks().map(\.byteCount).max())
    let used = disk.paths.reduce(0) { $0 + (disk.contents($1)?.count ?? 0) }
    disk.set(capacity: used + largest + 2 * store.options.segmentByteCount)
    let error = #expect(throws: VarveError.self) { try store.compactAll() }
    #expect(error?.code == .diskFull && error?.place == "/sim/db/chunks")
    #expect(error?.message.hasSuffix("; 2 partitions were compacted, 1 are left as they are: \"t\" 1") == true)
    #expect(chunks().filter { $0.partition == 1 }.map(\.level) == [.sealed, .sealed])
    #expect(chunks().filter { $0.partition != 1 }.map(\.level) == [.full, .full])
    disk.releaseSpace()
    try store.compactAll()
    #expect(chunks().map(\.level) == [.full, .full, .full])
    #expect(try Model.reading(store) == expected)
  }

  /// Partitions that cannot be compacted now cost a pass one look each.
  @Test func aPassLooksAtEachPartitionOnce() throws {
    let day: Int64 = 86_400_000_000_000
    try seal((-20..<20).map { row(0, Int64($0) * day, ["v": .integer(1)]) })
    let table = try #require(store.snapshot().table(named: "t")).id
    var pass = CompactionPass(store)
    var seen: [Int64] = []
    while let task = store.pickCompaction(&pass) {
      seen.append(task.partition.index)
      #expect(store.postpone(task.partition, VarveError(.diskFull, "no room")) == (seen.count == 1))
      pass.skip()
    }
    #expect(seen == Array(-20..<20))
    pass = CompactionPass(store)
    #expect(store.pickCompaction(&pass) == nil)
    // A partition is stayed with until nothing is left to do there.
    var whole = CompactionPass(store, table: table)
    let first = try #require(store.pickFullCompaction(&whole))
    #expect(try store.install(store.write(first)))
    whole.didCompact()
    #expect(store.pickFullCompaction(&whole)?.partition.index == -19)
  }
}

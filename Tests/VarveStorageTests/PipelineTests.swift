import Foundation
import Synchronization
import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// The threads around the store: many writers, seals in between, and an end at any time.
@Suite struct PipelineTests {
  private func options(_ disk: SimulatedFileSystem, sync: SyncMode = .always) -> StoreOptions {
    var options = Run.options(disk, ManualClock())
    options.sync = sync
    options.segmentByteCount = 64 << 10
    options.sealByteCount = 20_000
    return options
  }

  private func row(_ writer: Int, _ number: Int) -> ModelRow {
    ModelRow(
      table: "t", identity: Identity(tags: ["w": "\(writer)"], time: Int64(number)),
      fields: ["v": .integer(Int64(number))])
  }

  @Test(arguments: [SyncMode.always, .interval(milliseconds: 5), .off])
  func whatManyWritersWroteIsThereAcrossSealsAndReopening(sync: SyncMode) throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(options(disk, sync: sync))
    let pipeline = CommitPipeline(store)
    let threads = (0..<4).map { writer in
      WorkerThread(name: "writer") {
        for number in 0..<150 {
          do {
            let result = try pipeline.write(.write(batches([row(writer, number)])), byteCount: 100)
            #expect(result.first?.rowsWritten == 1)
            if writer == 0, number % 50 == 49 { try pipeline.flush() }
          } catch {
            Issue.record("writer \(writer), row \(number): \(error)")
          }
        }
      }
    }
    for thread in threads { thread.join() }
    pipeline.close()
    try store.close()
    let again = try Store.open(options(disk.restart()))
    let found = try Model.reading(again).tables["t"]
    #expect(found?.count == 600)
    #expect(disk.paths.contains { $0.hasSuffix(".chunk") }, "the head was sealed on the way")
  }

  @Test func aClosedPipelineAnswersEveryRequest() throws {
    let store = try Store.open(options(SimulatedFileSystem()))
    let pipeline = CommitPipeline(store)
    let answers = Mutex(0)
    for number in 0..<200 {
      pipeline.submit(batches([row(0, number)]), from: IngestWriter(.embedded)) { _ in answers.withLock { $0 += 1 } }
      if number == 100 { pipeline.close() }
    }
    #expect(answers.withLock { $0 } == 200)
    #expect(throws: VarveError.self) { try pipeline.flush() }
    try store.close()
  }

  @Test func noCommitWaitsForTheFilesThatACompactionRemoves() throws {
    let held = HeldFileSystem(disk: SimulatedFileSystem(), holding: .removal)
    var options = options(held.disk)
    options.fileSystem = held
    let store = try Store.open(options)
    let pipeline = CommitPipeline(store)
    for number in 0..<3 {
      _ = try pipeline.write(.write(batches([row(0, number)])))
      try pipeline.flush()
    }
    let compaction = WorkerThread(name: "compaction") {
      do { try pipeline.compact(table: nil, check: {}) } catch { Issue.record("the compaction: \(error)") }
    }
    #expect(held.isHolding(), "a compaction removes its inputs")
    let answer = Gate<CommitOutcome?>(nil)
    pipeline.submit(.write(batches([row(0, 3)])), from: IngestWriter(.embedded)) { outcome in
      answer.update { $0 = outcome }
    }
    #expect(try answer.wait(milliseconds: 20_000) { $0 }?.get().first?.rowsWritten == 1)
    #expect(held.disk.paths.count { $0.hasSuffix(".chunk") } == 4, "three inputs and what became of them")
    held.release()
    compaction.join()
    #expect(held.disk.paths.count { $0.hasSuffix(".chunk") } == 1)
    pipeline.close()
    #expect(try Model.reading(store).tables["t"]?.count == 4)
    try store.close()
  }

  @Test func withoutRoomToSealWritersAreRefusedUntilThereIsSome() throws {
    let disk = SimulatedFileSystem()
    var options = options(disk)
    options.sealByteCount = 3_000
    options.clock = SystemClock()
    let store = try Store.open(options)
    let pipeline = CommitPipeline(store)
    disk.set(capacity: 40_000)
    var stored = Set<Int>()
    var refusals = 0
    for number in 0..<4000 where refusals < 5 {
      do {
        _ = try pipeline.write(.write(batches([row(0, number)])))
        stored.insert(number)
      } catch let error as VarveError {
        #expect(error.code == .diskFull)
        refusals += 1
      }
    }
    #expect(refusals == 5)
    let heads = store.headByteCounts
    #expect(heads.active + heads.sealing < 4 * options.sealByteCount, "memory stays within its bound")
    disk.releaseSpace()
    try pipeline.flush()
    for number in 5000..<5050 {
      _ = try pipeline.write(.write(batches([row(0, number)])))
      stored.insert(number)
    }
    pipeline.close()
    #expect(Set(try Model.reading(store).tables["t"]?.keys.map { Int($0.time) } ?? []) == stored)
    try store.close()
  }

  @Test func aDefinitionThatFoundNoRoomDoesNotComeTrueLater() throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(options(disk))
    _ = try store.commit([.write(batches([row(0, 1)]))])[0].get()
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .diskFull, forGood: true))
    var refused = false
    for number in 0..<3000 where !refused {
      if case .failure(let error) = store.commit([.write(batches([row(1, number)]))])[0] {
        refused = error.code == .diskFull
      }
    }
    #expect(refused)
    #expect(throws: VarveError.self) { try store.commit([.dropTable("t")])[0].get() }
    #expect(throws: VarveError.self) {
      try store.commit([.createTable(TableDefinition(name: "u", tags: [], fields: []))])[0].get()
    }
    disk.releaseSpace()
    _ = try store.commit([.write(batches([row(2, 1)]))])[0].get()
    #expect(store.snapshot().table(named: "t") != nil && store.snapshot().table(named: "u") == nil)
    _ = try store.commit([.createTable(TableDefinition(name: "u", tags: [], fields: []))])[0].get()
    try store.close()
  }

  @Test func aRecordLargerThanASegmentKeepsTheLogInOrder() throws {
    let disk = SimulatedFileSystem()
    var options = options(disk)
    options.segmentByteCount = 4096
    options.spareSegments = 2
    var random = SeededRandom(seed: 7)
    let store = try Store.open(options)
    var model = Model()
    for round in 0..<12 {
      let rows = (0..<(round % 3 == 2 ? 400 : 3)).map { number in
        ModelRow(
          table: "t", identity: Identity(tags: ["w": "a"], time: Int64(round * 1000 + number)),
          fields: ["v": .double(random.next() >> 2)])
      }
      _ = try store.commit([.write(batches(rows))])[0].get()
      for row in rows { model.write(row) }
      if round % 4 == 1 { try store.sealAll() }
      let again = try Store.open(Run.options(disk.afterCrash(.nothing, seed: 1), ManualClock()))
      #expect(try Model.reading(again) == model, "round \(round)")
    }
    try store.close()
  }
}

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
      pipeline.submit(batches([row(0, number)])) { _ in answers.withLock { $0 += 1 } }
      if number == 100 { pipeline.close() }
    }
    #expect(answers.withLock { $0 } == 200)
    #expect(throws: VarveError.self) { try pipeline.flush() }
    try store.close()
  }

  @Test func withoutRoomToSealWritersWaitAndGoOnWhenThereIsSome() throws {
    let disk = SimulatedFileSystem()
    var options = options(disk)
    options.sealByteCount = 3_000
    options.clock = SystemClock()
    let store = try Store.open(options)
    let pipeline = CommitPipeline(store, saturationByteCount: 2_000)
    _ = try pipeline.write(.write(batches([row(0, 0)])))
    disk.set(capacity: 0)
    let answered = Mutex<[Bool]>([])
    for number in 1...120 {
      pipeline.submit(batches([row(0, number)])) { outcome in
        let isStored = if case .success = outcome { true } else { false }
        answered.withLock { $0.append(isStored) }
      }
    }
    // The active and the sealing head fill up; then nothing more is committed.
    for _ in 0..<1000 where !pipeline.isSaturated { Thread.sleep(forTimeInterval: 0.01) }
    #expect(pipeline.isSaturated)
    let heads = store.headByteCounts
    #expect(heads.active + heads.sealing < 4 * options.sealByteCount)
    disk.releaseSpace()
    try pipeline.flush()
    for _ in 0..<1000 where answered.withLock({ $0.count }) < 120 { Thread.sleep(forTimeInterval: 0.01) }
    let stored = answered.withLock { $0.filter { $0 }.count }
    pipeline.close()
    #expect(try Model.reading(store).rowCount == stored + 1)
    #expect(stored == 120, "lack of room to seal refuses nobody")
    try store.close()
  }
}

import Synchronization
import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// A snapshot reads its moment, whatever comes after it, and a failing disk fails the query that met it.
@Suite struct SnapshotTests {
  private struct Held {
    weak var store: Store?
    let snapshot: Snapshot
    let model: Model
  }

  @Test(arguments: 1...seedCount) func aSnapshotReadsItsMomentWhateverComesLater(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var held: [Held] = []
    var count = 0
    let run = Run(Workload(seed: UInt64(2000 + seed), stepCount: 40), SimulatedFileSystem()) { store, model in
      // A snapshot lives no longer than its process.
      held.removeAll { $0.store !== store }
      for each in held where random.chance(30) {
        let found = try Model.reading(each.snapshot)
        #expect(found == each.model, "seed \(seed)")
        count += 1
      }
      if held.count == 5 { held.remove(at: Int(random.next() % 5)) }
      held.append(Held(store: store, snapshot: store.snapshot(), model: model))
    }
    #expect(run.error == nil && count > 5, "seed \(seed): \(String(describing: run.error)), \(count) reads")
  }

  /// Each call of a read fails once: the error names the file, the same snapshot reads on, and the store takes more.
  @Test(arguments: 1...3) func aReadErrorFailsItsQueryAndNothingElse(seed: Int) throws {
    let workload = Workload(seed: UInt64(3000 + seed), stepCount: 16)
    let disk = SimulatedFileSystem()
    let run = Run(workload, disk)
    #expect(run.error == nil)
    let store = try Store.open(workload.options(disk))
    try store.sealAll()
    try store.close()
    let plain = disk.clone()
    let before = try opened(plain, workload)
    let first = plain.callCount
    _ = try Model.reading(before)
    let calls = plain.callCount - first
    #expect(calls > 3, "chunks are read")
    for call in 1...calls {
      let disk = disk.clone()
      let store = try opened(disk, workload)
      let snapshot = store.snapshot()
      disk.set(fault: Fault(call: disk.callCount + call, kind: .inputOutput))
      let error = #expect(throws: VarveError.self) { try Model.reading(snapshot) }
      #expect(
        error?.code == .inputOutput && error?.place?.hasPrefix("/sim/db/chunks/") == true,
        "\(String(describing: error))")
      #expect(try Model.reading(snapshot) == run.last && store.failure == nil)
      _ = try store.commit([Request.create("another", .init(), partitionNanoseconds: 1 << 40).forStore(store)])[0].get()
    }
  }

  private func opened(_ disk: SimulatedFileSystem, _ workload: Workload) throws -> Store {
    try Store.open(workload.options(disk))
  }

  /// Whatever call of the engine fails, what was published stays readable, exactly.
  @Test(arguments: 1...2) func readsGoOnAfterAnyFailure(seed: Int) throws {
    let workload = Workload(seed: UInt64(4000 + seed), stepCount: 14)
    let plain = SimulatedFileSystem()
    plain.startTrace()
    _ = Run(workload, plain)
    for (index, call) in plain.trace.enumerated()
    where ["write", "sync", "rename", "remove"].contains(where: call.hasPrefix) {
      let disk = SimulatedFileSystem()
      disk.set(fault: Fault(call: index + 1, kind: .inputOutput))
      var last: (store: Store, model: Model)?
      let run = Run(workload, disk) { store, model in last = (store, model) }
      // The run may have failed while it opened the store anew.
      guard let last, last.store.failure?.code != .closed else { continue }
      let found = try Model.reading(last.store)
      #expect(run.states.contains(found) && (found == run.last || last.model == found), "seed \(seed), \(call)")
    }
  }

  /// One thread writes, drops and seals, others read at any moment: each sees some commit, whole.
  @Test func readersOnOtherThreadsSeeWholeCommits() throws {
    var options = Run.options(SimulatedFileSystem(), ManualClock())
    options.sealByteCount = 6_000
    let store = try Store.open(options)
    let pipeline = CommitPipeline(store)
    let models = Mutex<[Sequence: Model]>([.zero: Model()])
    let isDone = Mutex(false)
    let readers = (0..<2).map { _ in
      Reader(store) { isDone.withLock { $0 } }
    }
    var model = Model()
    var random = SeededRandom(seed: 5)
    for number in 0..<400 {
      let request: Request =
        number % 60 == 59
        ? .drop("t\(random.next() % 2)")
        : number % 20 == 19 && model.schemas["t0"] != nil
          ? .delete(
            ModelDelete(table: "t0", host: nil, time: TimeRange(lower: 0, upper: Int64(random.next() % 50))), then: [])
          : .write(
            (0..<3).map { _ in
              ModelRow(
                table: "t\(random.next() % 2)",
                identity: Identity(tags: ["h": "h\(random.next() % 4)"], time: Int64(random.next() % 50)),
                fields: ["v": .integer(Int64(number)), "s": .text("text \(number)")])
            })
      let result = try pipeline.write(try request.forStore(store))
      _ = request.apply(to: &model)
      let sequence = try #require(result.first?.sequence)
      models.withLock { [model] in $0[sequence] = model }
      if number % 100 == 99 { try pipeline.flush() }
    }
    isDone.withLock { $0 = true }
    let seen = readers.flatMap { $0.finish() }
    pipeline.close()
    try store.close()
    #expect(Set(seen.map(\.sequence)).count > 3, "readers saw the store while it changed")
    for each in seen { #expect(models.withLock { $0[each.sequence] } == each.model, "at \(each.sequence)") }
  }

  private final class Reader: Sendable {
    private let seen = Mutex<[(sequence: Sequence, model: Model)]>([])
    private let errors = Mutex<[String]>([])
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ store: Store, until isDone: @escaping @Sendable () -> Bool) {
      let thread = WorkerThread(name: "reader") { [self] in
        repeat {
          let snapshot = store.snapshot()
          do {
            let model = try Model.reading(snapshot)
            seen.withLock { $0.append((snapshot.sequence, model)) }
          } catch { errors.withLock { $0.append("\(snapshot.sequence): \(error)") } }
        } while !isDone()
      }
      self.thread.withLock { $0 = thread }
    }

    func finish() -> [(sequence: Sequence, model: Model)] {
      thread.withLock { $0 }?.join()
      let errors = errors.withLock { $0 }
      #expect(errors.isEmpty, "\(errors.prefix(3))")
      return seen.withLock { $0 }
    }
  }
}

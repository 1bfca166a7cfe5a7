import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct FaultTests {
  /// Each call fails, once or from then on; then the process ends, or the machine does.
  @Test(arguments: 1...seedCount)
  func anyFailingCallLosesNoAcknowledgedRow(seed: Int) throws {
    let workload = Workload(seed: UInt64(seed), stepCount: 14)
    let plain = SimulatedFileSystem()
    let reference = Run(workload, plain)
    #expect(reference.error == nil)
    for call in 1...plain.callCount {
      for kind in [Fault.Kind.inputOutput, .shortWrite, .diskFull] {
        for forGood in [false, true] {
          try check(
            workload, Fault(call: call, kind: kind, forGood: forGood),
            "seed \(seed), call \(call), \(kind), for good: \(forGood)")
        }
      }
    }
  }

  private func check(_ workload: Workload, _ fault: Fault, _ label: String) throws {
    let disk = SimulatedFileSystem()
    disk.set(fault: fault)
    let run = Run(workload, disk)
    for (number, next) in [
      disk.afterCrash(.chance, seed: UInt64(fault.call)), disk.afterCrash(.nothing, seed: 0), disk.restart(),
    ].enumerated() {
      do {
        let store = try Store.open(Run.options(next, ManualClock()))
        let found = try Model.reading(store)
        let acknowledged = run.models[run.models.count - 1]
        #expect(
          found == acknowledged || found == run.uncertain,
          "\(label), ending \(number): \(found.rowCount) rows, \(acknowledged.rowCount) acknowledged")
        let again = try Store.open(Run.options(next.afterCrash(.nothing, seed: 1), ManualClock()))
        #expect(try Model.reading(again) == found, "\(label), ending \(number): what recovery showed was not durable")
      } catch {
        Issue.record("\(label), ending \(number): \(error)")
      }
    }
  }

  @Test func afterAFailedSyncNothingIsAcceptedAndReadsGoOn() throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    let row = ModelRow(table: "t", identity: Identity(tags: ["h": "a"], time: 1), fields: ["v": .integer(1)])
    _ = try store.commit([.write(batches([row]))])[0].get()
    // The next calls are the record's write and its sync.
    disk.set(fault: Fault(call: disk.callCount + 2, kind: .inputOutput))
    for _ in 0..<3 {
      var later = row
      later.identity.time = 2
      let outcome = store.commit([.write(batches([later]))])[0]
      #expect(throws: VarveError.self) { try outcome.get() }
    }
    #expect(store.failure?.code == .readOnly)
    #expect(try Model.reading(store).rowCount == 1)
  }

  @Test func aFullDiskRefusesWritesUntilThereIsRoom() throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    var model = Model()
    var refused = 0
    disk.set(capacity: 24_000)
    for number in 0..<400 {
      if number == 300 { disk.releaseSpace() }
      let row = ModelRow(
        table: "t", identity: Identity(tags: ["h": "a\(number % 5)"], time: Int64(number)),
        fields: ["s": .text("text \(number)")])
      switch store.commit([.write(batches([row]))])[0] {
      case .success: model.write(row)
      case .failure(let error):
        #expect(error.code == .diskFull)
        refused += 1
      }
    }
    #expect(refused > 0 && refused < 300)
    #expect(try Model.reading(store) == model)
    try store.close()
    let again = try Store.open(Run.options(disk.afterCrash(.nothing, seed: 1), ManualClock()))
    #expect(try Model.reading(again) == model)
  }
}

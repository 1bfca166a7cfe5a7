import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct FaultTests {
  /// Each call fails, once or from then on; then the process ends, or the machine does.
  @Test(arguments: 1...max(2, seedCount / 2))
  func anyFailingCallLosesNoAcknowledgedRow(seed: Int) {
    let workload = Workload(seed: UInt64(seed), stepCount: 14)
    let plain = SimulatedFileSystem()
    plain.startTrace()
    let reference = Run(workload, plain)
    #expect(reference.error == nil, "seed \(seed)")
    for (index, call) in plain.trace.enumerated() {
      for fault in Self.faults(of: call, number: index + 1) {
        check(workload, fault, "seed \(seed), \(call) (\(fault))")
      }
    }
  }

  /// The faults that differ for a call: what only reads cannot write short or find the disk full.
  private static func faults(of call: String, number: Int) -> [Fault] {
    var faults = [Fault(call: number, kind: .inputOutput)]
    if ["read", "exists", "size", "byteCount", "list", "lock", "open read"].contains(where: { call.hasPrefix($0) }) {
      return faults
    }
    if call.hasPrefix("write") { faults.append(Fault(call: number, kind: .shortWrite)) }
    return faults + [
      Fault(call: number, kind: .inputOutput, forGood: true), Fault(call: number, kind: .diskFull, forGood: true),
      Fault(call: number, kind: .noRoomToChange),
    ]
  }

  private func check(_ workload: Workload, _ fault: Fault, _ label: String) {
    let disk = SimulatedFileSystem()
    disk.set(fault: fault)
    let run = Run(workload, disk)
    if let error = run.error, error.code == .query { Issue.record("\(label): \(error)") }
    let crashed = disk.afterCrash(fault.call % 2 == 0 ? .chance : .nothing, seed: UInt64(fault.call))
    for (ending, next) in [("crash", crashed), ("restart", disk.restart())] {
      if let violation = run.violation(next, step: .max) { Issue.record("\(label), \(ending): \(violation)") }
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

import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct CrashTests {
  /// Before each I/O call of the workload the machine stops; what the disk then holds is opened and read.
  @Test(arguments: 1...seedCount)
  func aCrashAtAnyCallLosesNoAcknowledgedRow(seed: Int) {
    let count = checkAllMoments(Workload(seed: UInt64(seed)), "seed \(seed)")
    #expect(count > 150, "the workload is long enough to say something")
  }

  /// In the weaker modes the last commits may be lost, and nothing else: what is left is what some commit left, not
  /// older than the last sync, seal or opening.
  @Test(arguments: [SyncMode.interval(milliseconds: 5), .off], 1...max(2, seedCount / 2))
  func inTheWeakerModesACrashLeavesAPrefixOfTheCommits(sync: SyncMode, seed: Int) {
    let count = checkAllMoments(Workload(seed: UInt64(1000 + seed), sync: sync), "\(sync), seed \(1000 + seed)")
    #expect(count > 100, "the workload is long enough to say something")
  }

  private func checkAllMoments(_ workload: Workload, _ label: String) -> Int {
    let disk = SimulatedFileSystem()
    disk.startHistory()
    let run = Run(workload, disk)
    #expect(run.error == nil, "\(label)")
    var campaign = CrashCampaign(run)
    for (number, moment) in disk.takeHistory().enumerated() {
      if let violation = campaign.violation(moment.disk, step: moment.mark, seed: UInt64(number)) {
        Issue.record("\(label), moment \(number): \(violation)")
      }
    }
    print("simulation: \(label), \(campaign.stateCount) crash states")
    return campaign.stateCount
  }

  /// Killed while it makes the directory, then left in peace till the machine stops: the directory must be there.
  @Test func anInterruptedCreationLosesNothingThatCameLater() {
    let disk = SimulatedFileSystem()
    disk.startHistory()
    _ = Run(Workload(seed: 1, stepCount: 0), disk)
    for (number, moment) in disk.takeHistory().enumerated() {
      let next = moment.disk.restart()
      let run = Run(Workload(seed: 2, stepCount: 4), next)
      #expect(run.error == nil)
      let violation = run.violation(next.afterCrash(.nothing, seed: 1), step: .max)
      #expect(violation == nil, "moment \(number)")
    }
  }

  /// The recovery from a crash crashes too, at each of its calls, and so does the recovery from that.
  @Test(arguments: 1...seedCount)
  func aCrashDuringRecoveryLosesNothingEither(seed: Int) {
    let disk = SimulatedFileSystem()
    disk.startHistory()
    let run = Run(Workload(seed: UInt64(seed), stepCount: 12), disk)
    var random = SeededRandom(seed: UInt64(seed))
    for (number, moment) in disk.takeHistory().enumerated() where random.chance(12) {
      var state = moment.disk.afterCrash(.chance, seed: random.next())
      for depth in 1...3 {
        state.startHistory()
        if let violation = run.violation(state, step: moment.mark) {
          Issue.record("seed \(seed), moment \(number), depth \(depth): \(violation)")
        }
        guard let next = state.takeHistory().randomElement(using: &random) else { break }
        state = next.disk.afterCrash(.chance, seed: random.next())
      }
    }
  }

  /// Life goes on after a crash, on the same disk, until the next one: what one life leaves behind (stale records,
  /// spare segments, orphans) must not come back in a later one.
  @Test(arguments: 1...(seedCount * 2))
  func manyLivesOnOneDiskKeepTheirPromises(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    var disk = SimulatedFileSystem()
    var model = Model()
    var count = 0
    for life in 1...8 {
      let label = "seed \(seed), life \(life)"
      disk.startHistory()
      let sync: SyncMode = random.chance(25) ? .off : .always
      let run = Run(Workload(seed: random.next(), stepCount: 10, sync: sync), disk, start: model)
      #expect(run.error == nil, "\(label)")
      var campaign = CrashCampaign(run)
      // Until the opening is done, what the life before left unsynced may still go.
      let moments = disk.takeHistory().enumerated().filter { $1.mark != Run.opening && random.chance(10) }
      for (number, moment) in moments {
        if let violation = campaign.violation(moment.disk, step: moment.mark, seed: random.next(), chances: 1) {
          Issue.record("\(label), moment \(number): \(violation)")
        }
      }
      count += campaign.stateCount
      let end = moments.randomElement(using: &random)?.element.disk ?? disk
      disk = random.chance(70) ? end.afterCrash(.chance, seed: random.next()) : end.restart()
      let next = disk.clone()
      model = try Model.reading(try Store.open(run.workload.options(next)))
    }
    print("simulation: seed \(seed), eight lives, \(count) crash states")
  }
}

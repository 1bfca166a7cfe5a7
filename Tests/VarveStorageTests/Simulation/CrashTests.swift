import Foundation
import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Seeds of a campaign: VARVE_SIMULATION_SEEDS widens it.
let seedCount = Int(ProcessInfo.processInfo.environment["VARVE_SIMULATION_SEEDS"] ?? "") ?? 7

@Suite struct CrashTests {
  /// Before each I/O call of the workload the machine stops; what the disk then holds is opened and read.
  @Test(arguments: 1...seedCount)
  func aCrashAtAnyCallLosesNoAcknowledgedRow(seed: Int) throws {
    let disk = SimulatedFileSystem()
    disk.startHistory()
    let workload = Workload(seed: UInt64(seed))
    let run = Run(workload, disk)
    #expect(run.error == nil, "seed \(seed)")
    var states = 0
    for (call, moment) in disk.takeHistory().enumerated() {
      for (variant, survival) in [Survival.nothing, .everything, .chance, .chance, .chance].enumerated() {
        let crashSeed = UInt64(call * 8 + variant)
        checkRecovery(
          moment.disk.afterCrash(survival, seed: crashSeed), run, workload, step: moment.mark,
          "seed \(seed), call \(call), \(survival) \(crashSeed)")
        states += 1
      }
      // A killed process loses nothing that it wrote, but what it had not synced is still in doubt.
      checkRecovery(moment.disk.clone(), run, workload, step: moment.mark, "seed \(seed), call \(call), killed")
      states += 1
    }
    print("simulation: seed \(seed), \(states) crash states")
    #expect(states > 300, "the workload is long enough to say something")
  }

  /// The recovery from a crash crashes too, at each of its calls, and so does the recovery from that.
  @Test(arguments: 1...seedCount)
  func aCrashDuringRecoveryLosesNothingEither(seed: Int) throws {
    let disk = SimulatedFileSystem()
    disk.startHistory()
    let workload = Workload(seed: UInt64(seed), stepCount: 12)
    let run = Run(workload, disk)
    var random = SeededRandom(seed: UInt64(seed))
    for (call, moment) in disk.takeHistory().enumerated() where random.chance(12) {
      var state = moment.disk.afterCrash(.chance, seed: random.next())
      for depth in 1...3 {
        state.startHistory()
        let label = "seed \(seed), call \(call), depth \(depth)"
        checkRecovery(state, run, workload, step: moment.mark, label)
        let moments = state.takeHistory()
        guard let next = moments.randomElement(using: &random) else { break }
        state = next.disk.afterCrash(.chance, seed: random.next())
      }
    }
  }
}

/// Opens the disk: the store must hold the acknowledged steps, and may hold the one under way, whole. What it shows once
/// it must show again after another crash.
func checkRecovery(_ disk: SimulatedFileSystem, _ run: Run, _ workload: Workload, step: Int, _ label: String) {
  if let violation = violation(disk, run, workload, step: step) { Issue.record("\(label): step \(step): \(violation)") }
}

/// What the disk breaks of that, in words; nil if nothing.
func violation(_ disk: SimulatedFileSystem, _ run: Run, _ workload: Workload, step: Int) -> String? {
  let acknowledged = run.models[min(step, run.models.count - 1)]
  var next = acknowledged
  if step < workload.steps.count { next.apply(workload.steps[step]) }
  do {
    let found = try Model.reading(try Store.open(Run.options(disk, ManualClock())))
    guard found == acknowledged || found == next else {
      return "\(found.rowCount) rows found, \(acknowledged.rowCount) acknowledged"
    }
    let again = disk.afterCrash(.nothing, seed: 0)
    guard try Model.reading(try Store.open(Run.options(again, ManualClock()))) == found else {
      return "what recovery showed was not durable"
    }
    return nil
  } catch {
    return "\(error)"
  }
}

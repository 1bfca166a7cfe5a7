// Crash states of a run: what the disk may look like after the machine stopped at some moment, each opened and held
// against the model.

import Foundation
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Seeds of a campaign: VARVE_SIMULATION_SEEDS widens it.
let seedCount = Int(ProcessInfo.processInfo.environment["VARVE_SIMULATION_SEEDS"] ?? "") ?? 8

struct CrashCampaign {
  let run: Run
  /// States that were opened; equal ones once.
  private(set) var stateCount = 0
  private var seen = Set<[Int]>()

  init(_ run: Run) { self.run = run }

  /// What a stop of the machine or the process at this moment breaks, in words; nil if nothing.
  mutating func violation(_ disk: SimulatedFileSystem, step: Int, seed: UInt64, chances: Int = 3) -> String? {
    for variant in 0..<(2 + chances) {
      let survival: Survival = variant == 0 ? .nothing : variant == 1 ? .everything : .chance
      let crashSeed = seed &* 8 &+ UInt64(variant)
      let ending = disk.afterCrash(survival, seed: crashSeed)
      guard seen.insert([ending.fingerprint, step]).inserted else { continue }
      stateCount += 1
      // The second opening costs as much as the first; every other state is enough of them.
      if let found = run.violation(ending, step: step, checkAgain: stateCount % 2 == 0) {
        return "step \(step), \(survival) \(crashSeed): \(found)"
      }
    }
    // A killed process loses nothing that it wrote, but what it had not synced is still in doubt.
    stateCount += 1
    return run.violation(disk.clone(), step: step).map { "step \(step), killed: \($0)" }
  }
}

extension Run {
  /// Opens the disk: the store must hold what is sure at `step`, and may hold what is under way, commit by commit. What
  /// it shows once it must show again after another crash.
  func violation(_ disk: SimulatedFileSystem, step: Int, checkAgain: Bool = true) -> String? {
    do {
      let allowed = allowed(at: step)
      let found = try Model.reading(try Store.open(workload.options(disk)))
      guard allowed.contains(found) else {
        return "\(found.rowCount) rows of \(found.schemas.count) tables found, which is none of the "
          + "\(allowed.count) allowed states (\(allowed.map { "\($0.rowCount) rows of \($0.schemas.count) tables" }))"
      }
      let again = disk.afterCrash(.nothing, seed: 0)
      guard try !checkAgain || Model.reading(try Store.open(workload.options(again))) == found else {
        return "what recovery showed was not durable"
      }
      return nil
    } catch {
      return "\(error)"
    }
  }
}

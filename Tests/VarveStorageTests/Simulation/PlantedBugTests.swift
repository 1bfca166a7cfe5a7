import Testing
import VarveIO
import VarveSimulator
import VarveStorage

/// The harness is only worth what it catches: with a bug planted, the crash campaign must find a lost row or a store
/// that does not open.
@Suite struct PlantedBugTests {
  /// Each is a sync that the engine makes and that would be forgotten: of a file, by the name it was opened under, or of
  /// a directory.
  @Test(arguments: [".wal", ".wal.new", ".manifest.new", ".chunk", ".series", "/wal", "/chunks", "/manifest", "/series", "/db"])
  func aForgottenSyncIsCaught(suffix: String) {
    for seed in 1...40 {
      let disk = SimulatedFileSystem()
      disk.skipSyncs(of: suffix)
      disk.startHistory()
      let workload = Workload(seed: UInt64(seed))
      let run = Run(workload, disk)
      for (call, moment) in disk.takeHistory().enumerated() {
        let endings = [
          moment.disk.afterCrash(.nothing, seed: 0), moment.disk.afterCrash(.chance, seed: UInt64(call)), moment.disk.clone(),
        ]
        for ending in endings where violation(ending, run, workload, step: moment.mark) != nil { return }
      }
    }
    Issue.record("forty campaigns without a sync of \(suffix), and nothing was missed")
  }
}

import Testing
import VarveIO
import VarveSimulator
import VarveStorage

/// The harness is only worth what it catches: with a bug planted, the crash campaign must find a lost row or a store
/// that does not open. (Bugs of other kinds are planted by Tools/planted-bugs.)
@Suite struct PlantedBugTests {
  /// Each is a sync that the engine makes and that would be forgotten: of a file, by the name it was opened under, or
  /// of a directory.
  @Test(arguments: [
    ".wal", ".wal.new", ".manifest.new", ".chunk", ".series", ".dimension", "/wal", "/chunks", "/manifest", "/series",
    "/dimensions", "/db",
    "/sim",
  ])
  func aForgottenSyncIsCaught(suffix: String) {
    for seed in 1...40 {
      let disk = SimulatedFileSystem()
      disk.skipSyncs(of: suffix)
      disk.startHistory()
      var campaign = CrashCampaign(Run(Workload(seed: UInt64(seed)), disk))
      for (number, moment) in disk.takeHistory().enumerated() {
        if campaign.violation(moment.disk, step: moment.mark, seed: UInt64(number), chances: 1) != nil { return }
      }
    }
    Issue.record("forty campaigns without a sync of \(suffix), and nothing was missed")
  }
}

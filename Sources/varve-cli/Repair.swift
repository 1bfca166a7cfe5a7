// `varve repair`: gives up what is damaged so that the rest can be used.

import ArgumentParser
import VarveCompute
import VarveCore
import VarveIO
import VarveServer
import VarveStorage

struct Repair: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Give up what is damaged, name what is lost, and keep the rest.",
    discussion: """
      Damaged files are moved to the directory's quarantine folder, never deleted, with a record of what was lost. \
      A damaged manifest or series file cannot be repaired. `varve verify` shows beforehand what is damaged. No server \
      may have the directory open.
      """)

  @OptionGroup var location: DataOption

  func run() throws {
    let options = StoreOptions(directory: location.directory, fileSystem: PosixFileSystem(), clock: SystemClock())
    do {
      let report = try StoreRepair.repair(options, timeText: Self.time)
      try StandardStreams.write(report.lines.joined(separator: "\n") + "\n")
    } catch var error as VarveError where error.code == .directoryLocked {
      error.hint = "a server has it open: stop the server first"
      throw error
    }
  }

  /// UTC.
  private static func time(_ nanoseconds: Int64) -> String {
    do {
      return try TypeText.string(
        .timestamp(nanoseconds), type: .timestamptz, context: EvaluationContext(now: nanoseconds))
    } catch {
      // A time that has no text is still a number.
      return String(nanoseconds)
    }
  }
}

// `varve verify`: every byte read, every checksum and every rule between files checked.

import ArgumentParser
import VarveCore
import VarveIO
import VarveServer
import VarveStorage

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read every byte, check every checksum and every rule between files.",
    discussion: "Names what is damaged, and exits with 1 if anything is. No server may have the directory open.")

  @OptionGroup var location: DataOption

  @Flag(help: "Name each file that was read.")
  var verbose = false

  func run() throws {
    let report: VerifyReport
    do {
      report = try StoreVerifier.verify(directory: location.directory, files: PosixFileSystem())
    } catch var error as VarveError where error.code == .directoryLocked {
      error.hint = "a server has it open: stop the server first"
      throw error
    }
    if verbose {
      for file in report.files { try StandardStreams.write("\(file.kind) \(file.path): \(file.byteCount) bytes\n") }
    }
    try StandardStreams.write(report.lines.joined(separator: "\n") + "\n")
    if !report.isSound { throw ExitCode.failure }
  }
}

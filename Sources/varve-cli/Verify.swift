// `varve verify`: every byte read, every checksum and every rule between files checked.

import ArgumentParser
import VarveCore
import VarveIO
import VarveServer
import VarveStorage

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read every byte, check every checksum and every rule between files.",
    discussion: """
      Names what is damaged, and exits with 1 if anything is. Works on a directory that no server holds open, or with \
      --connect in a server, which checks the files of that moment and goes on serving.
      """)

  @OptionGroup var place: PlaceOption

  @Flag(help: "Name each file that was read.")
  var verbose = false

  func validate() throws {
    if place.archive.isGiven {
      throw ValidationError("varve verify reads what is in the directory; `varve archive verify` reads the archive.")
    }
  }

  func run() throws {
    let isSound = try place.server().map { try verify($0) } ?? verify(place.location.directory)
    if !isSound { throw ExitCode.failure }
  }

  private func verify(_ directory: String) throws -> Bool {
    let report: VerifyReport
    do {
      report = try StoreVerifier.verify(directory: directory, files: PosixFileSystem())
    } catch var error as VarveError where error.code == .directoryLocked {
      error.hint = "a server has it open: go through it with --connect, or stop it first"
      throw error
    }
    if verbose {
      for file in report.files { try StandardStreams.write("\(file.kind) \(file.path): \(file.byteCount) bytes\n") }
    }
    try StandardStreams.write(report.lines.joined(separator: "\n") + "\n")
    return report.isSound
  }

  /// A row a problem, a row a file, and one that sums up: kind, file, bytes, message.
  private func verify(_ server: PostgresClient) throws -> Bool {
    var isSound = true
    for row in try server.rows("CALL verify()") where row.count == 4 {
      let (kind, file, bytes, message) = (row[0] ?? "", row[1] ?? "", row[2] ?? "", row[3] ?? "")
      switch kind {
      case "damaged":
        isSound = false
        try StandardStreams.write("DAMAGED \(file): \(message)\n")
      case "summary": try StandardStreams.write(message + "\n")
      default: if verbose { try StandardStreams.write("\(kind) \(file): \(bytes) bytes\n") }
      }
    }
    return isSound
  }
}

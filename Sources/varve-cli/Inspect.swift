// `varve inspect`: any file of the format in human terms.

import ArgumentParser
import VarveCore
import VarveIO
import VarveServer
import VarveStorage

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print files of a data directory in human terms.",
    discussion: "Takes chunks, log segments, manifests and series files; changes nothing and needs no lock.")

  @Argument(help: ArgumentHelp("Files to print.", valueName: "file"), completion: .file())
  var files: [String]

  func run() throws {
    var hasFailed = false
    for path in files {
      if files.count > 1 { try StandardStreams.write("\(path)\n") }
      do {
        let lines = try FileInspector.describe(path, files: PosixFileSystem())
        try StandardStreams.write(lines.joined(separator: "\n") + "\n")
      } catch let error as VarveError {
        StandardStreams.note(Failure.text(error))
        hasFailed = true
      }
    }
    if hasFailed { throw ExitCode.failure }
  }
}

// `varve flush`: rows from memory and log into chunk files.

import ArgumentParser
import Varve
import VarveCore
import VarveServer

struct Flush: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write all rows to chunk files, so that the next start has no log to replay.",
    discussion: "Works on a directory that no server holds open; a server does the same by itself (--seal-age).")

  @OptionGroup var location: DataOption

  func run() throws {
    let database = try Database.openForCommand(location.directory)
    do {
      try database.writer().flush()
    } catch {
      try database.closeBlocking()
      throw error
    }
    let sequence = database.store.sequence.rawValue
    try database.closeBlocking()
    try StandardStreams.write("flushed \(location.directory) up to commit \(sequence)\n")
  }
}

// `varve flush`: rows from memory and log into chunk files.

import ArgumentParser
import Varve
import VarveCore
import VarveServer

struct Flush: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write all rows to chunk files, so that the next start has no log to replay.",
    discussion: """
      Works on a directory that no server holds open, or through the server with --connect. A server does the same by \
      itself from time to time (--seal-age).
      """)

  @OptionGroup var place: PlaceOption

  func run() throws {
    if let server = try place.server() {
      let commit = try server.rows("CALL flush()").first?.first ?? nil
      return try StandardStreams.write("flushed up to commit \(commit ?? "0")\n")
    }
    let directory = place.location.directory
    let database = try place.open()
    let commit: UInt64
    do {
      commit = try database.flushBlocking().rawValue
    } catch {
      try database.closeBlocking()
      throw error
    }
    try database.closeBlocking()
    try StandardStreams.write("flushed \(directory) up to commit \(commit)\n")
  }
}

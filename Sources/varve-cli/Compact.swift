// `varve compact`: chunk files merged into few and small ones.

import ArgumentParser
import Varve
import VarveCore
import VarveServer
import VarveStorage

struct Compact: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Merge the chunk files of each partition into the smallest form, without deleted rows.",
    discussion: """
      Works on a directory that no server holds open, and leaves no log there; or through the server with --connect. A \
      server does the same by itself with partitions whose time is over (--compaction).
      """)

  @OptionGroup var place: PlaceOption

  @Option(help: "Only this table.")
  var table: String?

  func run() throws {
    if let server = try place.server() {
      for row in try server.rows("CALL compact_chunks(\(table.map(quotedSQL) ?? ""))") {
        try show(row.map { $0 ?? "" })
      }
      return
    }
    let database = try place.open()
    let reports: [CompactionReport]
    do {
      reports = try database.compactBlocking(table: table) {}
    } catch {
      try database.closeBlocking()
      throw error
    }
    try database.closeBlocking(releasingLog: true)
    for report in reports {
      try show(
        [report.table]
          + [report.chunksBefore, report.chunksAfter, report.bytesBefore, report.bytesAfter].map { String($0) })
    }
  }

  /// As `CALL compact_chunks()` gives it: the table, chunks before and after, bytes before and after.
  private func show(_ row: [String]) throws {
    guard row.count == 5 else {
      throw VarveError(.unsupported, "the server answers CALL compact_chunks() with \(row.count) columns instead of 5")
    }
    func chunks(_ count: String) -> String { count == "1" ? "1 chunk" : "\(count) chunks" }
    try StandardStreams.write(
      "\(row[0]): \(chunks(row[1])), \(row[3]) bytes → \(chunks(row[2])), \(row[4]) bytes\n")
  }
}

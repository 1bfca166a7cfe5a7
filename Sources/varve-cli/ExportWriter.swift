// Where an export goes, and how far it is.

import VarveCore
import VarveServer
import VarveWire

final class ExportWriter {
  private let file: AtomicFile?
  private var progress = Progress(byteCount: nil)
  private(set) var rowCount = 0
  private(set) var byteCount = 0

  /// `-` is standard output.
  init(_ path: String, replaces: Bool) throws { file = path == "-" ? nil : try AtomicFile(path, replaces: replaces) }

  /// Runs a COPY … TO STDOUT, and keeps what it gives if all of it came.
  func run(_ sql: String, _ connection: any SQLConnection) throws {
    connection.copyOutput = { try self.write($0) }
    defer { connection.copyOutput = nil }
    let sink = TagSink()
    try connection.run(sql, into: sink)
    progress.end()
    rowCount = sink.rowCount
    try file?.commit()
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    if let file { try file.write(bytes) } else { try StandardStreams.write(bytes) }
    byteCount += bytes.count
    progress.advance(by: bytes.count, rows: nil)
  }
}

/// Hears how many rows a COPY had.
private final class TagSink: ResultSink {
  private(set) var rowCount = 0

  func begin(_ columns: [ResultColumn]) {}
  func row(_ row: ResultRow) {}
  func end(tag: String) { rowCount = tag.split(separator: " ").last.flatMap { Int($0) } ?? 0 }
  func notice(_ notice: PostgresError) { StandardStreams.note(Failure.text(notice, in: nil)) }
}

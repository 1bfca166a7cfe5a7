// `varve status`: what a directory holds.

import ArgumentParser
import Varve
import VarveCompute
import VarveCore
import VarveIO
import VarveServer
import VarveStorage
import VarveWire

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show tables, rows, bytes, bytes a value and the log.",
    discussion: """
      Opens the directory for reading only, so it works beside a running server: it shows what is durable. With \
      --connect it asks a server, also on another machine, for its tables, its rollups, and for what sealing, compaction, \
      checkpoints of its manifest and jobs have done since it was started (varve.maintenance and varve.jobs in SQL).
      """)

  @OptionGroup var place: PlaceOption

  @Option(help: "How tables are printed: table, csv, json or line.")
  var format: RowFormat = .table

  private static let columns: [(name: String, isNumber: Bool)] = [
    ("table", false), ("series", true), ("rows", true), ("rows in memory", true), ("partitions", true),
    ("chunks", true),
    ("chunk bytes", true), ("chunk values", true), ("bytes a value", true), ("from", false), ("to", false),
    ("archived rows", true), ("object bytes", true),
  ]

  private static let query = """
    SELECT table_name AS "table", series, rows, head_rows AS "rows in memory", partitions, chunks, \
    chunk_bytes AS "chunk bytes", round(bytes_per_value::numeric, 3) AS "bytes a value", \
    first_time AS "from", last_time AS "to", archived_rows AS "archived rows", \
    archived_bytes AS "object bytes" FROM varve.tables ORDER BY table_name
    """

  private static let maintenanceQuery = """
    SELECT task, runs, failures, rows, read_bytes AS "bytes read", written_bytes AS "bytes written", seconds, \
    due_bytes AS "bytes due", last_run AS "last run", last_error AS "last error" FROM varve.maintenance
    """

  private static let jobsQuery = """
    SELECT id, job, table_name AS "table", schedule, last_run AS "last run", last_seconds AS "seconds", \
    next_run AS "next run", runs, failures, last_error AS "last error", paused FROM varve.jobs \
    WHERE table_name IS NOT NULL ORDER BY id
    """

  private static let rollupsQuery = """
    SELECT name AS "rollup", source, bucket, materialized_to AS "materialized to", lag, \
    invalid_ranges AS "invalid ranges", rows, bytes FROM varve.rollups ORDER BY name
    """

  func run() throws {
    if let server = try place.server() {
      try server.run(Self.query, into: format.sink { _ in })
      // What programs read is one result.
      guard format == .table else { return }
      try server.run(Self.maintenanceQuery, into: format.sink { _ in })
      try showRollups(server)
      return
    }
    let database = try place.open(readOnly: true)
    do {
      try show(database)
    } catch {
      try database.closeBlocking()
      throw error
    }
    try database.closeBlocking()
  }

  /// Nothing where there are none.
  private func showRollups(_ connection: any SQLConnection) throws {
    for query in [Self.rollupsQuery, Self.jobsQuery] {
      let found = try connection.rows(query)
      if !found.isEmpty { try connection.run(query, into: format.sink { _ in }) }
    }
  }

  private func show(_ database: Database) throws {
    let snapshot: any ReadSnapshot = database.store.snapshot()
    let sink = format.sink { _ in }
    try sink.begin(
      Self.columns.map { ResultColumn(name: $0.name, typeOID: $0.isNumber ? 20 : 25, typeSize: $0.isNumber ? 8 : -1) })
    var total = TableStatistics()
    let tables = snapshot.tables()
    for table in tables {
      let statistics = snapshot.statistics(of: table.id)
      total.rows += statistics.rows
      total.headRows += statistics.headRows
      total.chunks += statistics.chunks
      total.chunkBytes += statistics.chunkBytes
      total.chunkValues += statistics.chunkValues
      total.archivedChunks += statistics.archivedChunks
      total.archivedRows += statistics.archivedRows
      total.objectBytes += statistics.objectBytes
      try sink.row(texts: [
        table.name, "\(statistics.series)", "\(statistics.rows)", "\(statistics.headRows)", "\(statistics.partitions)",
        "\(statistics.chunks)", "\(statistics.chunkBytes)", "\(statistics.chunkValues)", Self.bytesPerValue(statistics),
        try statistics.time.map { try Self.time($0.lower) }, try statistics.time.map { try Self.time($0.upper) },
        "\(statistics.archivedRows)", "\(statistics.objectBytes)",
      ])
    }
    try sink.end(tag: "SELECT \(tables.count)")
    guard format == .table else { return }
    let due = database.store.maintenanceReport
    let perValue = Self.bytesPerValue(total).map { ", \($0) bytes a value" } ?? ""
    try StandardStreams.write(
      """
      rows: \(total.rows), of which \(total.headRows) in memory and log only
      chunks: \(total.chunks) files, \(total.chunkBytes) bytes\(perValue)
      \(Self.archiveLine(total, tables, snapshot))\
      log: \(try Self.logByteCount(database.store.directory)) bytes, preallocated segments included
      due: \(due.unsealedByteCount) bytes to seal, \(due.uncompactedByteCount) bytes to compact
      last commit: \(database.store.sequence.rawValue)

      """)
    try showRollups(EmbeddedSQLConnection(DatabaseBackend(database)))
  }

  /// Nothing where nothing is archived. Of the chunks' bytes those of stubs stand for objects.
  private static func archiveLine(
    _ total: TableStatistics, _ tables: [TableSchema], _ snapshot: any ReadSnapshot
  ) -> String {
    guard total.archivedChunks > 0 else { return "" }
    let stubs = tables.flatMap { snapshot.chunks(of: $0.id) }.filter(\.isArchived).reduce(0) { $0 + $1.bytes }
    return
      "archive: \(total.archivedRows) rows in \(total.archivedChunks) objects, \(total.objectBytes) bytes; \(stubs) bytes "
      + "of chunks stand for them\n"
  }

  /// Of the files: a log that is open for reading only is not asked for its length.
  private static func logByteCount(_ directory: String) throws -> Int {
    let (files, folder) = (PosixFileSystem(), StorePaths(root: directory).log)
    return try files.list(folder).reduce(0) { $0 + (try files.byteCount("\(folder)/\($1)")) }
  }

  private static func bytesPerValue(_ statistics: TableStatistics) -> String? {
    guard statistics.chunkValues > 0 else { return nil }
    let bytes = statistics.chunkBytes + statistics.objectBytes
    let thousandths = (bytes * 1000 + statistics.chunkValues / 2) / statistics.chunkValues
    return "\(thousandths / 1000).\(String(1000 + thousandths % 1000).dropFirst())"
  }

  /// UTC.
  private static func time(_ nanoseconds: Int64) throws -> String {
    try TypeText.string(.timestamp(nanoseconds), type: .timestamptz, context: EvaluationContext(now: nanoseconds))
  }
}

extension ResultSink {
  /// A row of texts; nil is NULL.
  func row(texts: [String?]) throws {
    let bytes = Buffer<UInt8>()
    var cells: [Range<Int>?] = []
    for text in texts {
      guard var text else {
        cells.append(nil)
        continue
      }
      let start = bytes.count
      text.withUTF8 { bytes.append($0) }
      cells.append(start..<bytes.count)
    }
    try row(ResultRow(bytes: bytes.span, cells: cells))
  }
}

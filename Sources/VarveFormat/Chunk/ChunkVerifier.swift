// Reads everything in a chunk and holds it against itself: every checksum, every page decoded, rows in order and in
// the partition, counts, zone maps and summaries as recomputed from the values.

import VarveCore

package enum ChunkVerifier {
  /// Everything that is wrong; empty for a sound chunk. Damage to header, footer or index hides what lies behind it
  /// and is then the only entry; damaged pages are each named. Errors of `read` that are not `.corruption` are thrown
  /// on: they say nothing about the chunk.
  package static func verify(
    fileByteCount: Int, file: FileID?, place: String, read: (PageReference) throws -> [UInt8]
  ) throws -> [VarveError] {
    var found: [VarveError] = []
    func collect(_ body: () throws -> Void) throws {
      do {
        try body()
      } catch let error as VarveError where error.code == .corruption || error.code == .unsupportedVersion {
        found.append(error)
      }
    }
    var contents: ChunkContents?
    try collect {
      contents = try ChunkContents.open(fileByteCount: fileByteCount, file: file, place: place, read: read)
    }
    guard let contents else { return found }
    let id = contents.identity.file
    var previous: (series: SeriesID, time: Int64)?
    var summaries = contents.index.summaries.map { SummaryCheck($0, contents, place) }
    for block in contents.index.rowBlocks {
      let before = found.count
      var rows: (runs: [SeriesRun], times: Buffer<Int64>)?
      var fields: [(id: ColumnID, column: FieldColumn)] = []
      try collect {
        let runs = try read(block.seriesPage).withUnsafeBytes {
          try RowBlockReader.decodeSeries($0, block: block, file: id, place: place)
        }
        let times = try read(block.timesPage).withUnsafeBytes {
          try RowBlockReader.decodeTimes($0, block: block, file: id, place: place)
        }
        try placed("\(place), row block at byte \(block.seriesPage.offset)") {
          guard RowBlock(runs: runs, times: times, fields: []).isWellFormed,
            previous.map({ ($0.series, $0.time) < (block.firstSeries, times[0]) }) ?? true
          else { throw VarveError(.corruption, "rows are out of order") }
          guard times.span.min() == block.time.lower, times.span.max() == block.time.upper else {
            throw VarveError(.corruption, "the index has another time range than the rows")
          }
        }
        previous = (block.lastSeries, times[times.count - 1])
        rows = (runs, times)
      }
      for field in block.fields {
        try collect {
          try read(field.page).withUnsafeBytes { raw in
            let column = try RowBlockReader.decodeField(raw, field: field, block: block, file: id, place: place)
            try check(column, field, place)
            fields.append((field.column, column))
          }
        }
      }
      // Summaries of rows that cannot be read are not held against them.
      guard found.count == before, let rows else {
        summaries?.giveUp()
        continue
      }
      try summaries?.add(RowBlock(runs: rows.runs, times: rows.times, fields: fields), read: read)
    }
    try summaries?.finish(read: read)
    return found + (summaries?.found ?? [])
  }

  /// The same over a whole file in memory.
  package static func verify(_ bytes: [UInt8], file: FileID?, place: String) throws -> [VarveError] {
    try verify(fileByteCount: bytes.count, file: file, place: place) {
      Array(bytes[$0.offset..<($0.offset + $0.byteCount)])
    }
  }

  private static func check(_ column: FieldColumn, _ field: FieldPage, _ place: String) throws {
    let values = Buffer<UInt64>(capacity: column.count)
    var nulls = 0
    for row in 0..<column.count {
      switch column.state(row) {
      case .value: values.append(column.words[row])
      case .null: nulls += 1
      case .absent: break
      }
    }
    let zone = ZoneMap(type: column.type, values: values.span, nullCount: nulls)
    guard isSame(zone, field.zone) else {
      throw VarveError(
        .corruption, "the zone map of column \(field.column.rawValue) is not that of its values",
        place: "\(place), page at byte \(field.page.offset)")
    }
    guard column.type == .text else { return }
    for row in 0..<column.count where column.state(row) == .value {
      guard String(validating: column.bytes(row), as: UTF8.self) != nil else {
        throw VarveError(
          .corruption, "a string of column \(field.column.rawValue) is not UTF-8",
          place: "\(place), page at byte \(field.page.offset)")
      }
    }
  }

  /// Equal, where a NaN's payload in a sum may be another processor's.
  private static func isSame(_ a: ZoneMap, _ b: ZoneMap) -> Bool {
    guard a.doubleSum.isNaN && b.doubleSum.isNaN else { return a == b }
    var b = b
    b.doubleSum = 0
    var a = a
    a.doubleSum = 0
    return a == b
  }
}

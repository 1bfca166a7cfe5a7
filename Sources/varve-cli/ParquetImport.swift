// Parquet in `varve import`: read from the end, so from files alone.

import VarveArchive
import VarveCore
import VarveIO
import VarveServer
import VarveWire

struct ParquetImport {
  private let file: ParquetFile
  private let byteCount: Int
  private var points: ParquetPoints

  init(_ path: String, _ options: ParquetPointOptions) throws {
    guard path != "-" else {
      throw VarveError(
        .unsupported, "Parquet is not read from standard input: it begins at its end", hint: "Give a file.")
    }
    let source = try FileSource(path)
    byteCount = source.byteCount
    do {
      file = try ParquetFile(source)
      points = try ParquetPoints(file, options)
    } catch var error as VarveError {
      error.place = error.place ?? path
      throw error
    }
  }

  mutating func load(into target: some ImportTarget, _ report: ImportReport, _ progress: inout Progress) throws {
    var shown = 0
    while let batch = try points.next() {
      var rejected = RejectionSummary()
      rejected.count = batch.rejections.count
      rejected.rejections = batch.rejections
      report.reject(rejected)
      if batch.points.rowCount > 0 {
        try target.write(SourceBatch(points: batch.points, lineBase: batch.lineBase))
      }
      // Its rows stand for its bytes.
      let done = Int(Double(byteCount) * Double(points.rowCount) / Double(max(1, file.metadata.rowCount)))
      progress.advance(by: max(0, done - shown), rows: report.rowsWritten)
      shown = max(shown, done)
    }
    try target.finish()
    report.end(lines: points.rowCount)
  }
}

/// A file that is read by range.
private final class FileSource: ParquetSource {
  private let file: any File
  let byteCount: Int

  init(_ path: String) throws {
    file = try PosixFileSystem().open(path, .read)
    byteCount = try file.byteCount()
  }

  deinit { file.close() }

  func read(_ range: Range<Int>) throws -> [UInt8] { try file.read(count: range.count, at: range.lowerBound) }
}

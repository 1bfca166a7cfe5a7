// What Parquet costs: reads a file, whole and checked, then writes its rows again, on one core each; and what they take.
//
//   swift run -c release parquet-benchmark FILE…                         such as `varve export` makes
//   swift run -c release parquet-benchmark [--to DIRECTORY] CHUNK|DATA…  chunks, those of databases too, as the objects
//                                                                        of an archive

import Foundation
import VarveArchive
import VarveCore

/// Of the processor: other processes do not count.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = clock()
  try body()
  return Double(clock() - start) / Double(CLOCKS_PER_SEC)
}

/// Eight bytes a value, and those of its text.
private func byteCount(_ vector: ParquetVector) -> Int {
  guard vector.bytes != nil else { return vector.count * 8 }
  return (0..<vector.count).reduce(0) { $0 + (vector.isPresent($1) ? vector.bytes($1).count : 0) }
}

var paths = Array(CommandLine.arguments.dropFirst())
var directory: String?
if paths.count > 1, paths[0] == "--to" {
  directory = paths[1]
  paths.removeFirst(2)
}
let chunks = paths.filter { !$0.hasSuffix(".parquet") }
if !chunks.isEmpty { try measureObjects(chunks, directory: directory) }
for path in paths where path.hasSuffix(".parquet") {
  let file = try ParquetFile(ParquetBytes(Array(try Data(contentsOf: URL(fileURLWithPath: path)))))
  let columns = file.metadata.columns
  var batches: [[ParquetVector]] = []
  let reading = try seconds {
    var rows = ParquetRows(file, columns: Array(columns.indices))
    while let batch = try rows.next() { batches.append(batch) }
  }
  let size = batches.reduce(0) { $0 + $1.reduce(0) { $0 + byteCount($1) } }
  let rowCount = batches.reduce(0) { $0 + $1[0].count }
  var written = 0
  let writing = seconds {
    let writer = ParquetWriter(columns)
    for batch in batches {
      writer.append(batch)
      written += writer.takeBytes().count
    }
    writer.finish()
    written += writer.takeBytes().count
  }
  let values = rowCount * columns.count
  print(
    path, "\(rowCount) rows, \(columns.count) columns, \(size >> 20) MB of values",
    String(format: "read %.0f MB/s, written %.0f MB/s", Double(size) / reading / 1e6, Double(size) / writing / 1e6),
    String(format: "%d bytes, %.4f a value", written, Double(written) / Double(max(values, 1))), separator: "\n  ")
}

// A Parquet file, all of it: footer, indexes, pages, and its rows as points.

import VarveArchive
import VarveCore

@Sendable func fuzzParquet(_ bytes: [UInt8]) {
  attempt {
    let file = try ParquetFile(ParquetBytes(bytes))
    for group in file.metadata.rowGroups.indices {
      for column in file.metadata.columns.indices {
        attempt { _ = try file.pageLocations(group: group, column: column) }
        attempt { _ = try file.columnIndex(group: group, column: column) }
      }
    }
    attempt {
      var rows = ParquetRows(file, columns: Array(file.metadata.columns.indices), rowLimit: 1000)
      while let batch = try rows.next() {
        for vector in batch where vector.bytes != nil {
          for row in 0..<vector.count where vector.isPresent(row) { _ = vector.bytes(row).count }
        }
      }
    }
    attempt {
      var options = ParquetPointOptions(table: "t")
      options.tagColumns = ["s"]
      var points = try ParquetPoints(file, options)
      while try points.next() != nil {}
    }
  }
}

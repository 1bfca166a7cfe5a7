// A Parquet file, written front to back as pure bytes: row groups as they fill up, then the indexes of all pages, then the
// footer. Rows wait in memory until their row group is full; of what was written only the metadata is kept.
//
//   append … append → takeBytes → append … finish → takeBytes
//
// FORMAT.md, "Parquet", says what is in the files that Varve writes. Used by one thread at a time.

import VarveCore
import VarveFormat

package final class ParquetWriter {
  package struct Options: Sendable {
    /// A row group is written at so many rows, or when so many bytes of its values wait.
    package var rowGroupRowCount = 1 << 20
    package var rowGroupByteCount = 64 << 20
    package var pageRowCount = Limits.rowBlockRowCount
    package var pageByteCount = 1 << 20
    package var compressionLevel: Int32 = 3
    /// In the form that readers look for versions in.
    package var createdBy = "varve version 1.0.0 (build 1)"
    package var keyValues: [(key: String, value: String)] = []
    package var sorting: [ParquetSorting] = []
    /// Columns that the file does not have if each of their values is 0, such as what is left of times beyond their
    /// microseconds.
    package var omittedWhenZero: Set<Int> = []
    package init() {}
  }

  private static let magic = Array("PAR1".utf8)

  private let columns: [ParquetColumn]
  private let options: Options
  private var waiting: [ColumnValues]
  private var out = ByteWriter()
  /// Bytes that were taken.
  private var takenByteCount = 0
  private var metadata: ParquetMetadata
  private var encoded: [[EncodedChunk]] = []
  private var hasEnded = false
  package private(set) var rowCount = 0

  package init(_ columns: [ParquetColumn], _ options: Options = Options()) {
    precondition(!columns.isEmpty, "a file has columns")
    self.columns = columns
    self.options = options
    waiting = columns.map { ColumnValues($0) }
    metadata = ParquetMetadata(columns: columns)
    out.append(Self.magic)
  }

  /// Adds rows: a vector a column, all of the same length.
  package func append(_ vectors: [ParquetVector]) {
    precondition(!hasEnded && vectors.count == columns.count, "a vector a column, before the end")
    let count = vectors[0].count
    for vector in vectors { precondition(vector.count == count, "columns of a batch have its length") }
    var start = 0
    while start < count {
      let end = min(count, start + options.rowGroupRowCount - waiting[0].rowCount)
      for (values, vector) in zip(waiting, vectors) { values.append(vector, rows: start..<end) }
      let size = waiting.reduce(0) { $0 + $1.byteCount }
      if waiting[0].rowCount == options.rowGroupRowCount || size >= options.rowGroupByteCount { endRowGroup() }
      start = end
    }
    rowCount += count
  }

  /// Memory of the rows that wait, and of what was not taken.
  package var heldByteCount: Int { waiting.reduce(out.count) { $0 + $1.byteCount } }

  /// Rows that come next stand in another row group.
  package func endRowGroup() {
    guard waiting[0].rowCount > 0 else { return }
    var group = ParquetRowGroup()
    group.rowCount = waiting[0].rowCount
    group.sorting = options.sorting
    var chunks: [EncodedChunk] = []
    for index in columns.indices {
      chunks.append(ChunkEncoder(waiting[index], options).encode(into: &out, offset: takenByteCount))
      // Its memory is free for the next one.
      waiting[index] = ColumnValues(columns[index])
    }
    metadata.rowCount += group.rowCount
    metadata.rowGroups.append(group)
    encoded.append(chunks)
  }

  /// Ends the file. Nothing follows.
  package func finish() {
    endRowGroup()
    hasEnded = true
    let kept = columns.indices.filter { index in
      !options.omittedWhenZero.contains(index) || encoded.contains { $0[index].hasNonZero }
    }
    metadata.columns = kept.map { columns[$0] }
    metadata.keyValues = options.keyValues
    metadata.createdBy = options.createdBy
    appendIndexes(kept)
    for group in metadata.rowGroups.indices {
      metadata.rowGroups[group].columns = kept.map { encoded[group][$0].chunk }
      metadata.rowGroups[group].sorting = options.sorting.compactMap { each in
        kept.firstIndex(of: each.column).map {
          ParquetSorting(column: $0, isDescending: each.isDescending, areNullsFirst: each.areNullsFirst)
        }
      }
    }
    let footer = metadata.bytes
    out.append(footer)
    out.append(u32: UInt32(footer.count))
    out.append(Self.magic)
  }

  /// What is ready to be stored, behind all that was taken before.
  package func takeBytes() -> [UInt8] {
    let bytes = out.bytes
    takenByteCount += bytes.count
    out = ByteWriter()
    return bytes
  }

  private func appendIndexes(_ kept: [Int]) {
    for group in encoded.indices {
      for column in kept {
        guard let index = encoded[group][column].index else { continue }
        encoded[group][column].chunk.columnIndex = append(index.bytes)
      }
    }
    for group in encoded.indices {
      for column in kept { encoded[group][column].chunk.offsetIndex = append(encoded[group][column].pages.bytes) }
    }
  }

  /// Appends a piece, and says where in the file it stands.
  private func append(_ bytes: [UInt8]) -> Range<Int> {
    let start = takenByteCount + out.count
    out.append(bytes)
    return start..<(start + bytes.count)
  }
}

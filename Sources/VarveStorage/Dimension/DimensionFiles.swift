// Dimension tables to and from their files. A file is written and synced before a manifest edit names it, and removed
// only behind one that names it no more.

import VarveCore
import VarveFormat
import VarveIO

enum DimensionFiles {
  /// Writes the rows as commit `sequence` left them. After a throw nothing is left of the file.
  static func write(
    _ rows: DimensionRows, of table: TableID, sequence: Sequence, _ options: StoreOptions, _ paths: StorePaths,
    _ ids: FileIDs
  ) throws -> DimensionFileMetadata {
    let id = try ids.take()
    let file = try options.fileSystem.open(paths.dimension(id), .createNew)
    do {
      var builder = DimensionFileBuilder(file: id, table: table, sequence: sequence)
      var at = builder.offset
      func write(_ bytes: [UInt8]) throws {
        try file.write(bytes, at: at)
        at += bytes.count
      }
      try rows.forEachRow { row in if let bytes = builder.append(row) { try write(bytes) } }
      try write(builder.finish())
      let header = LogHeader(
        kind: .dimension, file: id, preallocatedByteCount: at, wallNanoseconds: options.clock.wallNanoseconds())
      try file.write(header.encoded(), at: 0)
      try file.sync()
      file.close()
      return builder.metadata
    } catch {
      file.close()
      discard(id, options, paths)
      throw error
    }
  }

  /// Removes a file that nothing names.
  static func discard(_ file: FileID, _ options: StoreOptions, _ paths: StorePaths) {
    do { try options.fileSystem.remove(paths.dimension(file)) } catch {
      options.log(.warning, "cannot remove an unfinished dimension file; the next start does: \(error)")
    }
  }

  /// The rows of a file that the manifest names. Throws `.corruption` if it is not what the manifest says.
  static func read(
    _ metadata: DimensionFileMetadata, _ schema: DimensionSchema, _ files: any FileSystem, _ paths: StorePaths
  ) throws -> DimensionRows {
    let path = paths.dimension(metadata.file)
    let bytes: [UInt8]
    do {
      // What is longer than the manifest says is not read: it is damaged anyhow.
      guard try files.byteCount(path) == metadata.byteCount else {
        throw VarveError(
          .corruption, "the dimension file has not the \(metadata.byteCount) bytes that the manifest says", place: path)
      }
      bytes = try files.readAll(path)
    } catch let error as VarveError where error.code == .notFound {
      throw VarveError(.corruption, "a dimension file that the manifest names is missing", place: path)
    }
    var builder = DimensionBlockBuilder()
    let found = try DimensionFileReader.read(bytes, place: path) { row in
      let key = try schema.key(of: row)
      guard builder.isBehindLast(key) else {
        throw VarveError(.corruption, "the dimension file's rows are out of order")
      }
      key.withUnsafeBytes { builder.append(key: $0, row: row) }
    }
    guard found == metadata else {
      throw VarveError(.corruption, "the dimension file is not the one that the manifest names", place: path)
    }
    var rows = DimensionRows()
    rows.append(builder)
    return rows
  }
}

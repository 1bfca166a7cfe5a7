// A Parquet file by what it says about itself, over bytes that are read by range, wherever they are: nothing is read that is
// not needed. Total: any bytes give rows or an error.

import VarveCore
import VarveFormat

/// Bytes of known number that do not change: a file, or an object of a store.
package protocol ParquetSource: AnyObject {
  var byteCount: Int { get }
  /// The bytes of a range that lies within.
  func read(_ range: Range<Int>) throws -> [UInt8]
}

package final class ParquetFile {
  /// The footer is read with what stands before it, which mostly is all of it.
  private static let tailByteCount = 64 * 1024
  private static let footerByteLimit = 64 << 20
  private static let indexByteLimit = 16 << 20
  private static let magic = Array("PAR1".utf8)

  package let metadata: ParquetMetadata
  let source: any ParquetSource

  package init(_ source: any ParquetSource) throws {
    self.source = source
    let size = source.byteCount
    guard size >= 12 else { throw VarveError(.corruption, "\(size) bytes are no Parquet file") }
    let tail = try source.read(max(0, size - Self.tailByteCount)..<size)
    guard tail.count == min(size, Self.tailByteCount), Array(tail.suffix(4)) == Self.magic else {
      let isEncrypted = Array(tail.suffix(4)) == Array("PARE".utf8)
      throw isEncrypted
        ? VarveError(.unsupported, "the file is encrypted", hint: "Write it without encryption.")
        : VarveError(.corruption, "no Parquet file: it does not end with PAR1")
    }
    var reader = ByteReader(Array(tail.suffix(8)))
    let length = Int(try reader.readUInt32())
    guard length <= size - 12, length <= Self.footerByteLimit else {
      throw VarveError(.corruption, "a footer of \(length) bytes in a file of \(size)")
    }
    let footer =
      length + 8 <= tail.count
      ? Array(tail[(tail.count - length - 8)..<(tail.count - 8)]) : try source.read((size - length - 8)..<(size - 8))
    metadata = try footer.withUnsafeBytes { try ParquetMetadata(footer: $0) }
    guard !metadata.columns.isEmpty else { throw VarveError(.corruption, "a Parquet file without columns") }
    for group in metadata.rowGroups {
      for chunk in group.columns where chunk.byteRange.upperBound > size {
        throw VarveError(.corruption, "a column chunk stands beyond the end of the file")
      }
    }
  }

  /// Where the data pages of a column chunk stand; nil: the file does not say.
  package func pageLocations(group: Int, column: Int) throws -> [ParquetPageLocation]? {
    guard let range = metadata.rowGroups[group].columns[column].offsetIndex else { return nil }
    return try readIndex(range).withUnsafeBytes { try [ParquetPageLocation](offsetIndex: $0) }
  }

  /// What the data pages of a column chunk hold; nil: the file does not say.
  package func columnIndex(group: Int, column: Int) throws -> ParquetColumnIndex? {
    guard let range = metadata.rowGroups[group].columns[column].columnIndex else { return nil }
    return try readIndex(range).withUnsafeBytes { try ParquetColumnIndex($0) }
  }

  private func readIndex(_ range: Range<Int>) throws -> [UInt8] {
    guard range.count <= Self.indexByteLimit else {
      throw VarveError(.corruption, "an index of \(range.count) bytes for one column chunk")
    }
    return try readPiece(range)
  }

  /// Checked against the file's size.
  func readPiece(_ range: Range<Int>) throws -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= source.byteCount else {
      throw VarveError(.corruption, "bytes \(range) of a file of \(source.byteCount)")
    }
    let bytes = try source.read(range)
    guard bytes.count == range.count else { throw VarveError(.corruption, "the file is shorter than it was") }
    return bytes
  }
}

/// Bytes in memory.
package final class ParquetBytes: ParquetSource {
  private let bytes: [UInt8]
  package init(_ bytes: [UInt8]) { self.bytes = bytes }
  package var byteCount: Int { bytes.count }
  package func read(_ range: Range<Int>) throws -> [UInt8] { Array(bytes[range]) }
}

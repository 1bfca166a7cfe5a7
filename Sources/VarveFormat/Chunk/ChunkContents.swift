// Header, footer and index of a chunk, read in the order in which they vouch for one another. Three reads: the
// front, the tail (which mostly holds the index too), and the index where it does not.

import VarveCore

package struct ChunkContents: Sendable {
  package let identity: ChunkIdentity
  package let version: UInt32
  package let footer: ChunkFooter
  package let index: ChunkIndex

  /// What is read from the end at first.
  package static let tailByteCount = 64 * 1024

  /// `read` gives exactly the bytes asked for, which lie within `fileByteCount`, or throws. `file`, where given, is
  /// the id that the chunk must have. Of more than the last `cheapByteCount` bytes nothing is read that is not needed.
  /// Throws `.corruption` or `.unsupportedVersion` at `place`, or what `read` threw.
  package static func open(
    fileByteCount: Int, file: FileID?, place: String, cheapByteCount: Int = .max,
    read: (PageReference) throws -> [UInt8]
  ) throws -> ChunkContents {
    guard fileByteCount >= ChunkHeader.byteCount + ChunkFooter.byteCount else {
      throw VarveError(.corruption, "a chunk is shorter than its header and footer", place: place)
    }
    let front = try read(PageReference(offset: 0, byteCount: ChunkHeader.byteCount))
    let (identity, version) = try front.withUnsafeBytes { try ChunkHeader.decode($0, file: file, place: place) }
    let tailCount = min(tailByteCount, fileByteCount, max(cheapByteCount, ChunkFooter.byteCount))
    let tailOffset = fileByteCount - tailCount
    let tail = try read(PageReference(offset: tailOffset, byteCount: tailCount))
    let footer = try tail.withUnsafeBytes {
      try ChunkFooter.decode(
        $0, fileByteCount: fileByteCount, file: identity.file, version: version, place: place)
    }
    let index: ChunkIndex
    if footer.indexOffset >= tailOffset {
      index = try tail.withUnsafeBytes { raw in
        let start = footer.indexOffset - tailOffset
        let bytes = UnsafeRawBufferPointer(rebasing: raw[start..<(start + footer.indexByteCount)])
        return try ChunkIndex.decode(bytes, identity: identity, version: version, footer: footer, place: place)
      }
    } else {
      let bytes = try read(PageReference(offset: footer.indexOffset, byteCount: footer.indexByteCount))
      index = try bytes.withUnsafeBytes {
        try ChunkIndex.decode($0, identity: identity, version: version, footer: footer, place: place)
      }
    }
    return ChunkContents(identity: identity, version: version, footer: footer, index: index)
  }

  /// The same over a whole file in memory.
  package static func open(_ bytes: [UInt8], file: FileID?, place: String) throws -> ChunkContents {
    try open(fileByteCount: bytes.count, file: file, place: place) {
      Array(bytes[$0.offset..<($0.offset + $0.byteCount)])
    }
  }
}

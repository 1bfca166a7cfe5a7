// Pages unpacked, whatever they were packed with. Total: a page that claims more than its bytes could hold is refused before
// memory is taken for it.

import CZlib
import CZstd
import VarveCore
import VarveFormat

enum PageCompression {
  /// Bytes of a page, unpacked.
  static let byteLimit = 1 << 30

  static func decompress(_ page: UnsafeRawBufferPointer, _ codec: ParquetCodec, byteCount: Int) throws -> [UInt8] {
    guard byteCount <= byteLimit, page.count <= byteLimit else {
      throw VarveError(
        .limitExceeded, "a page of \(max(byteCount, page.count)) bytes: pages of more than 1 GiB are not read",
        hint: "Write the file with smaller pages.")
    }
    switch codec {
    case .uncompressed:
      guard page.count == byteCount else { throw mismatch("an uncompressed page", byteCount) }
      return Array(page)
    case .zstd: return try unpackZstd(page, byteCount: byteCount)
    case .snappy: return try Snappy.decompress(page, byteCount: byteCount)
    case .gzip: return try unpackGzip(page, byteCount: byteCount)
    case .lz4Raw: return try LZ4.decompress(page, byteCount: byteCount)
    case .lz4, .lzo, .brotli:
      throw VarveError(
        .unsupported, "pages packed by \(codec) are not read",
        hint: "Write the file with zstd, snappy, gzip, lz4_raw or no compression.")
    }
  }

  private static func mismatch(_ what: String, _ byteCount: Int) -> VarveError {
    VarveError(.corruption, "\(what) does not hold its \(byteCount) bytes")
  }

  /// Frames of others need not say how much they hold.
  private static func unpackZstd(_ page: UnsafeRawBufferPointer, byteCount: Int) throws -> [UInt8] {
    // 3 bytes give 128 KiB at most.
    guard byteCount >> 17 <= page.count else { throw mismatch("a Zstandard frame", byteCount) }
    return try [UInt8](unsafeUninitializedCapacity: byteCount + 1) { out, count in
      let written = ZSTD_decompress(out.baseAddress, byteCount, page.baseAddress, page.count)
      guard ZSTD_isError(written) == 0, written == byteCount else { throw mismatch("a Zstandard frame", byteCount) }
      count = byteCount
    }
  }

  private static func unpackGzip(_ page: UnsafeRawBufferPointer, byteCount: Int) throws -> [UInt8] {
    // Deflate gives 1032 to 1 at most.
    guard byteCount / 1032 <= page.count + 1 else { throw mismatch("a gzip stream", byteCount) }
    var stream = z_stream()
    // Headers of gzip and of zlib are told apart.
    guard inflateInit2_(&stream, MAX_WBITS + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw VarveError(.limitExceeded, "there is no memory to unpack a page", sqlState: "53200")
    }
    defer { inflateEnd(&stream) }
    return try [UInt8](unsafeUninitializedCapacity: byteCount + 1) { out, count in
      // zlib only reads them.
      stream.next_in = UnsafeMutablePointer(mutating: page.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.avail_in = UInt32(page.count)
      stream.next_out = out.baseAddress
      stream.avail_out = UInt32(byteCount + 1)
      let status = inflate(&stream, Z_FINISH)
      guard status == Z_STREAM_END, Int(stream.total_out) == byteCount else {
        throw mismatch("a gzip stream", byteCount)
      }
      count = byteCount
    }
  }
}

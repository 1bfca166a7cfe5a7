// Zstandard frames, one a block, with the size of the original both in the frame and beside it.

import CZstd
import VarveCore

package enum Zstd {
  private static let compressors = ZstdContexts(make: { ZSTD_createCCtx() }, free: { _ = ZSTD_freeCCtx($0) })
  private static let decompressors = ZstdContexts(make: { ZSTD_createDCtx() }, free: { _ = ZSTD_freeDCtx($0) })

  package static func compress(_ bytes: UnsafeRawBufferPointer, level: Int32 = 1) -> [UInt8] {
    let bound = ZSTD_compressBound(bytes.count)
    return [UInt8](unsafeUninitializedCapacity: bound) { out, count in
      let written = compressors.with {
        ZSTD_compressCCtx($0, out.baseAddress, bound, bytes.baseAddress, bytes.count, level)
      }
      precondition(ZSTD_isError(written) == 0, "Zstandard compression into its own bound failed")
      count = written
    }
  }

  package static func compress(_ bytes: [UInt8], level: Int32 = 1) -> [UInt8] {
    bytes.withUnsafeBytes { compress($0, level: level) }
  }

  /// The `byteCount` bytes that `frame` stands for; anything else is `.corruption`. Total. A frame must name its
  /// content's size, so that a claim is checked before memory is taken for it; a frame grows by 128 KiB for
  /// each 3 bytes at most.
  package static func decompress(_ frame: UnsafeRawBufferPointer, byteCount: Int) throws -> [UInt8] {
    guard byteCount >= 0, byteCount <= 1 << 31, byteCount >> 17 <= frame.count,
      ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(byteCount)
    else { throw VarveError(.corruption, "a Zstandard frame of \(frame.count) bytes does not hold \(byteCount)") }
    return try [UInt8](unsafeUninitializedCapacity: byteCount + 1) { out, count in
      let written = decompressors.with {
        ZSTD_decompressDCtx($0, out.baseAddress, byteCount, frame.baseAddress, frame.count)
      }
      guard ZSTD_isError(written) == 0, written == byteCount else {
        throw VarveError(.corruption, "a Zstandard frame does not decompress to its \(byteCount) bytes")
      }
      count = byteCount
    }
  }
}

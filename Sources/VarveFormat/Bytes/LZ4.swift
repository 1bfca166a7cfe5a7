// LZ4 blocks (no frame): the size of the original is kept beside the block by whoever stores it.

import CLZ4
import VarveCore

package enum LZ4 {
  package static func compress(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { compress($0) } }

  /// Input is at most `LZ4_MAX_INPUT_SIZE` (2,113,929,216 bytes).
  package static func compress(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let bound = LZ4_compressBound(Int32(bytes.count))
    precondition(bound > 0, "LZ4 blocks hold less than 2 GiB")
    return [UInt8](unsafeUninitializedCapacity: Int(bound)) { out, count in
      let written = out.withMemoryRebound(to: CChar.self) { target in
        LZ4_compress_default(
          bytes.baseAddress?.assumingMemoryBound(to: CChar.self), target.baseAddress, Int32(bytes.count), bound)
      }
      // With room for the worst case, compression fails only for inputs that the bound has refused.
      precondition(written > 0, "LZ4 compression failed")
      count = Int(written)
    }
  }

  /// The `byteCount` bytes that `block` stands for; anything else is `.corruption`. Total.
  package static func decompress(_ block: UnsafeRawBufferPointer, byteCount: Int) throws -> [UInt8] {
    // A block cannot grow by more than 255 to 1, so few bytes cannot ask for much memory.
    guard byteCount >= 0, byteCount <= Int(LZ4_MAX_INPUT_SIZE), block.count <= Int(Int32.max),
      byteCount / 255 <= block.count
    else { throw VarveError(.corruption, "an LZ4 block of \(block.count) bytes cannot hold \(byteCount)") }
    return try [UInt8](unsafeUninitializedCapacity: byteCount + 1) { out, count in
      let written = out.withMemoryRebound(to: CChar.self) { target in
        LZ4_decompress_safe(
          block.baseAddress?.assumingMemoryBound(to: CChar.self), target.baseAddress, Int32(block.count),
          Int32(byteCount))
      }
      guard Int(written) == byteCount else {
        throw VarveError(.corruption, "an LZ4 block does not decompress to its \(byteCount) bytes")
      }
      count = byteCount
    }
  }
}

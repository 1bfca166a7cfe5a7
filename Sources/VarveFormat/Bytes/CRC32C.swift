// Checksums of everything on disk: CRC-32C (RFC 3720), salted so that bytes of another file, or of another place
// in the same file, do not pass.

import CVarve
import VarveCore

package enum CRC32C {
  /// Continues from `seed`, the checksum of the bytes before.
  package static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return seed }
    return cvarve_crc32c(seed, base, bytes.count)
  }

  package static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0, seed: seed) }
  }

  /// The seed for something at `offset` of `file`: the checksum of both as u64.
  package static func salt(file: FileID, offset: Int) -> UInt32 {
    withUnsafeBytes(of: (file.rawValue.littleEndian, UInt64(offset).littleEndian)) { checksum($0) }
  }

  package static func salted(_ bytes: UnsafeRawBufferPointer, file: FileID, offset: Int) -> UInt32 {
    checksum(bytes, seed: salt(file: file, offset: offset))
  }
}

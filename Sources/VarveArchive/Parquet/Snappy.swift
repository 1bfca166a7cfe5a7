// Snappy blocks, unpacked (https://github.com/google/snappy/blob/main/format_description.txt): a length, then literals and
// copies of what came before. Total.

import VarveCore
import VarveFormat

enum Snappy {
  /// The `byteCount` bytes that `block` stands for.
  static func decompress(_ block: UnsafeRawBufferPointer, byteCount: Int) throws -> [UInt8] {
    var reader = ByteReader(block)
    // A copy of three bytes gives 64 at most.
    guard try reader.readLength() == byteCount, byteCount / 64 <= block.count else { throw mismatch(byteCount) }
    return try [UInt8](unsafeUninitializedCapacity: byteCount + 1) { room, written in
      guard let out = room.baseAddress else { throw mismatch(byteCount) }
      var done = 0
      while !reader.isAtEnd {
        let tag = Int(try reader.readByte())
        if tag & 3 == 0 {
          let source = try reader.readRaw(try literalLength(tag >> 2, &reader))
          guard source.count <= byteCount - done else { throw mismatch(byteCount) }
          if let start = source.baseAddress {
            UnsafeMutableRawPointer(out + done).copyMemory(from: start, byteCount: source.count)
          }
          done += source.count
          continue
        }
        let (length, offset) = try copy(tag, &reader)
        guard offset > 0, offset <= done, length <= byteCount - done else { throw mismatch(byteCount) }
        // They may overlap: what was just written is repeated.
        for index in done..<(done + length) { out[index] = out[index - offset] }
        done += length
      }
      guard done == byteCount else { throw mismatch(byteCount) }
      written = done
    }
  }

  private static func literalLength(_ length: Int, _ reader: inout ByteReader) throws -> Int {
    if length < 60 { return length + 1 }
    var value = 0
    for byte in 0..<(length - 59) { value |= Int(try reader.readByte()) << (byte * 8) }
    return value + 1
  }

  private static func copy(_ tag: Int, _ reader: inout ByteReader) throws -> (length: Int, offset: Int) {
    switch tag & 3 {
    case 1: ((tag >> 2 & 7) + 4, (tag >> 5) << 8 | Int(try reader.readByte()))
    case 2: ((tag >> 2) + 1, Int(try reader.readUInt16()))
    default: ((tag >> 2) + 1, Int(try reader.readUInt32()))
    }
  }

  private static func mismatch(_ byteCount: Int) -> VarveError {
    VarveError(.corruption, "a Snappy block does not hold its \(byteCount) bytes")
  }
}

// The envelope of a payload: one byte of compression (0 none, 1 LZ4 block), the body's length as u32, the body.

import VarveCore

package enum LogBody {
  /// Bodies beyond this are refused when read; writers stay far below.
  package static let byteCountLimit = 1 << 30

  /// Room for a frame header, then the envelope.
  package static func frame(_ body: ByteWriter) -> [UInt8] {
    precondition(body.bytes.count <= byteCountLimit, "a record's body is bounded by the commit's group size")
    var frame = ByteWriter(reserving: body.bytes.count + 64)
    frame.append(zeros: RecordFrame.headerByteCount)
    let packed = body.bytes.count >= 128 ? LZ4.compress(body.bytes) : nil
    if let packed, packed.count < body.bytes.count {
      frame.append(byte: 1)
      frame.append(u32: UInt32(body.bytes.count))
      frame.append(packed)
    } else {
      frame.append(byte: 0)
      frame.append(u32: UInt32(body.bytes.count))
      frame.append(body.bytes)
    }
    return frame.bytes
  }

  /// The body of a payload. Total.
  package static func unpack(_ payload: UnsafeRawBufferPointer) throws -> [UInt8] {
    guard payload.count >= 5 else { throw VarveError(.corruption, "a record's payload is shorter than its envelope") }
    let count = Int(UInt32(littleEndian: payload.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
    let rest = UnsafeRawBufferPointer(rebasing: payload[5...])
    switch payload[0] {
    case 0:
      guard rest.count == count else {
        throw VarveError(.corruption, "a record's body has \(rest.count) bytes instead of \(count)")
      }
      return Array(rest)
    case 1:
      // An LZ4 block cannot shrink by more than 255 to 1, so a small file cannot ask for much memory.
      guard count <= byteCountLimit, count <= rest.count * 255 + 64 else {
        throw VarveError(.corruption, "a record's body claims \(count) bytes from \(rest.count)")
      }
      return try LZ4.decompress(rest, byteCount: count)
    default:
      throw VarveError(.corruption, "a record is compressed in an unknown way (\(payload[0]))")
    }
  }
}

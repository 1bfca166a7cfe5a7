// Runs and bit-packed groups of eight mixed, as Parquet keeps levels and dictionary indices
// (https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE).

import CVarve
import VarveCore
import VarveFormat

enum HybridRuns {
  /// Values that are packed at a time: bit packing takes fewer than a vector of ours as one stream.
  private static let groupedCount = 512

  /// Appends values below 2^width.
  static func encode(_ values: UnsafeBufferPointer<UInt64>, width: Int, into out: inout ByteWriter) {
    var start = 0
    while start < values.count {
      let run = runLength(values, from: start, limit: values.count)
      if run >= 8 {
        out.append(varint: UInt64(run) << 1)
        append(values[start], byteCount: (width + 7) / 8, to: &out)
        start += run
        continue
      }
      // Groups go on until a run begins that is worth the change.
      var end = start
      repeat { end += 8 } while end < values.count && runLength(values, from: end, limit: end + 16) < 16
      let groupCount = (end - start) / 8
      out.append(varint: UInt64(groupCount) << 1 | 1)
      pack(values, from: start, count: groupCount * 8, width: width, into: &out)
      start = min(end, values.count)
    }
  }

  private static func runLength(_ values: UnsafeBufferPointer<UInt64>, from start: Int, limit: Int) -> Int {
    let end = min(limit, values.count)
    guard start < end else { return 0 }
    let value = values[start]
    var index = start + 1
    while index < end, values[index] == value { index += 1 }
    return index - start
  }

  private static func append(_ value: UInt64, byteCount: Int, to out: inout ByteWriter) {
    for byte in 0..<byteCount { out.append(byte: UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))) }
  }

  /// Whether values of this width stand at whole parts of bytes.
  static func isAligned(_ width: Int) -> Bool { width <= 16 && width.nonzeroBitCount == 1 }

  /// `count` values less a reference, each of aligned width, of `size` ≤ 1,024 that a part has: a multiple of eight;
  /// beyond `count` stand zeros.
  static func packAligned(
    _ values: UnsafePointer<UInt64>, _ count: Int, less reference: UInt64, of size: Int, width: Int,
    into out: inout ByteWriter
  ) {
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: size) { narrow in
      guard let narrow = narrow.baseAddress else { return }
      cvarve_narrow(values, count, reference, 0, narrow)
      (narrow + count).initialize(repeating: 0, count: size - count)
      out.append(uninitialized: size * width / 8) { room in
        guard let target = room.baseAddress else { return }
        cvarve_pack_aligned(narrow, size, UInt32(width), target.assumingMemoryBound(to: UInt8.self))
      }
    }
  }

  /// `count` values, a multiple of eight; beyond the end stand zeros.
  static func pack(
    _ values: UnsafeBufferPointer<UInt64>, from start: Int, count: Int, width: Int, into out: inout ByteWriter
  ) {
    guard width > 0, let base = values.baseAddress else { return }
    var done = 0
    while done < count {
      let taken = min(groupedCount, count - done)
      let present = max(0, min(taken, values.count - start - done))
      if isAligned(width) {
        packAligned(base + start + done, present, less: 0, of: taken, width: width, into: &out)
        done += taken
        continue
      }
      out.append(uninitialized: taken * width / 8) { room in
        guard let target = room.baseAddress, present > 0 else { return }
        BitPacking.pack(base + start + done, count: present, width: width, into: target)
      }
      done += taken
    }
  }

  /// Reads `count` values of `width` ≤ 32 bits into `out`. Total.
  static func decode(
    _ reader: inout ByteReader, width: Int, count: Int, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    guard (0...32).contains(width) else { throw VarveError(.corruption, "indices of \(width) bits") }
    var done = 0
    while done < count {
      let header = try reader.readVarint()
      let length = header >> 1
      guard length > 0 else { throw VarveError(.corruption, "a run of no values") }
      if header & 1 == 0 {
        let value = try readValue(&reader, width: width)
        let taken = Int(min(length, UInt64(count - done)))
        (out + done).update(repeating: value, count: taken)
        done += taken
      } else {
        // The last groups may be cut where their padding would be.
        let groupCount = Int(min(length, UInt64((count - done + 7) / 8)))
        try unpack(&reader, count: min(groupCount * 8, count - done), width: width, into: out + done)
        done += min(groupCount * 8, count - done)
      }
    }
  }

  /// Whether all that comes is a run of 1, of a bit each, with `count` of them.
  static func isOneRun(_ reader: ByteReader, of count: Int) -> Bool {
    var reader = reader
    // What cannot be read is something else.
    guard let header = try? reader.readVarint(), let value = try? reader.readByte() else { return false }
    return header & 1 == 0 && header >> 1 >= UInt64(count) && value == 1
  }

  private static func readValue(_ reader: inout ByteReader, width: Int) throws -> UInt64 {
    var value: UInt64 = 0
    for byte in 0..<((width + 7) / 8) { value |= UInt64(try reader.readByte()) << UInt64(byte * 8) }
    guard value >> UInt64(width) == 0 else { throw VarveError(.corruption, "a run's value is beyond \(width) bits") }
    return value
  }

  /// Reads packed values; of the bytes of the last group only those are needed that hold values.
  static func unpack(
    _ reader: inout ByteReader, count: Int, width: Int, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    if width == 0 { return out.update(repeating: 0, count: count) }
    if isAligned(width) {
      let byteCount = min((count + 7) / 8 * width, reader.remaining)
      guard byteCount >= (count * width + 7) / 8 else { throw VarveError(.corruption, "packed values are cut short") }
      let packed = try reader.readRaw(byteCount)
      if let base = packed.baseAddress {
        cvarve_unpack_aligned(base.assumingMemoryBound(to: UInt8.self), count, UInt32(width), out)
      }
      return
    }
    var done = 0
    while done < count {
      let taken = min(groupedCount, count - done)
      // Whole groups take whole bytes.
      let byteCount = min((taken + 7) / 8 * width, reader.remaining)
      guard byteCount >= (taken * width + 7) / 8 else {
        throw VarveError(.corruption, "packed values are cut short")
      }
      let packed = try reader.readRaw(byteCount)
      guard let base = packed.baseAddress else { return }
      BitPacking.unpack(base, count: taken, width: width, into: out + done)
      done += taken
    }
  }

  /// Bits that hold all values up to `largest`.
  static func width(_ largest: Int) -> Int { Int.bitWidth - largest.leadingZeroBitCount }
}

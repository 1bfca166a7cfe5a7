// DELTA_BINARY_PACKED: differences of neighbours, in blocks with a least difference and miniblocks of a width each
// (https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC). Arithmetic wraps, in 32 bits for columns of
// 32 bits, whose readers need not take wider differences.

import CVarve
import VarveCore
import VarveFormat

/// How a column's differences are laid out.
struct DeltaLayout: Hashable {
  var blockValueCount: Int
  var miniblockCount: Int
  /// Widths are such that values stand at whole bytes or halves and quarters of them: more bits, which an entropy coder
  /// behind makes less of.
  var isAligned: Bool

  var miniblockValueCount: Int { blockValueCount / miniblockCount }

  static let packed = DeltaLayout(blockValueCount: 128, miniblockCount: 4, isAligned: false)
  static let wide = DeltaLayout(blockValueCount: 1024, miniblockCount: 4, isAligned: false)
  static let aligned = DeltaLayout(blockValueCount: 1024, miniblockCount: 2, isAligned: true)
  /// Where another series begins every thousand rows, less around its first difference is wide.
  static let narrow = DeltaLayout(blockValueCount: 256, miniblockCount: 2, isAligned: true)

  func width(_ bitCount: Int) -> Int {
    guard isAligned else { return bitCount }
    switch bitCount {
    case 0...2: return bitCount
    case 3...4: return 4
    default: return (bitCount + 7) / 8 * 8
    }
  }
}

enum DeltaIntegers {
  static func encode(
    _ values: UnsafeBufferPointer<UInt64>, isNarrow: Bool, _ layout: DeltaLayout, into out: inout ByteWriter
  ) {
    out.append(varint: UInt64(layout.blockValueCount))
    out.append(varint: UInt64(layout.miniblockCount))
    out.append(varint: UInt64(values.count))
    out.append(zigzag: Int64(bitPattern: values.first ?? 0))
    guard let base = values.baseAddress else { return }
    // The difference before the first of a block stands in front of it.
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: layout.blockValueCount + 1) { deltas in
      guard let room = deltas.baseAddress else { return }
      var next = 1
      while next < values.count {
        let count = min(layout.blockValueCount, values.count - next)
        cvarve_differences(base + next - 1, count + 1, room)
        if isNarrow {
          for index in 1...count { room[index] = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: room[index]))) }
        }
        encodeBlock(room + 1, count, isNarrow: isNarrow, layout, into: &out)
        next += count
      }
    }
  }

  private static func encodeBlock(
    _ deltas: UnsafeMutablePointer<UInt64>, _ count: Int, isNarrow: Bool, _ layout: DeltaLayout,
    into out: inout ByteWriter
  ) {
    let size = layout.miniblockValueCount
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: layout.miniblockCount) { greatest in
      var least = Int64.max
      for part in 0..<layout.miniblockCount where part * size < count {
        let extremes = cvarve_extremes_of(deltas + part * size, min(size, count - part * size))
        least = min(least, Int64(bitPattern: extremes.least))
        greatest[part] = extremes.greatest
      }
      out.append(zigzag: least)
      let reference = UInt64(bitPattern: least)
      let mask: UInt64 = isNarrow ? 0xFFFF_FFFF : .max
      for part in 0..<layout.miniblockCount {
        let widest = part * size < count ? (greatest[part] &- reference) & mask : 0
        let width = min(layout.width(64 - widest.leadingZeroBitCount), isNarrow ? 32 : 64)
        greatest[part] = UInt64(width)
        out.append(byte: UInt8(width))
      }
      for part in 0..<layout.miniblockCount where part * size < count {
        let (values, taken) = (deltas + part * size, min(size, count - part * size))
        let width = Int(greatest[part])
        if HybridRuns.isAligned(width) {
          HybridRuns.packAligned(values, taken, less: reference, of: size, width: width, into: &out)
        } else {
          for index in 0..<taken { values[index] = (values[index] &- reference) & mask }
          HybridRuns.pack(
            UnsafeBufferPointer(start: UnsafePointer(values), count: taken), from: 0, count: size, width: width,
            into: &out)
        }
      }
    }
  }

  /// Reads what was written: `count` values if the caller knows, else as many as it says, at most `limit`. Total.
  static func decode(
    _ reader: inout ByteReader, count expected: Int?, limit: Int = .max, isNarrow: Bool
  ) throws -> Buffer<UInt64> {
    let blockValueCount = try reader.readLength()
    let miniblockCount = try reader.readLength()
    let count = try reader.readLength()
    var value = UInt64(bitPattern: try reader.readZigzag())
    guard (1...(1 << 20)).contains(blockValueCount), (1...blockValueCount).contains(miniblockCount),
      blockValueCount % miniblockCount == 0, (blockValueCount / miniblockCount) % 8 == 0
    else {
      throw VarveError(.corruption, "blocks of \(blockValueCount) differences in \(miniblockCount) parts")
    }
    guard expected.map({ $0 == count }) ?? (count <= limit) else {
      throw VarveError(.corruption, "\(count) values where \(expected ?? limit) are expected")
    }
    let out = Buffer<UInt64>(capacity: count)
    if count == 0 { return out }
    out.append(value)
    let size = blockValueCount / miniblockCount
    while out.count < count {
      let least = UInt64(bitPattern: try reader.readZigzag())
      let widths = try reader.readRaw(miniblockCount)
      for width in widths where out.count < count {
        guard width <= 64 else { throw VarveError(.corruption, "differences of \(width) bits") }
        let taken = min(size, count - out.count)
        let deltas = out.base + out.count
        try HybridRuns.unpack(&reader, count: taken, width: Int(width), into: deltas)
        // A last part may be whole or end with its values.
        if taken < size {
          try reader.skip(min(reader.remaining, (size * Int(width)) / 8 - (taken + 7) / 8 * Int(width)))
        }
        value = isNarrow ? sumNarrow(deltas, taken, least, value) : cvarve_sum_up(deltas, taken, least, value)
        out.count += taken
      }
    }
    return out
  }

  /// `cvarve_sum_up` in 32 bits.
  private static func sumNarrow(
    _ deltas: UnsafeMutablePointer<UInt64>, _ count: Int, _ reference: UInt64, _ base: UInt64
  ) -> UInt64 {
    var value = base
    for index in 0..<count {
      value = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: value &+ reference &+ deltas[index])))
      deltas[index] = value
    }
    return value
  }
}

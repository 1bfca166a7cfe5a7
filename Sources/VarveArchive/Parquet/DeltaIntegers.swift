// DELTA_BINARY_PACKED: differences of neighbours, in blocks with a least difference and miniblocks of a width each
// (https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC). Arithmetic wraps, in 32 bits for columns of
// 32 bits, whose readers need not take wider differences.

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
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: layout.blockValueCount) { deltas in
      guard let room = deltas.baseAddress else { return }
      var next = 1
      while next < values.count {
        let count = min(layout.blockValueCount, values.count - next)
        subtract(base + next, count, isNarrow: isNarrow, into: room)
        encodeBlock(room, count, isNarrow: isNarrow, layout, into: &out)
        next += count
      }
    }
  }

  private static func subtract(
    _ values: UnsafePointer<UInt64>, _ count: Int, isNarrow: Bool, into deltas: UnsafeMutablePointer<UInt64>
  ) {
    for index in 0..<count {
      let delta = values[index] &- values[index - 1]
      deltas[index] = isNarrow ? UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: delta))) : delta
    }
  }

  private static func encodeBlock(
    _ deltas: UnsafeMutablePointer<UInt64>, _ count: Int, isNarrow: Bool, _ layout: DeltaLayout,
    into out: inout ByteWriter
  ) {
    var least = Int64.max
    for index in 0..<count { least = min(least, Int64(bitPattern: deltas[index])) }
    let mask: UInt64 = isNarrow ? 0xFFFF_FFFF : .max
    for index in 0..<count { deltas[index] = (deltas[index] &- UInt64(bitPattern: least)) & mask }
    out.append(zigzag: least)
    let size = layout.miniblockValueCount
    var widths: [Int] = []
    for start in stride(from: 0, to: layout.blockValueCount, by: size) {
      var bits: UInt64 = 0
      for index in start..<max(start, min(start + size, count)) { bits |= deltas[index] }
      let width = min(layout.width(64 - bits.leadingZeroBitCount), isNarrow ? 32 : 64)
      widths.append(width)
      out.append(byte: UInt8(width))
    }
    let values = UnsafeBufferPointer(start: UnsafePointer(deltas), count: count)
    for (index, width) in widths.enumerated() where index * size < count {
      HybridRuns.pack(values, from: index * size, count: size, width: width, into: &out)
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
    let deltas = Buffer<UInt64>(repeating: 0, count: size)
    while out.count < count {
      let least = UInt64(bitPattern: try reader.readZigzag())
      let widths = try reader.readRaw(miniblockCount)
      for width in widths where out.count < count {
        guard width <= 64 else { throw VarveError(.corruption, "differences of \(width) bits") }
        let taken = min(size, count - out.count)
        try HybridRuns.unpack(&reader, count: taken, width: Int(width), into: deltas.base)
        // A last part may be whole or end with its values.
        if taken < size {
          try reader.skip(min(reader.remaining, (size * Int(width)) / 8 - (taken + 7) / 8 * Int(width)))
        }
        for index in 0..<taken {
          value = value &+ least &+ deltas.base[index]
          if isNarrow { value = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: value))) }
          out.append(value)
        }
      }
    }
    return out
  }
}

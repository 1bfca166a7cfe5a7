// Fixed-width bit packing of up to 1,024 values. FORMAT.md, "Bit packing".
//
// 1,024 values are packed interleaved: 32 lanes × 32 rows of u32 words, value i in lane i % 32, row i / 32. Each
// lane is a stream of its own, least bit first, and word k of all lanes stands together; so shift and mask are the
// same along a row, and a plain loop over the lanes vectorises. Widths above 32 are two packings: the low 32 bits
// of all values, then what is above. Fewer than 1,024 values are one stream of bits, least bit first.

import CVarve
import VarveCore

package enum BitPacking {
  package static let vectorValueCount = Limits.vectorValueCount
  static let laneCount = 32

  /// Bytes that `count` values of `width` bits take.
  @inline(__always)
  package static func byteCount(count: Int, width: Int) -> Int { (count &* width &+ 7) >> 3 }

  /// Packs `count` ≤ 1,024 values; each is below 2^width. Writes `byteCount(count:width:)` bytes.
  package static func pack(
    _ values: UnsafePointer<UInt64>, count: Int, width: Int, into out: UnsafeMutableRawPointer
  ) {
    guard count == vectorValueCount else { return packStream(values, count: count, width: width, into: out) }
    if width <= 32 {
      packLanes(values, shift: 0, width: width, into: out)
    } else {
      packLanes(values, shift: 0, width: 32, into: out)
      packLanes(values, shift: 32, width: width - 32, into: out + byteCount(count: vectorValueCount, width: 32))
    }
  }

  /// The same of values of at most 16 bits, of which the low `width` are packed.
  static func pack(narrow values: UnsafePointer<UInt16>, count: Int, width: Int, into out: UnsafeMutableRawPointer) {
    guard width > 0 else { return }
    guard count != vectorValueCount else { return cvarve_pack_lanes(values, UInt32(width), out) }
    let mask = (1 as UInt64) << UInt64(width) - 1
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { wide in
      guard let base = wide.baseAddress else { return }
      for i in 0..<count { base[i] = UInt64(values[i]) & mask }
      packStream(base, count: count, width: width, into: out)
    }
  }

  /// The opposite. `packed` has `byteCount(count:width:)` readable bytes; `width` is 0 to 64.
  package static func unpack(
    _ packed: UnsafeRawPointer, count: Int, width: Int, into out: UnsafeMutablePointer<UInt64>
  ) {
    if width == 0 {
      out.update(repeating: 0, count: count)
    } else if count != vectorValueCount {
      unpackStream(packed, count: count, width: width, into: out)
    } else if width <= 32 {
      cvarve_unpack_lanes(packed, UInt32(width), out)
    } else {
      cvarve_unpack_lanes(packed, 32, out)
      orLanes(packed + byteCount(count: vectorValueCount, width: 32), width: width - 32, into: out)
    }
  }

  // MARK: Lanes

  private static func packLanes(
    _ values: UnsafePointer<UInt64>, shift: UInt64, width: Int, into out: UnsafeMutableRawPointer
  ) {
    guard width > 0 else { return }
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: laneCount) { words in
      guard let open = words.baseAddress else { return }
      open.initialize(repeating: 0, count: laneCount)
      var target = out
      for row in 0..<32 {
        let source = values + row * laneCount
        let bit = UInt32(truncatingIfNeeded: (row * width) & 31)
        let end = Int(bit) + width
        for lane in 0..<laneCount {
          open[lane] |= UInt32(truncatingIfNeeded: source[lane] &>> shift) &<< bit
        }
        guard end >= 32 else { continue }
        for lane in 0..<laneCount {
          target.storeBytes(of: open[lane].littleEndian, toByteOffset: lane * 4, as: UInt32.self)
        }
        target += laneCount * 4
        if end == 32 {
          for lane in 0..<laneCount { open[lane] = 0 }
        } else {
          // end > 32 means bit > 0, so the shift is below 32.
          let used = 32 &- bit
          for lane in 0..<laneCount { open[lane] = UInt32(truncatingIfNeeded: source[lane] &>> shift) &>> used }
        }
      }
    }
  }

  @inline(__always)
  private static func forEachRow(
    _ packed: UnsafeRawPointer, width: Int, _ store: (_ row: Int, _ lane: Int, _ value: UInt32) -> Void
  ) {
    let mask = UInt32.max &>> UInt32(truncatingIfNeeded: 32 - width)
    for row in 0..<32 {
      let bit = UInt32(truncatingIfNeeded: (row * width) & 31)
      let source = packed + ((row * width) >> 5) * laneCount * 4
      if Int(bit) + width <= 32 {
        for lane in 0..<laneCount {
          let word = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: lane * 4, as: UInt32.self))
          store(row, lane, (word &>> bit) & mask)
        }
      } else {
        let next = source + laneCount * 4
        for lane in 0..<laneCount {
          let low = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: lane * 4, as: UInt32.self))
          let high = UInt32(littleEndian: next.loadUnaligned(fromByteOffset: lane * 4, as: UInt32.self))
          store(row, lane, (low &>> bit | high &<< (32 &- bit)) & mask)
        }
      }
    }
  }

  private static func orLanes(_ packed: UnsafeRawPointer, width: Int, into out: UnsafeMutablePointer<UInt64>) {
    forEachRow(packed, width: width) { row, lane, value in out[row &* laneCount &+ lane] |= UInt64(value) &<< 32 }
  }

  /// The sum of 1,024 values of at most 27 bits.
  static func sumLanes(_ packed: UnsafeRawPointer, width: Int) -> UInt64 {
    guard width > 0 else { return 0 }
    return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: laneCount) { held in
      guard let sums = held.baseAddress else { return 0 }
      sums.initialize(repeating: 0, count: laneCount)
      forEachRow(packed, width: width) { _, lane, value in sums[lane] &+= value }
      var total: UInt64 = 0
      for lane in 0..<laneCount { total &+= UInt64(sums[lane]) }
      return total
    }
  }

  // MARK: One stream, for the last vector of a page

  private static func packStream(
    _ values: UnsafePointer<UInt64>, count: Int, width: Int, into out: UnsafeMutableRawPointer
  ) {
    let end = byteCount(count: count, width: width)
    var open: UInt64 = 0
    var used = 0
    var at = 0
    for i in 0..<count {
      let value = values[i]
      open |= value &<< UInt64(used)
      used += width
      guard used >= 64 else { continue }
      out.storeBytes(of: open.littleEndian, toByteOffset: at, as: UInt64.self)
      at += 8
      used -= 64
      open = used == 0 ? 0 : value &>> UInt64(width - used)
    }
    while at < end {
      out.storeBytes(of: UInt8(truncatingIfNeeded: open), toByteOffset: at, as: UInt8.self)
      open >>= 8
      at += 1
    }
  }

  private static func unpackStream(
    _ packed: UnsafeRawPointer, count: Int, width: Int, into out: UnsafeMutablePointer<UInt64>
  ) {
    let end = byteCount(count: count, width: width)
    let mask = UInt64.max &>> UInt64(64 - width)
    for i in 0..<count {
      let bit = i &* width
      let at = bit >> 3
      let shift = UInt64(truncatingIfNeeded: bit & 7)
      var low: UInt64
      var high: UInt64 = 0
      if at &+ 9 <= end {
        low = UInt64(littleEndian: packed.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        high = UInt64(packed.load(fromByteOffset: at &+ 8, as: UInt8.self))
      } else {
        low = 0
        for k in 0..<min(8, end - at) {
          low |= UInt64(packed.load(fromByteOffset: at + k, as: UInt8.self)) << UInt64(k * 8)
        }
        if at + 8 < end { high = UInt64(packed.load(fromByteOffset: at + 8, as: UInt8.self)) }
      }
      let value = low &>> shift | (shift == 0 ? 0 : high &<< (64 &- shift))
      out[i] = value & mask
    }
  }
}

// One vector of up to 1,024 words, packed with its own reference and width and a few exceptions (patched
// frame-of-reference). FORMAT.md, "Packed vector".
//
//   u8      width 0…64, +128 if residuals are zigzag
//   zigzag  reference
//   varint  number of exceptions
//   bytes   the low `width` bits of every residual, bit-packed
//   per exception: varint distance from the exception before (the first: from 0), varint residual >> width
//
// residual = value - reference (mod 2^64), zigzag or not. Without zigzag the reference is the least value; with it
// a value from the middle, so that a jump to either side is an exception and not a wide vector.

import CVarve
import VarveCore

package enum PackedVector {
  struct Plan {
    var reference: UInt64 = 0
    var isZigzag = false
    var width = 0
    var exceptionCount = 0
    /// Whether residuals have 16 bits at most.
    var isNarrow = false
    /// Close to what `append` writes; exceptions far apart may cost a byte more each.
    var byteCount = Int.max
  }

  /// The narrowest way to write `count` ≤ 1,024 words.
  static func plan(_ words: UnsafePointer<UInt64>, count: Int) -> Plan {
    guard count > 0 else { return Plan(byteCount: 0) }
    let range = cvarve_extremes_of(words, count)
    let spread = range.greatest &- range.least
    let lowest = range.least
    // A vector of a bit or two a value has little to gain, and most are that narrow.
    if spread < 4 {
      let width = 64 - spread.leadingZeroBitCount
      return Plan(
        reference: lowest, width: width, isNarrow: true,
        byteCount: 2 + ByteWriter.varintByteCount(Zigzag.encode(lowest))
          + BitPacking.byteCount(count: count, width: width))
    }
    let middle = median(words, count)
    func better(_ narrow: UnsafePointer<UInt16>?) -> Plan {
      let plain = plan(words, count, range, narrow, reference: lowest, isZigzag: false)
      let both = plan(words, count, range, narrow, reference: middle, isZigzag: true)
      return both.byteCount < plain.byteCount ? both : plain
    }
    guard spread < 1 << 15 else { return better(nil) }
    // What is counted more than once is counted in a quarter of the memory.
    return withUnsafeTemporaryAllocation(of: UInt16.self, capacity: count) { held in
      guard let narrow = held.baseAddress else { return better(nil) }
      cvarve_narrow(words, count, lowest, 0, narrow)
      return better(narrow)
    }
  }

  /// The median of nine words spread over the vector: robust against jumps, and cheap.
  private static func median(_ words: UnsafePointer<UInt64>, _ count: Int) -> UInt64 {
    withUnsafeTemporaryAllocation(of: Int64.self, capacity: 9) { sorted in
      for k in 0..<9 {
        let value = Int64(bitPattern: words[k &* (count &- 1) / 8])
        var at = k
        while at > 0 && sorted[at - 1] > value {
          sorted[at] = sorted[at - 1]
          at -= 1
        }
        sorted[at] = value
      }
      return UInt64(bitPattern: sorted[4])
    }
  }

  @inline(__always)
  private static func residual(_ word: UInt64, _ reference: UInt64, _ isZigzag: Bool) -> UInt64 {
    let distance = word &- reference
    return isZigzag ? Zigzag.encode(distance) : distance
  }

  /// How many residuals have each width, from the widest one's down to where more than an eighth of them would be
  /// exceptions; what is narrower may not be counted. Gives the widest one's. `narrow`: the words less the least, where
  /// that leaves 15 bits.
  private static func countWidths(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ range: cvarve_extremes, _ narrow: UnsafePointer<UInt16>?,
    _ reference: UInt64, _ isZigzag: Bool, _ histogram: UnsafeMutablePointer<UInt32>
  ) -> Int {
    // Distances that are not so far wrap around nowhere: the ends of the range are the farthest.
    if range.greatest &- range.least < 1 << 62 {
      let farthest =
        residual(range.greatest, reference, isZigzag) | residual(range.least, reference, isZigzag)
      let widest = 64 - farthest.leadingZeroBitCount
      if widest >= 3 {
        // Nearly always this is far enough down.
        if let narrow {
          let middle = UInt16(truncatingIfNeeded: reference &- range.least)
          let heights = cvarve_count_heights(narrow, count, middle, isZigzag ? 1 : 0, UInt32(widest))
          histogram[widest] = heights.first
          histogram[widest - 1] = heights.second - heights.first
          histogram[widest - 2] = heights.third - heights.second
        } else {
          cvarve_count_widest(words, count, reference, isZigzag ? 1 : 0, UInt32(widest), histogram + (widest - 2))
        }
        if Int(histogram[widest] + histogram[widest - 1] + histogram[widest - 2]) * 8 > count { return widest }
      }
    }
    cvarve_count_widths(words, count, reference, isZigzag ? 1 : 0, histogram)
    var widest = 64
    while widest > 0 && histogram[widest] == 0 { widest -= 1 }
    return widest
  }

  private static func plan(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ range: cvarve_extremes, _ narrow: UnsafePointer<UInt16>?,
    reference: UInt64, isZigzag: Bool
  ) -> Plan {
    let headerByteCount = 2 + ByteWriter.varintByteCount(Zigzag.encode(reference))
    return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 65) { held in
      guard let histogram = held.baseAddress else { return Plan() }
      let widest = countWidths(words, count, range, narrow, reference, isZigzag, histogram)
      var best = Plan(
        reference: reference, isZigzag: isZigzag, width: widest, exceptionCount: 0, isNarrow: narrow != nil,
        byteCount: headerByteCount + BitPacking.byteCount(count: count, width: widest))
      var exceptions = 0
      var width = widest
      while width > 0 {
        exceptions += Int(histogram[width])
        width -= 1
        // More than an eighth of exceptions is never worth their decoding.
        if exceptions * 8 > count { break }
        var byteCount = headerByteCount + BitPacking.byteCount(count: count, width: width)
        for bits in (width + 1)...widest { byteCount += Int(histogram[bits]) * (1 + (bits - width + 6) / 7) }
        if exceptions >= 128 { byteCount += 1 }
        if byteCount < best.byteCount {
          best.width = width
          best.exceptionCount = exceptions
          best.byteCount = byteCount
        }
      }
      return best
    }
  }

  static func append(_ words: UnsafePointer<UInt64>, count: Int, plan: Plan, to out: inout ByteWriter) {
    out.append(byte: UInt8(plan.width) | (plan.isZigzag ? 0x80 : 0))
    out.append(zigzag: Int64(bitPattern: plan.reference))
    out.append(varint: UInt64(plan.exceptionCount))
    guard !plan.isNarrow else { return appendNarrow(words, count, plan, to: &out) }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { residuals in
      guard let base = residuals.baseAddress else { return }
      for i in 0..<count { base[i] = residual(words[i], plan.reference, plan.isZigzag) }
      let mask = plan.width == 0 ? 0 : UInt64.max &>> UInt64(64 - plan.width)
      var exceptions = ByteWriter()
      if plan.exceptionCount > 0 {
        var previous = 0
        for i in 0..<count where base[i] > mask {
          exceptions.append(varint: UInt64(i - previous))
          exceptions.append(varint: base[i] &>> UInt64(plan.width))
          previous = i
          base[i] &= mask
        }
      }
      out.append(uninitialized: BitPacking.byteCount(count: count, width: plan.width)) { raw in
        guard let target = raw.baseAddress else { return }
        BitPacking.pack(base, count: count, width: plan.width, into: target)
      }
      out.append(exceptions.bytes)
    }
  }

  private static func appendNarrow(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ plan: Plan, to out: inout ByteWriter
  ) {
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 2 * count) { held in
      guard let residuals = held.baseAddress else { return }
      cvarve_narrow(words, count, plan.reference, plan.isZigzag ? 1 : 0, residuals)
      out.append(uninitialized: BitPacking.byteCount(count: count, width: plan.width)) { raw in
        guard let target = raw.baseAddress else { return }
        BitPacking.pack(narrow: residuals, count: count, width: plan.width, into: target)
      }
      guard plan.exceptionCount > 0 else { return }
      let places = residuals + count
      var previous: UInt16 = 0
      for k in 0..<cvarve_find_wide(residuals, count, UInt32(plan.width), places) {
        out.append(varint: UInt64(places[k] - previous))
        out.append(varint: UInt64(residuals[Int(places[k])]) &>> UInt64(plan.width))
        previous = places[k]
      }
    }
  }

  /// Reads `count` ≤ 1,024 words. Total.
  static func read(_ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>) throws {
    let reference = try read(lessReference: count, from: &reader, into: out)
    guard reference != 0 else { return }
    for i in 0..<count { out[i] = out[i] &+ reference }
  }

  /// The same without the addition of the reference that it answers: whoever sums up adds it on the way. Total.
  static func read(
    lessReference count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws -> UInt64 {
    let head = try reader.readByte()
    let width = Int(head & 0x7F)
    guard width <= 64 else { throw VarveError(.corruption, "a packed vector is \(width) bits wide") }
    let reference = UInt64(bitPattern: try reader.readZigzag())
    let exceptionCount = try reader.readCount(minimumByteCount: 2)
    guard exceptionCount <= count, exceptionCount == 0 || width < 64 else {
      throw VarveError(.corruption, "a packed vector of \(count) values has \(exceptionCount) exceptions")
    }
    let packed = try reader.readRaw(BitPacking.byteCount(count: count, width: width))
    if let base = packed.baseAddress {
      BitPacking.unpack(base, count: count, width: width, into: out)
    } else {
      out.update(repeating: 0, count: count)
    }
    var at = 0
    for k in 0..<exceptionCount {
      let distance = try reader.readLength()
      guard distance < count, k == 0 || distance > 0, at + distance < count else {
        throw VarveError(.corruption, "an exception lies outside its packed vector")
      }
      at += distance
      out[at] |= try reader.readVarint() &<< UInt64(width)
    }
    guard head & 0x80 != 0 else { return reference }
    for i in 0..<count { out[i] = Zigzag.decode(out[i]) }
    return reference
  }

  /// The sum of the next `count` words as signed integers, over packed lanes and without the words; nil, and nothing
  /// read, where the vector is not of a form that allows it. Total.
  static func sum(_ count: Int, from reader: inout ByteReader) throws -> Int128? {
    guard count == BitPacking.vectorValueCount else { return nil }
    var ahead = reader
    let width = Int(try ahead.readByte())
    // Thirty-two residuals of a lane sum up within 32 bits; zigzag residuals do not sum up at all.
    guard width <= 27 else { return nil }
    let reference = try ahead.readZigzag()
    // Near the ends of the range a word may wrap around.
    guard reference.magnitude < 1 << 62 else { return nil }
    guard try ahead.readVarint() == 0 else { return nil }
    let packed = try ahead.readRaw(BitPacking.byteCount(count: count, width: width))
    reader = ahead
    let residuals = packed.baseAddress.map { BitPacking.sumLanes($0, width: width) } ?? 0
    return Int128(reference) * Int128(count) + Int128(residuals)
  }
}

// Integers whose differences are bell-shaped, near their entropy: each is cut into a symbol of four bits, which an
// entropy stage takes (`NibbleEntropy`), and k low bits, which are noise and packed as they are. Read by `SplitVectors`. FORMAT.md,
// "Split".
//
//   u8       k = 0 … 60, + 64 × (0 the words, 1 first differences, 2 second differences)
//   zigzag   base, for first and second differences · zigzag base of differences, for second ones
//   zigzag   reference
//   varint   exceptions x
//   symbols  n, entropy-coded
//   bytes    the low k bits of every value, bit-packed in vectors of 1,024
//   stream   of x exceptions: zigzag (value - reference); packed vectors at most, no runs or split streams
//
// u = value - reference (mod 2^64). symbol = u >> k if below 15; else 15, low bits 0, and the value is the next
// exception.

import CVarve
import VarveCore

enum SplitStream {
  static let escape: UInt8 = 15
  static let shiftLimit = 60

  struct Plan {
    var shift = 0
    var reference: UInt64 = 0
    /// Of the words that were looked at; close to what `append` writes.
    var byteCount = Int.max
  }

  /// The best cut for words like these `count` ≤ 1,024.
  static func plan(_ words: UnsafePointer<UInt64>, count: Int) -> Plan {
    guard count > 0 else { return Plan() }
    return withUnsafeTemporaryAllocation(of: Int64.self, capacity: 33) { picked in
      var sorted = picked
      for i in 0..<33 { sorted[i] = Int64(bitPattern: words[i &* (count &- 1) / 32]) }
      sorted.sort()
      var least = Int64.max
      for i in 0..<count { least = min(least, Int64(bitPattern: words[i])) }
      // The central 31 of 33 tell a bell's width whatever its far values are.
      let spread = UInt64(bitPattern: sorted[31] &- sorted[1])
      let widest = max(0, 64 - spread.leadingZeroBitCount - 3)
      var best = Plan()
      for shift in max(0, widest - 2)...max(0, min(widest, shiftLimit)) {
        // The middle of the symbols over the median; or, where nothing lies below, their first at the least word.
        let half = Int64(bitPattern: ((15 as UInt64) &<< UInt64(shift)) / 2)
        let (centered, underflow) = sorted[16].subtractingReportingOverflow(half)
        let reference = underflow ? least : max(centered, least)
        consider(words, count, shift, UInt64(bitPattern: reference), &best)
      }
      return best
    }
  }

  private static func consider(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ shift: Int, _ reference: UInt64, _ best: inout Plan
  ) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: NibbleEntropy.symbolCount) { histogram in
      guard let counts = histogram.baseAddress else { return }
      counts.initialize(repeating: 0, count: NibbleEntropy.symbolCount)
      var exceptionBits = 0
      for i in 0..<count {
        let u = words[i] &- reference
        let symbol = u &>> UInt64(shift)
        if symbol < UInt64(escape) {
          counts[Int(symbol)] &+= 1
        } else {
          counts[Int(escape)] &+= 1
          exceptionBits &+= 64 &- Zigzag.encode(u).leadingZeroBitCount
        }
      }
      let byteCount =
        NibbleEntropy.byteCount(of: counts, count: count) + (count * shift + exceptionBits) / 8 + 4
      if byteCount < best.byteCount { best = Plan(shift: shift, reference: reference, byteCount: byteCount) }
    }
  }

  // MARK: Writing

  /// Appends reference, symbols, low bits and exceptions; the head with `shift` and the bases stands before.
  static func append(_ words: UnsafePointer<UInt64>, count: Int, plan: Plan, to out: inout ByteWriter) {
    let symbols = Buffer<UInt8>(capacity: count)
    let low = Buffer<UInt64>(capacity: plan.shift > 0 ? count : 0)
    let escapes = cvarve_split_words(words, count, plan.reference, UInt32(plan.shift), symbols.base, low.base)
    let exceptions = Buffer<UInt64>(capacity: escapes)
    if escapes > 0 {
      let held = symbols.base
      for i in 0..<count where held[i] == escape { exceptions.append(Zigzag.encode(words[i] &- plan.reference)) }
    }
    out.append(zigzag: Int64(bitPattern: plan.reference))
    out.append(varint: UInt64(exceptions.count))
    NibbleEntropy.append(symbols.base, count: count, to: &out)
    var at = 0
    while at < count, plan.shift > 0 {
      let n = min(BitPacking.vectorValueCount, count - at)
      out.append(uninitialized: BitPacking.byteCount(count: n, width: plan.shift)) { raw in
        guard let target = raw.baseAddress else { return }
        BitPacking.pack(low.base + at, count: n, width: plan.shift, into: target)
      }
      at += n
    }
    if exceptions.count > 0 { IntegerCodec.appendExceptions(exceptions.span, to: &out) }
  }
}

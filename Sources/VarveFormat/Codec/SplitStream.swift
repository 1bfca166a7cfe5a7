// Integers whose differences are bell-shaped, near their entropy: each is cut into a symbol of four bits, which an
// entropy stage takes (`NibbleEntropy`), and k low bits, which are noise and packed as they are. Read by `SplitVectors`.
// FORMAT.md, "Split".
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
    /// Brings the middle of the symbols over the median; nil where no word is as small.
    var centered: Int64?
    /// Of the words that were looked at; close to what `append` writes.
    var byteCount = Int.max

    /// Where nothing lies below, the first symbol stands for the least word.
    func reference(least: Int64) -> UInt64 { UInt64(bitPattern: max(centered ?? least, least)) }
  }

  /// The best cut for words like these `count` ≤ 1,024.
  static func plan(_ words: UnsafePointer<UInt64>, count: Int) -> Plan {
    guard count > 0 else { return Plan() }
    return withUnsafeTemporaryAllocation(of: Int64.self, capacity: 33) { held in
      guard let sorted = held.baseAddress else { return Plan() }
      for k in 0..<33 {
        let value = Int64(bitPattern: words[k &* (count &- 1) / 32])
        var at = k
        while at > 0 && sorted[at - 1] > value {
          sorted[at] = sorted[at - 1]
          at -= 1
        }
        sorted[at] = value
      }
      let least = Int64(bitPattern: cvarve_extremes_of(words, count).least)
      // The central 31 of 33 tell a bell's width whatever its far values are.
      let spread = UInt64(bitPattern: sorted[31] &- sorted[1])
      let widest = max(0, 64 - spread.leadingZeroBitCount - 3)
      var best = Plan()
      for shift in max(0, widest - 2)...max(0, min(widest, shiftLimit)) {
        let half = Int64(bitPattern: ((15 as UInt64) &<< UInt64(shift)) / 2)
        let (centered, underflow) = sorted[16].subtractingReportingOverflow(half)
        let plan = Plan(shift: shift, centered: underflow ? nil : centered)
        consider(words, count, plan, plan.reference(least: least), &best)
      }
      return best
    }
  }

  private static func consider(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ plan: Plan, _ reference: UInt64, _ best: inout Plan
  ) {
    let symbols = Symbols(words, count, shift: plan.shift, reference: reference)
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: NibbleEntropy.symbolCount) { held in
      guard let counts = held.baseAddress else { return }
      cvarve_count_symbols(symbols.held.base, count, counts)
      var exceptionBits = 0
      if symbols.escapes > 0 {
        for i in 0..<count where symbols.held.base[i] == escape {
          exceptionBits &+= 64 &- Zigzag.encode(words[i] &- reference).leadingZeroBitCount
        }
      }
      let byteCount =
        NibbleEntropy.byteCount(of: counts, count: count) + (count * plan.shift + exceptionBits) / 8 + 4
      if byteCount < best.byteCount {
        best = plan
        best.byteCount = byteCount
      }
    }
  }

  /// Words that are cut.
  private struct Symbols {
    let held: Buffer<UInt8>
    /// Empty without a shift.
    let low: Buffer<UInt64>
    let escapes: Int

    init(_ words: UnsafePointer<UInt64>, _ count: Int, shift: Int, reference: UInt64) {
      held = Buffer(capacity: count)
      low = Buffer(capacity: shift > 0 ? count : 0)
      escapes = cvarve_split_words(words, count, reference, UInt32(shift), held.base, low.base)
    }
  }

  // MARK: Writing

  /// Appends reference, symbols, low bits and exceptions; the head with `shift` and the bases stands before. Answers a
  /// number of bytes that the same words take at least as packed vectors.
  static func append(_ words: UnsafePointer<UInt64>, count: Int, plan: Plan, to out: inout ByteWriter) -> Int {
    let reference = plan.reference(least: Int64(bitPattern: cvarve_extremes_of(words, count).least))
    let symbols = Symbols(words, count, shift: plan.shift, reference: reference)
    let held = symbols.held.base
    let exceptions = Buffer<UInt64>(capacity: symbols.escapes)
    if symbols.escapes > 0 {
      for i in 0..<count where held[i] == escape { exceptions.append(Zigzag.encode(words[i] &- reference)) }
    }
    out.append(zigzag: Int64(bitPattern: reference))
    out.append(varint: UInt64(exceptions.count))
    let packedByteCount = withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2 * NibbleEntropy.symbolCount) {
      counts -> Int in
      guard let all = counts.baseAddress else { return 0 }
      let packedByteCount = countSymbols(held, count, plan.shift, into: all)
      NibbleEntropy.append(held, count: count, counts: all, to: &out)
      return packedByteCount
    }
    var at = 0
    while at < count, plan.shift > 0 {
      let n = min(BitPacking.vectorValueCount, count - at)
      out.append(uninitialized: BitPacking.byteCount(count: n, width: plan.shift)) { raw in
        guard let target = raw.baseAddress else { return }
        BitPacking.pack(symbols.low.base + at, count: n, width: plan.shift, into: target)
      }
      at += n
    }
    if exceptions.count > 0 { IntegerCodec.appendExceptions(exceptions.span, to: &out) }
    return packedByteCount
  }

  /// Counts the symbols into the first half of `counts`. Answers what packed vectors of their words take at least.
  private static func countSymbols(
    _ symbols: UnsafePointer<UInt8>, _ count: Int, _ shift: Int, into counts: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let ofVector = counts + NibbleEntropy.symbolCount
    counts.update(repeating: 0, count: NibbleEntropy.symbolCount)
    var byteCount = 0
    var at = 0
    while at < count {
      let n = min(BitPacking.vectorValueCount, count - at)
      cvarve_count_symbols(symbols + at, n, ofVector)
      for s in 0..<NibbleEntropy.symbolCount { counts[s] += ofVector[s] }
      byteCount += leastPackedByteCount(ofVector, n, shift)
      at += n
    }
    return byteCount
  }

  /// A packed vector of a width holds a stretch of 2^width words that follow each other, which is so many neighbouring
  /// symbols; all others but escapes, which may be anywhere, are exceptions of two bytes at least. More than an eighth
  /// of those it never has.
  private static func leastPackedByteCount(_ counts: UnsafePointer<UInt32>, _ count: Int, _ shift: Int) -> Int {
    var least = Int.max
    var width = 0
    while true {
      let held = width > shift ? 1 << (width - shift) + (shift > 0 ? 1 : 0) : shift > 0 ? 2 : 1
      let covered = Int(counts[Int(escape)]) + mostOfNeighbours(counts, min(held, Int(escape)))
      let exceptionCount = count - covered
      if exceptionCount * 8 <= count {
        least = min(least, 3 + BitPacking.byteCount(count: count, width: width) + 2 * exceptionCount)
      }
      if held >= Int(escape) || covered == count { return least }
      width += 1
    }
  }

  /// The greatest sum of the counts of `n` neighbouring symbols below the escape.
  private static func mostOfNeighbours(_ counts: UnsafePointer<UInt32>, _ n: Int) -> Int {
    var sum = 0
    for s in 0..<n { sum += Int(counts[s]) }
    var most = sum
    for s in n..<max(n, Int(escape)) {
      sum += Int(counts[s]) - Int(counts[s - n])
      most = max(most, sum)
    }
    return most
  }
}

// Sums and ranges of words without gaps, eight at a time. Called with at most a page's words.

import VarveCore

enum WordKernels {
  private typealias Words = SIMD8<UInt64>
  private typealias Doubles = SIMD8<Double>

  /// Adds `count` > 0 integers to a zone map of rows before them.
  static func add(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ isSigned: Bool, _ wanted: PageAggregates, to zone: inout ZoneMap
  ) {
    if zone.valueCount == 0 {
      zone.first = words[0]
      zone.minimum = words[0]
      zone.maximum = words[0]
    }
    zone.last = words[count - 1]
    zone.valueCount += count
    var isNarrow = false
    if wanted.contains(.sum) {
      let (sum, beyond) = sum(words, count, isSigned)
      isNarrow = beyond == 0
      // 2^14 words within ±2^48 stay within 63 bits.
      zone.integerSum += isNarrow ? Int128(Int64(bitPattern: sum)) : wideSum(words, count, isSigned)
    } else if wanted.contains(.range) {
      isNarrow = beyond(words, count, isSigned) == 0
    }
    guard wanted.contains(.range) else { return }
    if isNarrow {
      let (least, greatest) = narrowRange(words, count)
      merge(least, greatest, isSigned, into: &zone)
    } else {
      let flip: UInt64 = isSigned ? 1 << 63 : 0
      var (least, greatest) = (words[0] ^ flip, words[0] ^ flip)
      for i in 1..<max(count, 1) {
        least = min(least, words[i] ^ flip)
        greatest = max(greatest, words[i] ^ flip)
      }
      merge(least ^ flip, greatest ^ flip, isSigned, into: &zone)
    }
  }

  private static func merge(_ least: UInt64, _ greatest: UInt64, _ isSigned: Bool, into zone: inout ZoneMap) {
    let flip: UInt64 = isSigned ? 1 << 63 : 0
    if least ^ flip < zone.minimum ^ flip { zone.minimum = least }
    if greatest ^ flip > zone.maximum ^ flip { zone.maximum = greatest }
  }

  /// 0 if all words are within ±2^48; or, unsigned, below.
  private static func beyond(_ words: UnsafePointer<UInt64>, _ count: Int, _ isSigned: Bool) -> UInt64 {
    let offset: UInt64 = isSigned ? 1 << 48 : 0
    var beyond: UInt64 = 0
    for i in 0..<count { beyond |= (words[i] &+ offset) &>> 49 }
    return beyond
  }

  /// With `beyond`; where that is not 0, the sum may have overflowed.
  private static func sum(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ isSigned: Bool
  ) -> (sum: UInt64, beyond: UInt64) {
    let offset: UInt64 = isSigned ? 1 << 48 : 0
    var (sum, beyond): (UInt64, UInt64) = (0, 0)
    for i in 0..<count {
      sum &+= words[i]
      beyond |= (words[i] &+ offset) &>> 49
    }
    return (sum, beyond)
  }

  /// Halves, so that no sum of a page's words overflows: the high one signed if the words are, the low one not.
  private static func wideSum(_ words: UnsafePointer<UInt64>, _ count: Int, _ isSigned: Bool) -> Int128 {
    var high: Int64 = 0
    var low: UInt64 = 0
    for i in 0..<count {
      high &+= isSigned ? Int64(bitPattern: words[i]) >> 32 : Int64(words[i] >> 32)
      low &+= words[i] & 0xFFFF_FFFF
    }
    return Int128(high) << 32 + Int128(low)
  }

  /// Of narrow words. They become mantissas of positive doubles, which processors compare in vectors.
  private static func narrowRange(_ words: UnsafePointer<UInt64>, _ count: Int) -> (UInt64, UInt64) {
    let shift = (0x1.8p52 as Double).bitPattern
    let first = Double(bitPattern: words[0] &+ shift)
    var least = Doubles(repeating: first)
    var greatest = least
    let raw = UnsafeRawPointer(words)
    let shifts = Words(repeating: shift)
    var at = 0
    while at &+ 8 <= count {
      let eight = raw.loadUnaligned(fromByteOffset: at &* 8, as: Words.self) &+ shifts
      let values = unsafeBitCast(eight, to: Doubles.self)
      least = least.replacing(with: values, where: values .< least)
      greatest = greatest.replacing(with: values, where: values .> greatest)
      at &+= 8
    }
    var (low, high) = (least.min(), greatest.max())
    while at < count {
      let value = Double(bitPattern: words[at] &+ shift)
      low = value < low ? value : low
      high = value > high ? value : high
      at &+= 1
    }
    return (low.bitPattern &- shift, high.bitPattern &- shift)
  }

  // MARK: Doubles

  /// Adds `count` > 0 doubles to a zone map of rows before them.
  static func addDoubles(
    _ words: UnsafePointer<UInt64>, _ count: Int, _ wanted: PageAggregates, to zone: inout ZoneMap
  ) {
    if zone.valueCount == 0 { zone.first = words[0] }
    zone.last = words[count - 1]
    if wanted.contains(.sum) { zone.doubleSum += doubleSum(words, count) }
    if wanted.contains(.range) {
      let (least, greatest, nans) = doubleRange(words, count)
      // Comparisons with what is not there yet, or with the bounds of NaN alone, say nothing.
      if nans < count {
        let isFirst = !zone.hasRange(.float64)
        if isFirst || least < Double(bitPattern: zone.minimum) { zone.minimum = least.bitPattern }
        if isFirst || greatest > Double(bitPattern: zone.maximum) { zone.maximum = greatest.bitPattern }
      }
      zone.nanCount += nans
    }
    zone.valueCount += count
  }

  private static func doubleSum(_ words: UnsafePointer<UInt64>, _ count: Int) -> Double {
    let raw = UnsafeRawPointer(words)
    var (even, odd) = (Doubles.zero, Doubles.zero)
    var at = 0
    while at &+ 16 <= count {
      even += raw.loadUnaligned(fromByteOffset: at &* 8, as: Doubles.self)
      odd += raw.loadUnaligned(fromByteOffset: at &* 8 &+ 64, as: Doubles.self)
      at &+= 16
    }
    var sum = (even + odd).sum()
    while at < count {
      sum += Double(bitPattern: words[at])
      at &+= 1
    }
    return sum
  }

  /// Of those that are not NaN; which of equal zeros is found is not said, as in a zone map.
  private static func doubleRange(
    _ words: UnsafePointer<UInt64>, _ count: Int
  ) -> (least: Double, greatest: Double, nans: Int) {
    let raw = UnsafeRawPointer(words)
    var least = Doubles(repeating: .infinity)
    var greatest = Doubles(repeating: -.infinity)
    var nans = SIMD8<Int64>.zero
    let one = SIMD8<Int64>(repeating: 1)
    var at = 0
    while at &+ 8 <= count {
      let values = raw.loadUnaligned(fromByteOffset: at &* 8, as: Doubles.self)
      // Comparisons with NaN are false: it moves neither bound.
      least = least.replacing(with: values, where: values .< least)
      greatest = greatest.replacing(with: values, where: values .> greatest)
      nans &+= SIMD8<Int64>.zero.replacing(with: one, where: values .!= values)
      at &+= 8
    }
    var (low, high) = (least.min(), greatest.max())
    var nanCount = Int(nans.wrappedSum())
    while at < count {
      let value = Double(bitPattern: words[at])
      low = value < low ? value : low
      high = value > high ? value : high
      nanCount &+= value == value ? 0 : 1
      at &+= 1
    }
    return (low, high, nanCount)
  }
}

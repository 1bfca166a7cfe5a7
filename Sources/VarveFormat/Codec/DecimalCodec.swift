// Doubles that are short decimals, as integers: ALP (Afroozeh, Kuffó, Boncz; SIGMOD 2023) with one exponent a page and
// a division where the paper multiplies. FORMAT.md, "Decimals".
//
//   u8      exponent e = 0 … 22
//   varint  exceptions x
//   stream  of n integers
//   stream  of x positions, strictly ascending · x × u64 words: only if x > 0
//
// value = integer ÷ 10^e, correctly rounded. A decimal of up to 15 digits is the double nearest to that quotient, so
// it always comes back, where integer × 10^f × 10^-e misses some by a bit and needs a second factor to miss fewer.
// The integers go through the integer codecs: where a sensor is slow, their differences are what is stored.
//
// -0, NaN, infinities and what does not come back bit by bit are exceptions; the integer before stands in their place.

import CVarve
import VarveCore

enum DecimalCodec {
  static let exponentLimit = 22
  /// Every one of these is exact.
  private static let powers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]
  /// Added to a double within ±2^51 and taken off again it leaves the nearest integer.
  @inline(__always) private static var shifter: Double { 0x1.8p52 }
  private static let writtenExponentLimit = 18

  static func power(_ exponent: Int) -> Double { powers[exponent] }

  // MARK: Writing

  /// The exponent that suits a sample of the words, nil where decimals gain little, and the share of exceptions to it.
  static func exponent(
    for words: UnsafeBufferPointer<UInt64>
  ) -> (exponent: Int?, exceptionShare: Double) {
    guard let base = words.baseAddress, words.count > 0 else { return (nil, 1) }
    let n = min(words.count, 64)
    var best: (bits: Int, exponent: Int, exceptions: Int)?
    for exponent in 0...writtenExponentLimit {
      let power = powers[exponent]
      var exceptions = 0
      var (least, greatest) = (Int64.max, Int64.min)
      for k in 0..<n {
        guard let integer = integer(base[k &* (words.count &- 1) / max(n &- 1, 1)], power) else {
          exceptions += 1
          continue
        }
        least = min(least, integer)
        greatest = max(greatest, integer)
      }
      guard exceptions < n else { continue }
      let width = 64 - UInt64(bitPattern: greatest &- least).leadingZeroBitCount
      let bits = n * width + exceptions * 80
      if best == nil || bits < best?.bits ?? 0 { best = (bits, exponent, exceptions) }
      if exceptions == 0 { break }
    }
    guard let best, best.bits < n * 62 else { return (nil, 1) }
    return (best.exponent, Double(best.exceptions) / Double(n))
  }

  /// The integer that gives back the word; nil if there is none.
  @inline(__always)
  private static func integer(_ word: UInt64, _ power: Double) -> Int64? {
    let value = Double(bitPattern: word)
    let scaled = value * power
    guard scaled.magnitude < 0x1p51 else { return nil }
    let whole = scaled + shifter - shifter
    return (whole / power).bitPattern == word ? Int64(whole) : nil
  }

  static func append(
    _ words: UnsafeBufferPointer<UInt64>, exponent: Int, effort: PageEffort, to out: inout ByteWriter
  ) {
    let power = powers[exponent]
    let integers = Buffer<UInt64>(capacity: words.count)
    let positions = Buffer<UInt64>()
    var held: UInt64 = 0
    for i in 0..<words.count {
      if let integer = integer(words[i], power) {
        // Exceptions at the front take the first integer there is.
        if positions.count == i && i > 0 { integers.base.update(repeating: UInt64(bitPattern: integer), count: i) }
        held = UInt64(bitPattern: integer)
      } else {
        positions.append(UInt64(i))
      }
      integers.append(held)
    }
    out.append(byte: UInt8(exponent))
    out.append(varint: UInt64(positions.count))
    IntegerCodec.append(stream: integers.span, effort: effort, to: &out)
    guard positions.count > 0 else { return }
    IntegerCodec.append(stream: positions.span, effort: effort, to: &out)
    for position in positions.span { out.append(u64: words[Int(position)]) }
  }

  // MARK: Reading

  /// Total; whoever calls bounds `count`.
  static func read(_ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>) throws {
    let exponent = Int(try reader.readByte())
    guard exponent <= exponentLimit else {
      throw VarveError(.corruption, "decimals have an impossible exponent (\(exponent))")
    }
    let exceptionCount = try reader.readCount(minimumByteCount: 8)
    guard exceptionCount <= count else {
      throw VarveError(.corruption, "\(count) decimals have \(exceptionCount) exceptions")
    }
    try read(scaled: count, by: powers[exponent], from: &reader, into: out)
    guard exceptionCount > 0 else { return }
    let positions = Buffer<UInt64>(capacity: exceptionCount)
    try IntegerCodec.read(stream: exceptionCount, from: &reader, into: positions.base)
    var next: UInt64 = 0
    for k in 0..<exceptionCount {
      let position = positions.base[k]
      guard position >= next, position < UInt64(count) else {
        throw VarveError(.corruption, "an exception lies outside its decimals")
      }
      out[Int(position)] = try reader.readUInt64()
      next = position + 1
    }
  }

  /// A stream of integers as doubles, a vector at a time: what was unpacked is scaled while it is in the first cache.
  static func read(
    scaled count: Int, by power: Double, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    var vectors = try IntegerCodec.vectors(stream: count, reader)
    while vectors.remaining > 0 {
      let target = out + vectors.position
      scale(target, try vectors.next(into: target), by: power)
    }
    reader = vectors.reader
  }

  /// Integers become doubles, in place.
  static func scale(_ words: UnsafeMutablePointer<UInt64>, _ count: Int, by power: Double) {
    guard cvarve_scale_decimals(words, count, power) == 0 else { return }
    for i in 0..<count { words[i] = (Double(Int64(bitPattern: words[i])) / power).bitPattern }
  }
}

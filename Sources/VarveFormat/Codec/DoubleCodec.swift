// Doubles, as bit patterns in words. FORMAT.md, "Doubles".

import VarveCore

package enum DoubleCodec {
  /// Writes the words in the smallest of the ways this file knows and says which it was.
  package static func encode(_ words: UnsafeBufferPointer<UInt64>, to out: inout ByteWriter) -> ValueCodec {
    if let integers = integers(words) {
      var body = ByteWriter()
      IntegerCodec.append(stream: integers.span, to: &body)
      // Whole numbers up to 2^53 take 53 bits and a sign at most, so this is never far from the smallest.
      if body.count < words.count * 8 {
        out.append(body.bytes)
        return .integral
      }
    }
    var asIntegers = ByteWriter()
    let codec = IntegerCodec.encode(words, to: &asIntegers)
    // A constant or a handful of runs cannot be beaten; Gorilla takes a bit a value at least.
    if asIntegers.count * 8 > words.count {
      var gorilla = ByteWriter()
      Gorilla.encode(words, to: &gorilla)
      if gorilla.count < asIntegers.count {
        out.append(gorilla.bytes)
        return .gorilla
      }
    }
    out.append(asIntegers.bytes)
    return codec
  }

  /// The integers that the doubles are; nil unless every one comes back bit by bit (so not for -0, NaN, ±Inf,
  /// fractions, or magnitudes from 2^53 on).
  private static func integers(_ words: UnsafeBufferPointer<UInt64>) -> Buffer<UInt64>? {
    let integers = Buffer<UInt64>(capacity: words.count)
    let out = integers.base
    for i in 0..<words.count {
      let double = Double(bitPattern: words[i])
      guard double.magnitude < 0x1p53 else { return nil }
      let integer = Int64(double)
      guard Double(integer).bitPattern == words[i] else { return nil }
      out[i] = UInt64(bitPattern: integer)
    }
    integers.count = words.count
    return integers
  }

  /// Reads `count` words into `out`, which has room for them. Total.
  package static func decode(
    _ codec: ValueCodec, count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    switch codec {
    case .gorilla: try Gorilla.decode(count, from: &reader, into: out)
    case .integral:
      try IntegerCodec.read(stream: count, from: &reader, into: out)
      for i in 0..<count { out[i] = Double(Int64(bitPattern: out[i])).bitPattern }
    default: try IntegerCodec.decode(codec, count: count, from: &reader, into: out)
    }
  }
}

// Doubles, as bit patterns in words. FORMAT.md, "Codecs".

import VarveCore

package enum DoubleCodec {
  /// Writes the words in the smallest of the ways that `effort` allows and says which it was.
  package static func encode(
    _ words: UnsafeBufferPointer<UInt64>, effort: PageEffort = .light, to out: inout ByteWriter
  ) -> ValueCodec {
    var best = ByteWriter()
    var codec = encodeDirectly(words, effort: effort, to: &best)
    if effort == .smallest, best.count > dictionaryByteCountLimit(words.count), WordDictionary.mayRepeat(words),
      let dictionary = dictionary(words, below: best.count)
    {
      (codec, best) = (.dictionary, dictionary)
    }
    out.append(best.bytes)
    return codec
  }

  /// Below this a dictionary, with a code a value, has nothing to gain.
  private static func dictionaryByteCountLimit(_ count: Int) -> Int { 64 + count / 8 }

  private static func dictionary(_ words: UnsafeBufferPointer<UInt64>, below limit: Int) -> ByteWriter? {
    guard let (distinct, codes) = WordDictionary.find(words, isSigned: false) else { return nil }
    var out = ByteWriter()
    out.append(varint: UInt64(distinct.count))
    var values = ByteWriter()
    out.append(byte: encodeDirectly(distinct.span, effort: .smallest, to: &values).rawValue)
    out.append(values.bytes)
    IntegerCodec.append(stream: codes.span, effort: .smallest, to: &out)
    return out.count < limit ? out : nil
  }

  /// Without a dictionary.
  private static func encodeDirectly(
    _ words: UnsafeBufferPointer<UInt64>, effort: PageEffort, to out: inout ByteWriter
  ) -> ValueCodec {
    if let integers = integers(words) {
      var body = ByteWriter()
      IntegerCodec.append(stream: integers.span, effort: effort, to: &body)
      // Whole numbers up to 2^53 take 53 bits and a sign at most, so this is never far from the smallest.
      if body.count < words.count * 8 {
        out.append(body.bytes)
        return .integral
      }
    }
    let sample = sample(words)
    let (exponent, exceptionShare) = DecimalCodec.exponent(for: words)
    let realPlan = exponent == nil || exceptionShare > 0.1 ? RealDoubleCodec.plan(words) : nil
    func write(
      _ candidate: Candidate, _ words: UnsafeBufferPointer<UInt64>, _ effort: PageEffort, to out: inout ByteWriter
    ) -> ValueCodec? {
      switch candidate {
      case .integers: return IntegerCodec.encode(words, effort: effort, to: &out)
      case .decimal:
        guard let exponent else { return nil }
        DecimalCodec.append(words, exponent: exponent, effort: effort, to: &out)
        return .decimal
      case .realDoubles:
        guard let realPlan else { return nil }
        RealDoubleCodec.append(words, plan: realPlan, effort: effort, to: &out)
        return .realDoubles
      case .gorilla:
        Gorilla.encode(words, to: &out)
        return .gorilla
      }
    }
    var sizes: [(candidate: Candidate, byteCount: Int)] = []
    for candidate in Candidate.allCases {
      var out = ByteWriter()
      if write(candidate, sample, .light, to: &out) != nil { sizes.append((candidate, out.count)) }
    }
    let least = sizes.map(\.byteCount).min() ?? 0
    // A sample is only a sample: where size is all, what comes near is written too.
    let margin = effort == .smallest ? least / 5 : 0
    var best: (bytes: [UInt8], codec: ValueCodec)?
    for (candidate, byteCount) in sizes where byteCount <= least + margin {
      var out = ByteWriter()
      guard let codec = write(candidate, words, effort, to: &out) else { continue }
      if out.count < best?.bytes.count ?? Int.max { best = (out.bytes, codec) }
    }
    guard let best, best.bytes.count <= words.count * 8 else {
      IntegerCodec.appendRaw(words, to: &out)
      return .raw
    }
    out.append(best.bytes)
    return best.codec
  }

  private enum Candidate: CaseIterable {
    /// The bit patterns as integers: constants, runs, few bits that change.
    case integers
    case decimal, gorilla, realDoubles
  }

  /// A vector from the middle; all words where there are few.
  private static func sample(_ words: UnsafeBufferPointer<UInt64>) -> UnsafeBufferPointer<UInt64> {
    let size = BitPacking.vectorValueCount
    guard words.count > 2 * size else { return words }
    let start = words.count / 2 / size * size
    return UnsafeBufferPointer(rebasing: words[start..<(start + size)])
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
    guard codec == .dictionary else { return try decodeDirectly(codec, count: count, from: &reader, into: out) }
    try WordDictionary.read(count, from: &reader, into: out) { count, reader, out in
      let tag = try reader.readByte()
      guard let codec = ValueCodec(rawValue: tag) else {
        throw VarveError(.corruption, "a dictionary's words have an unknown codec (\(tag))")
      }
      try decodeDirectly(codec, count: count, from: &reader, into: out)
    }
  }

  private static func decodeDirectly(
    _ codec: ValueCodec, count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    switch codec {
    case .gorilla: try Gorilla.decode(count, from: &reader, into: out)
    case .integral: try DecimalCodec.read(scaled: count, by: 1, from: &reader, into: out)
    case .decimal: try DecimalCodec.read(count, from: &reader, into: out)
    case .realDoubles: try RealDoubleCodec.read(count, from: &reader, into: out)
    default: try IntegerCodec.decode(codec, count: count, from: &reader, into: out)
    }
  }
}

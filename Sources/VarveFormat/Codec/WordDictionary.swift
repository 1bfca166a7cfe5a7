// Pages of few distinct words: the words once, in ascending order, and a code a value. FORMAT.md, "Codecs".
//
//   varint  distinct words d ≤ n
//   values  of the d words: u8 codec, then as in a page of this type, but no dictionary
//   stream  of n codes, each below d

import VarveCore

enum WordDictionary {
  /// More distinct words than this, or than a quarter of the values, gain little.
  private static func limit(_ count: Int) -> Int { min(count / 4, 4096) }

  /// Whether words recur often enough for a dictionary, or a general compressor, to be worth trying; by a sample.
  static func mayRepeat(_ words: UnsafeBufferPointer<UInt64>) -> Bool {
    let n = min(words.count, 256)
    guard n > 0 else { return false }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: n) { picked in
      for k in 0..<n { picked[k] = words[k &* words.count / n] }
      var sorted = picked
      sorted.sort()
      var distinct = 1
      for k in 1..<max(n, 1) where sorted[k] != sorted[k - 1] { distinct += 1 }
      return distinct <= n - n / 8
    }
  }

  /// The distinct words in ascending order, signed or not, and every word's place among them; nil when there are too
  /// many.
  static func find(
    _ words: UnsafeBufferPointer<UInt64>, isSigned: Bool
  ) -> (distinct: Buffer<UInt64>, codes: Buffer<UInt64>)? {
    let limit = limit(words.count)
    var slotCount = 64
    while slotCount < limit * 2 + 2 { slotCount *= 2 }
    // A slot holds code + 1; at most half of them are taken.
    let slots = Buffer<UInt32>(repeating: 0, count: slotCount)
    let distinct = Buffer<UInt64>(capacity: min(limit, 256))
    let codes = Buffer<UInt64>(capacity: words.count)
    let mask = slotCount - 1
    for word in words {
      var slot = Int(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) &>> 40) & mask
      var held = slots.base[slot]
      while held != 0 && distinct.base[Int(held) - 1] != word {
        slot = (slot + 1) & mask
        held = slots.base[slot]
      }
      if held == 0 {
        guard distinct.count < limit else { return nil }
        distinct.append(word)
        held = UInt32(distinct.count)
        slots.base[slot] = held
      }
      codes.append(UInt64(held - 1))
    }
    let flip: UInt64 = isSigned ? 1 << 63 : 0
    let order = (0..<distinct.count).sorted { distinct.base[$0] ^ flip < distinct.base[$1] ^ flip }
    let ranks = Buffer<UInt64>(repeating: 0, count: distinct.count)
    for (rank, code) in order.enumerated() { ranks.base[code] = UInt64(rank) }
    for i in 0..<codes.count { codes.base[i] = ranks.base[Int(codes.base[i])] }
    return (Buffer(order.map { distinct.base[$0] }), codes)
  }

  /// Total; whoever calls bounds `count`. `readValues` reads the distinct words.
  static func read(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>,
    _ readValues: (Int, inout ByteReader, UnsafeMutablePointer<UInt64>) throws -> Void
  ) throws {
    let distinctCount = try reader.readLength()
    guard distinctCount <= count else {
      throw VarveError(.corruption, "a dictionary of \(distinctCount) words is claimed for \(count) values")
    }
    let distinct = Buffer<UInt64>(capacity: distinctCount)
    try readValues(distinctCount, &reader, distinct.base)
    try IntegerCodec.read(stream: count, from: &reader, into: out)
    var greatest: UInt64 = 0
    for i in 0..<count { greatest = max(greatest, out[i]) }
    guard count == 0 || greatest < UInt64(distinctCount) else {
      throw VarveError(.corruption, "a value's code is beyond its dictionary")
    }
    for i in 0..<count { out[i] = distinct.base[Int(truncatingIfNeeded: out[i])] }
  }
}

// Doubles with all their digits, after ALP-RD (SIGMOD 2023, section 3.4): the left bits, sign and exponent and a
// little more, are one of few; the right ones are noise and packed as they are. FORMAT.md, "Real doubles".
//
//   u8      right bits r = 48 … 63
//   u8      left parts d = 1 … 8 · d × u16
//   varint  exceptions x
//   stream  of n codes, each below d
//   bytes   the low r bits of every word, bit-packed in vectors of 1,024
//   stream  of x positions, strictly ascending · x × u16 left parts: only if x > 0
//
// word = left part of its code << r | right bits. A word whose left part is not among the d is an exception.

import VarveCore

enum RealDoubleCodec {
  static let entryLimit = 8
  static let rightBits = 48...63

  struct Plan {
    var right = 52
    var lefts: [UInt64] = []
    var bits = Int.max
  }

  // MARK: Writing

  /// The best cut for words like a sample of these.
  static func plan(_ words: UnsafeBufferPointer<UInt64>) -> Plan {
    let n = min(words.count, 512)
    let sample = Buffer<UInt64>(capacity: n)
    for k in 0..<n { sample.append(words[k &* words.count / n]) }
    // In order, equal left parts stand together whatever the cut.
    var sorted = sample.mutableSpan
    sorted.sort()
    var best = Plan()
    for right in rightBits {
      var groups: [(count: Int, left: UInt64)] = []
      var start = 0
      for i in stride(from: 1, through: n, by: 1)
      where i == n || sample.base[i] >> UInt64(right) != sample.base[start] >> UInt64(right) {
        groups.append((i - start, sample.base[start] >> UInt64(right)))
        start = i
      }
      groups.sort { ($1.count, $0.left) < ($0.count, $1.left) }
      let kept = groups.prefix(entryLimit)
      let exceptions = n - kept.reduce(0) { $0 + $1.count }
      let codeBits = kept.count > 4 ? 3 : kept.count > 2 ? 2 : kept.count - 1
      let bits = n * (right + codeBits) + exceptions * 32
      if bits < best.bits { best = Plan(right: right, lefts: kept.map(\.left), bits: bits) }
    }
    return best
  }

  static func append(
    _ words: UnsafeBufferPointer<UInt64>, plan: Plan, effort: PageEffort, to out: inout ByteWriter
  ) {
    let right = UInt64(plan.right)
    let mask = (1 as UInt64) << right - 1
    let codes = Buffer<UInt64>(capacity: words.count)
    let rights = Buffer<UInt64>(capacity: words.count)
    let positions = Buffer<UInt64>()
    for i in 0..<words.count {
      rights.append(words[i] & mask)
      var code = 0
      while code < plan.lefts.count && plan.lefts[code] != words[i] &>> right { code += 1 }
      if code == plan.lefts.count {
        positions.append(UInt64(i))
        code = 0
      }
      codes.append(UInt64(code))
    }
    out.append(byte: UInt8(plan.right))
    out.append(byte: UInt8(plan.lefts.count))
    for left in plan.lefts { out.append(u16: UInt16(left)) }
    out.append(varint: UInt64(positions.count))
    IntegerCodec.append(stream: codes.span, effort: effort, to: &out)
    var at = 0
    while at < words.count {
      let n = min(BitPacking.vectorValueCount, words.count - at)
      out.append(uninitialized: BitPacking.byteCount(count: n, width: plan.right)) { raw in
        guard let target = raw.baseAddress else { return }
        BitPacking.pack(rights.base + at, count: n, width: plan.right, into: target)
      }
      at += n
    }
    guard positions.count > 0 else { return }
    IntegerCodec.append(stream: positions.span, effort: effort, to: &out)
    for position in positions.span { out.append(u16: UInt16(words[Int(position)] >> right)) }
  }

  // MARK: Reading

  /// Total; whoever calls bounds `count`.
  static func read(_ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>) throws {
    let right = Int(try reader.readByte())
    let entryCount = Int(try reader.readByte())
    guard rightBits.contains(right), entryCount >= 1, entryCount <= entryLimit else {
      throw VarveError(.corruption, "real doubles have an impossible cut (\(right) bits, \(entryCount) left parts)")
    }
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: entryLimit) { lefts in
      lefts.initialize(repeating: 0)
      for k in 0..<entryCount { lefts[k] = try left(try reader.readUInt16(), right) }
      let exceptionCount = try reader.readCount(minimumByteCount: 2)
      guard exceptionCount <= count else {
        throw VarveError(.corruption, "\(count) real doubles have \(exceptionCount) exceptions")
      }
      let codes = Buffer<UInt64>(capacity: count)
      try IntegerCodec.read(stream: count, from: &reader, into: codes.base)
      var all: UInt64 = 0
      for i in 0..<count { all = max(all, codes.base[i]) }
      guard all < UInt64(entryCount) else {
        throw VarveError(.corruption, "a left part's code is beyond its dictionary")
      }
      var at = 0
      while at < count {
        let n = min(BitPacking.vectorValueCount, count - at)
        let packed = try reader.readRaw(BitPacking.byteCount(count: n, width: right))
        guard let base = packed.baseAddress else { return }
        BitPacking.unpack(base, count: n, width: right, into: out + at)
        for i in at..<(at + n) { out[i] |= lefts[Int(truncatingIfNeeded: codes.base[i])] }
        at += n
      }
      try readExceptions(exceptionCount, count, right, from: &reader, into: out)
    }
  }

  /// In its place in the word.
  private static func left(_ part: UInt16, _ right: Int) throws -> UInt64 {
    guard UInt64(part) >> UInt64(64 - right) == 0 else {
      throw VarveError(.corruption, "a left part has more bits than are left of its cut")
    }
    return UInt64(part) << UInt64(right)
  }

  private static func readExceptions(
    _ exceptionCount: Int, _ count: Int, _ right: Int, from reader: inout ByteReader,
    into out: UnsafeMutablePointer<UInt64>
  ) throws {
    guard exceptionCount > 0 else { return }
    let positions = Buffer<UInt64>(capacity: exceptionCount)
    try IntegerCodec.read(stream: exceptionCount, from: &reader, into: positions.base)
    let mask = (1 as UInt64) << UInt64(right) - 1
    var next: UInt64 = 0
    for k in 0..<exceptionCount {
      let position = positions.base[k]
      guard position >= next, position < UInt64(count) else {
        throw VarveError(.corruption, "an exception lies outside its real doubles")
      }
      out[Int(position)] = out[Int(position)] & mask | (try left(try reader.readUInt16(), right))
      next = position + 1
    }
  }
}

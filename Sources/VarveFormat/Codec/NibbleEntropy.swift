// An entropy stage for symbols of four bits: range asymmetric numeral systems (Duda, arXiv 1311.2540), eight states
// side by side, so that a page of some thousand symbols pays about 50 bytes over its entropy and eight table look-ups are in
// flight at once. FORMAT.md, "Symbols".
//
//   u8     form: 0 packed, 1 coded
//   packed: two symbols a byte, the first in the low half
//   coded:  u16 which symbols occur · their frequencies less 1 but for the last's, 11 bits each, as one bit stream ·
//           varint byte count b · b bytes: 8 × u32 states · u16 words
//
// Symbol i belongs to state i mod 8. A step: slot = x mod 2048, symbol s with start(s) <= slot < start(s) + f(s);
// x = f(s) × (x div 2048) + slot - start(s); if x < 2^16, x = x << 16 + the next word. In the end every state is 2^16
// and no word is left, which a damaged stream hardly ever brings about.

import CVarve
import VarveCore

enum NibbleEntropy {
  static let symbolCount = 16
  private static let scaleBits = 11
  private static let scale = 1 << scaleBits
  private static let laneCount = 8
  private static let lowest: UInt32 = 1 << 16

  enum Form: UInt8 {
    case packed = 0
    case coded = 1
  }

  // MARK: Writing

  /// Appends `count` symbols, each below 16, in the smaller form.
  static func append(_ symbols: UnsafePointer<UInt8>, count: Int, to out: inout ByteWriter) {
    let packedByteCount = (count + 1) >> 1
    if let coded = coded(symbols, count), coded.count < packedByteCount {
      out.append(byte: Form.coded.rawValue)
      out.append(coded.bytes)
      return
    }
    out.append(byte: Form.packed.rawValue)
    out.append(uninitialized: packedByteCount) { raw in
      for i in 0..<count { raw[i >> 1] |= symbols[i] << UInt8(truncatingIfNeeded: (i & 1) << 2) }
    }
  }

  /// What `append` takes for symbols that occur so often, but for a few bytes.
  static func byteCount(of histogram: UnsafePointer<UInt32>, count: Int) -> Int {
    guard count > 0 else { return 1 }
    var bits = 0.0
    var present = 0
    for s in 0..<symbolCount where histogram[s] > 0 {
      let occurrences = Double(histogram[s])
      bits -= occurrences * cvarve_log(occurrences / Double(count))
      present += 1
    }
    let coded = Int(bits / 0.693_147_180_559_945_3 / 8) + 21 + (present * scaleBits + 7) / 8
    return 1 + min(coded, (count + 1) >> 1)
  }

  private static func coded(_ symbols: UnsafePointer<UInt8>, _ count: Int) -> ByteWriter? {
    guard count > 64 else { return nil }
    let frequencies = normalized(symbols, count)
    var starts = [UInt32](repeating: 0, count: symbolCount)
    for s in 1..<symbolCount { starts[s] = starts[s - 1] + frequencies[s - 1] }

    var out = ByteWriter(reserving: count / 2 + 64)
    let present = (0..<symbolCount).filter { frequencies[$0] > 0 }
    out.append(u16: present.reduce(0) { $0 | 1 << UInt16($1) })
    let less = Buffer(present.dropLast().map { UInt64(frequencies[$0] - 1) })
    out.append(uninitialized: BitPacking.byteCount(count: less.count, width: scaleBits)) { raw in
      guard let target = raw.baseAddress else { return }
      BitPacking.pack(less.base, count: less.count, width: scaleBits, into: target)
    }
    // The last symbol is coded first: words come out in the order opposite to the reader's, from the back.
    let room = laneCount * 4 + count * 2
    let words = Buffer<UInt8>(capacity: room)
    let raw = UnsafeMutableRawPointer(words.base)
    let steps = zip(frequencies, starts).map { WriteStep(frequency: $0, start: $1) }
    let at = steps.withUnsafeBufferPointer { encode(symbols, count, $0, into: raw, room) }
    out.append(varint: UInt64(room - at))
    out.append(UnsafeRawBufferPointer(start: raw + at, count: room - at))
    return out
  }

  /// What a step takes from its symbol. f × (x div f) and what is left give f × 2048 / f and more of a state, so that
  /// only the quotient is needed; and that is a product with the rounded-up 2^64 / f, exact for states of 32 bits
  /// (Giesen, "rANS with static probability distributions").
  private struct WriteStep {
    /// States from here on give a word first.
    let limit: UInt64
    let reciprocal: UInt64
    let bias: UInt32
    /// 2048 - f.
    let complement: UInt32

    init(frequency: UInt32, start: UInt32) {
      // The step brings x to 2^16 × frequency / 2048 and more: what is above goes out before.
      limit = UInt64(frequency) << UInt64(32 - scaleBits)
      complement = UInt32(scale) - frequency
      // 2^64 has 65 bits: one less makes the quotient x - 1, which the bias makes up for.
      reciprocal = frequency > 1 ? UInt64.max / UInt64(frequency) + 1 : .max
      bias = frequency > 1 ? start : start + UInt32(scale) - 1
    }
  }

  /// Fills the end of `raw` and says where it begins.
  private static func encode(
    _ symbols: UnsafePointer<UInt8>, _ count: Int, _ steps: UnsafeBufferPointer<WriteStep>,
    into raw: UnsafeMutableRawPointer, _ room: Int
  ) -> Int {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: laneCount) { held in
      guard let states = held.baseAddress, let steps = steps.baseAddress else { return room }
      states.initialize(repeating: lowest, count: laneCount)
      var at = room
      var i = count
      while i > 0 {
        i &-= 1
        let step = steps[Int(symbols[i])]
        var x = states[i & (laneCount &- 1)]
        // Written in any case, and kept where the state gives a word: a jump would be guessed wrong too often.
        raw.storeBytes(of: UInt16(truncatingIfNeeded: x).littleEndian, toByteOffset: at &- 2, as: UInt16.self)
        let isHigh = UInt64(x) >= step.limit
        at = isHigh ? at &- 2 : at
        x = isHigh ? x &>> 16 : x
        let quotient = UInt32(truncatingIfNeeded: UInt64(x).multipliedFullWidth(by: step.reciprocal).high)
        states[i & (laneCount &- 1)] = x &+ step.bias &+ quotient &* step.complement
      }
      at -= laneCount * 4
      for lane in 0..<laneCount {
        raw.storeBytes(of: states[lane].littleEndian, toByteOffset: at + lane * 4, as: UInt32.self)
      }
      return at
    }
  }

  /// Frequencies that sum to the scale; what occurs has at least 1.
  private static func normalized(_ symbols: UnsafePointer<UInt8>, _ count: Int) -> [UInt32] {
    var frequencies = histogram(symbols, count).map { held -> UInt32 in
      held == 0 ? 0 : max(1, UInt32((Double(held) * Double(scale) / Double(count)).rounded()))
    }
    // The most frequent one feels a difference least.
    var total = frequencies.reduce(0, +)
    while total != UInt32(scale) {
      let most = frequencies.indices.max { frequencies[$0] < frequencies[$1] } ?? 0
      if total < UInt32(scale) {
        frequencies[most] += UInt32(scale) - total
        total = UInt32(scale)
      } else {
        frequencies[most] -= 1
        total -= 1
      }
    }
    return frequencies
  }

  /// Counted in four places: neighbours are often the same, and would wait for each other.
  private static func histogram(_ symbols: UnsafePointer<UInt8>, _ count: Int) -> [UInt32] {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: symbolCount * 4) { held in
      guard let counts = held.baseAddress else { return [] }
      counts.initialize(repeating: 0, count: symbolCount * 4)
      var i = 0
      while i &+ 4 <= count {
        counts[Int(symbols[i] & 15)] &+= 1
        counts[Int(symbols[i &+ 1] & 15) &+ symbolCount] &+= 1
        counts[Int(symbols[i &+ 2] & 15) &+ symbolCount &* 2] &+= 1
        counts[Int(symbols[i &+ 3] & 15) &+ symbolCount &* 3] &+= 1
        i &+= 4
      }
      while i < count {
        counts[Int(symbols[i] & 15)] &+= 1
        i &+= 1
      }
      return (0..<symbolCount).map {
        counts[$0] + counts[$0 + symbolCount] + counts[$0 + symbolCount * 2] + counts[$0 + symbolCount * 3]
      }
    }
  }

  // MARK: Reading

  /// Reads `count` symbols into `out`, which has room for them. Total.
  static func read(_ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt8>) throws {
    let tag = try reader.readByte()
    switch Form(rawValue: tag) {
    case .packed:
      let raw = try reader.readRaw((count + 1) >> 1)
      for i in 0..<count { out[i] = raw[i >> 1] >> UInt8(truncatingIfNeeded: (i & 1) << 2) & 15 }
      guard count & 1 == 0 || raw[count >> 1] >> 4 == 0 else {
        throw VarveError(.corruption, "symbols have bits behind their end")
      }
    case .coded: try readCoded(count, from: &reader, into: out)
    case nil: throw VarveError(.corruption, "symbols have an unknown form (\(tag))")
    }
  }

  private static func readCoded(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt8>
  ) throws {
    try withUnsafeTemporaryAllocation(byteCount: Table.byteCount, alignment: 8) { held in
      guard let room = held.baseAddress else { return }
      let table = Table(room)
      try readTable(from: &reader, into: table)
      let bytes = try reader.readRaw(try reader.readLength())
      guard let base = bytes.baseAddress, bytes.count >= laneCount * 4, bytes.count & 1 == 0 else {
        throw VarveError(.corruption, "coded symbols of \(bytes.count) bytes are shorter than their states")
      }
      var states = States(base)
      var at = laneCount * 4
      let done = decode(count, base, bytes.count, &at, &states, table, out)
      // The end again, in a copy with zeros behind it: eight steps may ask for 16 bytes.
      if done < count {
        let tail = Buffer<UInt8>(repeating: 0, count: bytes.count - at + 32)
        UnsafeMutableRawPointer(tail.base).copyMemory(from: base + at, byteCount: bytes.count - at)
        let end = bytes.count - at
        var tailAt = 0
        var next = done
        while next < count, tailAt <= end {
          let group = min(laneCount, count - next)
          decodeGroup(group, UnsafeRawPointer(tail.base), &tailAt, &states, table, out + next)
          next += group
        }
        at += tailAt
      }
      guard at == bytes.count, states.areAll(lowest) else {
        throw VarveError(.corruption, "coded symbols do not end where their bytes do")
      }
    }
  }

  /// What each slot says, in three arrays: whole loads cost less than cutting one up.
  private struct Table {
    static let byteCount = scale * 5
    let frequencies: UnsafeMutablePointer<UInt16>
    /// Of the slot from the start of its symbol.
    let distances: UnsafeMutablePointer<UInt16>
    let symbols: UnsafeMutablePointer<UInt8>

    init(_ room: UnsafeMutableRawPointer) {
      frequencies = room.bindMemory(to: UInt16.self, capacity: scale)
      distances = (room + scale * 2).bindMemory(to: UInt16.self, capacity: scale)
      symbols = (room + scale * 4).bindMemory(to: UInt8.self, capacity: scale)
    }
  }

  private static func readTable(from reader: inout ByteReader, into table: Table) throws {
    let mask = try reader.readUInt16()
    guard mask != 0 else { throw VarveError(.corruption, "coded symbols without a symbol") }
    let packed = try reader.readRaw(BitPacking.byteCount(count: mask.nonzeroBitCount - 1, width: scaleBits))
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: symbolCount) { less in
      guard let frequencies = less.baseAddress else { return }
      if let base = packed.baseAddress {
        BitPacking.unpack(base, count: mask.nonzeroBitCount - 1, width: scaleBits, into: frequencies)
      }
      var slot = 0
      var rank = 0
      for symbol in 0..<symbolCount where mask >> UInt16(symbol) & 1 != 0 {
        let isLast = rank == mask.nonzeroBitCount - 1
        let frequency = isLast ? scale - slot : Int(frequencies[rank]) + 1
        rank += 1
        guard frequency > 0, frequency <= scale - slot else {
          throw VarveError(.corruption, "the frequencies of coded symbols pass their scale")
        }
        (table.frequencies + slot).update(repeating: UInt16(frequency), count: frequency)
        (table.symbols + slot).update(repeating: UInt8(symbol), count: frequency)
        for distance in 0..<frequency { table.distances[slot + distance] = UInt16(truncatingIfNeeded: distance) }
        slot += frequency
      }
    }
  }

  private struct States {
    var a, b, c, d, e, f, g, h: UInt32
    init(_ raw: UnsafeRawPointer) {
      func state(_ lane: Int) -> UInt32 {
        UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: lane * 4, as: UInt32.self))
      }
      (a, b, c, d) = (state(0), state(1), state(2), state(3))
      (e, f, g, h) = (state(4), state(5), state(6), state(7))
    }
    func areAll(_ value: UInt32) -> Bool {
      a == value && b == value && c == value && d == value && e == value && f == value && g == value && h == value
    }
  }

  @inline(__always)
  private static func step(
    _ x: inout UInt32, _ base: UnsafeRawPointer, _ at: inout Int, _ table: Table
  ) -> UInt8 {
    let slot = Int(x & UInt32(scale - 1))
    let stepped =
      UInt32(table.frequencies[slot]) &* (x &>> UInt32(scaleBits)) &+ UInt32(table.distances[slot])
    let word = UInt32(UInt16(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
    let isLow = stepped < lowest
    x = isLow ? stepped &<< 16 | word : stepped
    at &+= isLow ? 2 : 0
    return table.symbols[slot]
  }

  /// Whole groups of eight, as long as 16 bytes are left; how many symbols that gave.
  @inline(never)
  private static func decode(
    _ count: Int, _ base: UnsafeRawPointer, _ byteCount: Int, _ position: inout Int, _ states: inout States,
    _ table: Table, _ out: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var (a, b, c, d) = (states.a, states.b, states.c, states.d)
    var (e, f, g, h) = (states.e, states.f, states.g, states.h)
    var at = position
    var next = 0
    while next &+ laneCount <= count && at &+ 16 <= byteCount {
      out[next] = step(&a, base, &at, table)
      out[next &+ 1] = step(&b, base, &at, table)
      out[next &+ 2] = step(&c, base, &at, table)
      out[next &+ 3] = step(&d, base, &at, table)
      out[next &+ 4] = step(&e, base, &at, table)
      out[next &+ 5] = step(&f, base, &at, table)
      out[next &+ 6] = step(&g, base, &at, table)
      out[next &+ 7] = step(&h, base, &at, table)
      next &+= laneCount
    }
    (states.a, states.b, states.c, states.d) = (a, b, c, d)
    (states.e, states.f, states.g, states.h) = (e, f, g, h)
    position = at
    return next
  }

  private static func decodeGroup(
    _ count: Int, _ base: UnsafeRawPointer, _ at: inout Int, _ states: inout States, _ table: Table,
    _ out: UnsafeMutablePointer<UInt8>
  ) {
    for lane in 0..<count {
      switch lane {
      case 0: out[0] = step(&states.a, base, &at, table)
      case 1: out[1] = step(&states.b, base, &at, table)
      case 2: out[2] = step(&states.c, base, &at, table)
      case 3: out[3] = step(&states.d, base, &at, table)
      case 4: out[4] = step(&states.e, base, &at, table)
      case 5: out[5] = step(&states.f, base, &at, table)
      case 6: out[6] = step(&states.g, base, &at, table)
      default: out[7] = step(&states.h, base, &at, table)
      }
    }
  }
}

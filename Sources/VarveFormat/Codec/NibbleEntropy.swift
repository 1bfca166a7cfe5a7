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

  enum Form: UInt8 {
    case packed = 0
    case coded = 1
  }

  // MARK: Writing

  /// Appends `count` symbols, each below 16, in the smaller form; `counts` says how often each occurs.
  static func append(
    _ symbols: UnsafePointer<UInt8>, count: Int, counts: UnsafePointer<UInt32>, to out: inout ByteWriter
  ) {
    let packedByteCount = (count + 1) >> 1
    if let coded = coded(symbols, count, counts), coded.count < packedByteCount {
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

  private static func coded(
    _ symbols: UnsafePointer<UInt8>, _ count: Int, _ counts: UnsafePointer<UInt32>
  ) -> ByteWriter? {
    guard count > 64 else { return nil }
    let frequencies = normalized(counts, count)
    var out = ByteWriter(reserving: count / 2 + 64)
    let present = (0..<symbolCount).filter { frequencies[$0] > 0 }
    out.append(u16: present.reduce(0) { $0 | 1 << UInt16($1) })
    let less = Buffer(present.dropLast().map { UInt64(frequencies[$0] - 1) })
    out.append(uninitialized: BitPacking.byteCount(count: less.count, width: scaleBits)) { raw in
      guard let target = raw.baseAddress else { return }
      BitPacking.pack(less.base, count: less.count, width: scaleBits, into: target)
    }
    let room = laneCount * 4 + count * 2
    withUnsafeTemporaryAllocation(byteCount: room, alignment: 16) { held in
      guard let base = held.baseAddress else { return }
      let at = cvarve_code_symbols(symbols, count, frequencies, base)
      out.append(varint: UInt64(room - at))
      out.append(UnsafeRawBufferPointer(rebasing: held[at...]))
    }
    return out
  }

  /// Frequencies that sum to the scale; what occurs has at least 1.
  private static func normalized(_ counts: UnsafePointer<UInt32>, _ count: Int) -> [UInt16] {
    var frequencies = (0..<symbolCount).map { s -> Int in
      counts[s] == 0 ? 0 : max(1, Int((Double(counts[s]) * Double(scale) / Double(count)).rounded()))
    }
    // The most frequent one feels a difference least.
    var total = frequencies.reduce(0, +)
    while total != scale {
      let most = frequencies.indices.max { frequencies[$0] < frequencies[$1] } ?? 0
      if total < scale {
        frequencies[most] += scale - total
        total = scale
      } else {
        frequencies[most] -= 1
        total -= 1
      }
    }
    return frequencies.map { UInt16($0) }
  }

  // MARK: Reading

  /// Reads `count` symbols, of which the first `wanted` go into `out`, which has room for them; the bytes of the others
  /// are passed over. Total.
  static func read(
    _ count: Int, wanted: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt8>
  ) throws {
    let tag = try reader.readByte()
    switch Form(rawValue: tag) {
    case .packed:
      let raw = try reader.readRaw((count + 1) >> 1)
      for i in 0..<wanted { out[i] = raw[i >> 1] >> UInt8(truncatingIfNeeded: (i & 1) << 2) & 15 }
      guard count & 1 == 0 || raw[count >> 1] >> 4 == 0 else {
        throw VarveError(.corruption, "symbols have bits behind their end")
      }
    case .coded: try readCoded(count, wanted, from: &reader, into: out)
    case nil: throw VarveError(.corruption, "symbols have an unknown form (\(tag))")
    }
  }

  private static func readCoded(
    _ count: Int, _ wanted: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt8>
  ) throws {
    try withUnsafeTemporaryAllocation(of: cvarve_symbol_table.self, capacity: 1) { held in
      guard let table = held.baseAddress else { return }
      try readTable(from: &reader, into: table)
      let bytes = try reader.readRaw(try reader.readLength())
      guard let base = bytes.baseAddress, bytes.count >= laneCount * 4, bytes.count & 1 == 0 else {
        throw VarveError(.corruption, "coded symbols of \(bytes.count) bytes are shorter than their states")
      }
      let isRight =
        wanted < count
        ? cvarve_decode_first_symbols(table, base, bytes.count, out, wanted)
        : cvarve_decode_symbols(table, base, bytes.count, out, count)
      guard isRight != 0 else {
        throw VarveError(.corruption, "coded symbols do not end where their bytes do")
      }
    }
  }

  private static func readTable(
    from reader: inout ByteReader, into table: UnsafeMutablePointer<cvarve_symbol_table>
  ) throws {
    let mask = try reader.readUInt16()
    guard mask != 0 else { throw VarveError(.corruption, "coded symbols without a symbol") }
    let packed = try reader.readRaw(BitPacking.byteCount(count: mask.nonzeroBitCount - 1, width: scaleBits))
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: symbolCount) { less in
      try withUnsafeTemporaryAllocation(of: UInt16.self, capacity: symbolCount) { frequencies in
        guard let less = less.baseAddress, let held = frequencies.baseAddress else { return }
        if let base = packed.baseAddress {
          BitPacking.unpack(base, count: mask.nonzeroBitCount - 1, width: scaleBits, into: less)
        }
        held.initialize(repeating: 0, count: symbolCount)
        var slot = 0
        var rank = 0
        for symbol in 0..<symbolCount where mask >> UInt16(symbol) & 1 != 0 {
          let isLast = rank == mask.nonzeroBitCount - 1
          let frequency = isLast ? scale - slot : Int(less[rank]) + 1
          rank += 1
          guard frequency > 0, frequency <= scale - slot else {
            throw VarveError(.corruption, "the frequencies of coded symbols pass their scale")
          }
          held[symbol] = UInt16(frequency)
          slot += frequency
        }
        cvarve_make_symbol_table(held, table)
      }
    }
  }
}

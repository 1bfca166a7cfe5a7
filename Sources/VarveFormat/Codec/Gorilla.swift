// XOR compression of doubles after Gorilla (Pelkonen et al., VLDB 2015, section 4.1.2). FORMAT.md, "Gorilla".
//
// A stream of bits, least bit first in each byte. The first word: 64 bits. Each further word by its XOR with the
// one before:
//   0                         the same word
//   1 0 · m bits              the XOR without the leading and trailing zeros of the last window
//   1 1 · 5 · 6 · m bits      a new window: leading zeros (at most 31), m - 1, then the m bits
// Works on bit patterns: NaN payloads, -0 and subnormals come back as they were.

import VarveCore

package enum Gorilla {
  /// What `encode` may need: 77 bits a word, and room for whole-word stores.
  package static func byteCountLimit(_ count: Int) -> Int { count * 10 + 24 }

  /// Appends the words.
  package static func encode(_ words: UnsafeBufferPointer<UInt64>, to out: inout ByteWriter) {
    guard let source = words.baseAddress, words.count > 0 else { return }
    out.append(atMost: byteCountLimit(words.count)) { raw in
      guard let target = raw.baseAddress else { return 0 }
      return encode(source, words.count, into: target)
    }
  }

  private static func encode(
    _ source: UnsafePointer<UInt64>, _ count: Int, into target: UnsafeMutableRawPointer
  ) -> Int {
    var at = target
    // Up to 7 bits wait in `open`; 57 more always fit.
    var open: UInt64 = 0
    var used: UInt64 = 0

    @inline(__always) func put(_ bits: UInt64, _ width: UInt64) {
      open |= bits &<< used
      at.storeBytes(of: open.littleEndian, as: UInt64.self)
      used &+= width
      at += Int(truncatingIfNeeded: used &>> 3)
      open = open &>> (used & ~7)
      if used >= 64 { open = 0 }
      used &= 7
    }

    var previous = source[0]
    put(previous & 0xFFFF_FFFF, 32)
    put(previous >> 32, 32)
    // A window that nothing fits into: the first change opens one.
    var leading: UInt64 = 64
    var trailing: UInt64 = 64
    var meaningful: UInt64 = 0
    for i in 1..<max(count, 1) {
      let word = source[i]
      let xor = word ^ previous
      previous = word
      if xor == 0 {
        put(0, 1)
        continue
      }
      let lead = min(UInt64(truncatingIfNeeded: xor.leadingZeroBitCount), 31)
      let trail = UInt64(truncatingIfNeeded: xor.trailingZeroBitCount)
      if lead >= leading && trail >= trailing {
        let bits = xor &>> trailing
        if meaningful <= 55 {
          put(1 | bits &<< 2, meaningful &+ 2)
        } else {
          put(1 | (bits & 0xFFFF_FFFF) &<< 2, 34)
          put(bits &>> 32, meaningful &- 32)
        }
      } else {
        leading = lead
        trailing = trail
        meaningful = 64 &- lead &- trail
        let bits = xor &>> trail
        let head = 3 | lead &<< 2 | (meaningful &- 1) &<< 7
        if meaningful <= 44 {
          put(head | bits &<< 13, meaningful &+ 13)
        } else {
          put(head | (bits & 0xFFFF_FFFF) &<< 13, 45)
          put(bits &>> 32, meaningful &- 32)
        }
      }
    }
    return at - target + (used > 0 ? 1 : 0)
  }

  /// Reads `count` words into `out`, which has room for them. Total.
  package static func decode(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    guard count > 0 else { return }
    let bytes = reader.rest
    guard let base = bytes.baseAddress, bytes.count >= 8 else { throw ByteReader.beyondEnd(8, bytes.count) }
    var state = State(
      previous: UInt64(littleEndian: base.loadUnaligned(as: UInt64.self)), bit: 64, trailing: 0, meaningful: 0, at: 1)
    out[0] = state.previous
    // A word reads at most 19 bytes from where it starts: away from the end nothing needs checking.
    decode(count, base, fastEnd: (bytes.count - 24) * 8, &state, out)
    if state.at < count {
      // The end again in a copy with zeros behind it.
      let start = state.bit >> 3
      let tail = Buffer<UInt8>(repeating: 0, count: bytes.count - start + 32)
      UnsafeMutableRawPointer(tail.base).copyMemory(from: base + start, byteCount: bytes.count - start)
      state.bit -= start * 8
      let end = (bytes.count - start) * 8
      while state.at < count {
        // One word a turn: the loop stops itself after it.
        decode(state.at + 1, UnsafeRawPointer(tail.base), fastEnd: end, &state, out)
        guard state.bit <= end, state.at > 0, !state.isStuck else {
          throw VarveError(.corruption, "a Gorilla stream ends after \(state.at) of \(count) values")
        }
      }
      state.bit += start * 8
    }
    guard !state.isInvalid else { throw VarveError(.corruption, "a Gorilla window is wider than a word") }
    try reader.skip((state.bit + 7) >> 3)
  }

  private struct State {
    var previous: UInt64
    var bit: Int
    var trailing: UInt64
    /// 0 until a window was opened.
    var meaningful: UInt64
    var at: Int
    var isInvalid = false
    /// The last call did not get on: nothing is left to read.
    var isStuck = false
  }

  /// Decodes words `state.at ..< count` as long as they start before bit `fastEnd`.
  @inline(never)
  private static func decode(
    _ count: Int, _ base: UnsafeRawPointer, fastEnd: Int, _ state: inout State, _ out: UnsafeMutablePointer<UInt64>
  ) {
    var previous = state.previous
    var bit = state.bit
    var trailing = state.trailing
    var meaningful = state.meaningful
    var at = state.at
    var invalid = state.isInvalid
    let start = at

    @inline(__always) func load(_ bit: Int) -> UInt64 {
      UInt64(littleEndian: base.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self))
        &>> UInt64(truncatingIfNeeded: bit & 7)
    }

    while at < count && bit < fastEnd {
      let head = load(bit)
      if head & 1 == 0 {
        bit &+= 1
        out[at] = previous
        at &+= 1
        continue
      }
      var bits: UInt64
      if head & 2 == 0 {
        bit &+= 2
        bits = head &>> 2
        // `10` before any window was opened is no stream of ours.
        invalid = invalid || meaningful == 0
      } else {
        let lead = (head &>> 2) & 31
        meaningful = ((head &>> 7) & 63) &+ 1
        invalid = invalid || lead &+ meaningful > 64
        trailing = 64 &- lead &- meaningful
        bit &+= 13
        bits = head &>> 13
      }
      if meaningful > 44 {
        // At least 57 bits of a load are good; the rest comes from a second one.
        bits = load(bit) & 0xFFFF_FFFF | load(bit &+ 32) &<< 32
      }
      bits &= UInt64.max &>> (64 &- meaningful)
      bit &+= Int(truncatingIfNeeded: meaningful)
      previous ^= bits &<< trailing
      out[at] = previous
      at &+= 1
    }
    state.previous = previous
    state.bit = bit
    state.trailing = trailing
    state.meaningful = meaningful
    state.isStuck = at == start
    state.at = at
    state.isInvalid = invalid
  }
}

// Booleans: a bit a value, or constant, or runs. FORMAT.md, "Codecs".

import VarveCore

package enum Bitmap {
  @inline(__always)
  package static func byteCount(_ bits: Int) -> Int { (bits + 7) >> 3 }

  /// Appends a bit an index, least bit first: whether `bit(index)` is set.
  @inline(__always)
  static func append(_ count: Int, to out: inout ByteWriter, _ bit: (Int) -> Bool) {
    out.append(uninitialized: byteCount(count)) { raw in
      for i in 0..<count where bit(i) { raw[i >> 3] |= 1 << UInt8(truncatingIfNeeded: i & 7) }
    }
  }

  @inline(__always)
  static func bit(_ raw: UnsafeRawBufferPointer, _ index: Int) -> UInt8 {
    raw[index >> 3] >> UInt8(truncatingIfNeeded: index & 7) & 1
  }

  /// The bits behind the last are zero: a bitmap has one form only.
  static func read(_ count: Int, from reader: inout ByteReader) throws -> UnsafeRawBufferPointer {
    let raw = try reader.readRaw(byteCount(count))
    if count & 7 != 0, let last = raw.last, last >> UInt8(count & 7) != 0 {
      throw VarveError(.corruption, "a bitmap has bits behind its end")
    }
    return raw
  }
}

package enum BooleanCodec {
  /// The words are 0 or 1.
  package static func encode(
    _ words: UnsafeBufferPointer<UInt64>, effort: PageEffort = .light, to out: inout ByteWriter
  ) -> ValueCodec {
    var integers = ByteWriter()
    let codec = IntegerCodec.encode(words, effort: effort, to: &integers)
    if integers.count <= Bitmap.byteCount(words.count) {
      out.append(integers.bytes)
      return codec
    }
    Bitmap.append(words.count, to: &out) { words[$0] != 0 }
    return .bitmap
  }

  package static func decode(
    _ codec: ValueCodec, count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    guard codec != .bitmap else {
      let raw = try Bitmap.read(count, from: &reader)
      for i in 0..<count { out[i] = UInt64(Bitmap.bit(raw, i)) }
      return
    }
    try IntegerCodec.decode(codec, count: count, from: &reader, into: out)
    var all: UInt64 = 0
    for i in 0..<count { all |= out[i] }
    guard all <= 1 else { throw VarveError(.corruption, "a boolean is neither true nor false") }
  }
}

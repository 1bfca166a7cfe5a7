// The integers of a page: an integer stream, or a dictionary of few distinct ones. FORMAT.md, "Codecs".

import VarveCore

package enum WordCodec {
  /// Writes the words in the smallest of the ways that `effort` allows and says which it was.
  package static func encode(
    _ words: UnsafeBufferPointer<UInt64>, effort: PageEffort, to out: inout ByteWriter
  ) -> ValueCodec {
    var best = ByteWriter()
    let codec = IntegerCodec.encode(words, effort: effort, to: &best)
    // What takes four bits a value has a narrow range, and its entropy stage is a dictionary's already.
    if effort == .smallest, best.count > 64 + words.count / 2, WordDictionary.mayRepeat(words),
      let dictionary = dictionary(words), dictionary.count < best.count
    {
      out.append(dictionary.bytes)
      return .dictionary
    }
    out.append(best.bytes)
    return codec
  }

  private static func dictionary(_ words: UnsafeBufferPointer<UInt64>) -> ByteWriter? {
    guard let (distinct, codes) = WordDictionary.find(words, isSigned: true) else { return nil }
    var out = ByteWriter()
    out.append(varint: UInt64(distinct.count))
    IntegerCodec.append(stream: distinct.span, effort: .smallest, to: &out)
    IntegerCodec.append(stream: codes.span, effort: .smallest, to: &out)
    return out
  }

  /// Reads `count` words into `out`, which has room for them. Total.
  package static func decode(
    _ codec: ValueCodec, count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws {
    guard codec == .dictionary else {
      return try IntegerCodec.decode(codec, count: count, from: &reader, into: out)
    }
    try WordDictionary.read(count, from: &reader, into: out) { count, reader, out in
      try IntegerCodec.read(stream: count, from: &reader, into: out)
    }
  }
}

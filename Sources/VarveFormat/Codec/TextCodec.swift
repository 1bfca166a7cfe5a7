// Strings: a dictionary of the distinct ones and a code a value, or lengths and bytes. Compression of the bytes is
// the page's (`PageCompression`). FORMAT.md, "Codecs".

import CVarve
import VarveCore

package enum TextCodec {
  /// Writes the strings that `refs` point to in `text`.
  package static func encode(
    _ refs: UnsafeBufferPointer<UInt64>, text: UnsafeBufferPointer<UInt8>, effort: PageEffort = .light,
    to out: inout ByteWriter
  ) -> ValueCodec {
    let strings = UnsafeRawBufferPointer(text)
    if let (distinct, codes) = dictionary(refs, strings) {
      let lengths = Buffer<UInt64>(capacity: distinct.count)
      for ref in distinct.span { lengths.append(UInt64(TextRef(word: ref).length)) }
      out.append(varint: UInt64(distinct.count))
      IntegerCodec.append(stream: lengths.span, effort: effort, to: &out)
      append(bytes: distinct.span, strings, to: &out)
      IntegerCodec.append(stream: codes.span, effort: effort, to: &out)
      return .textDictionary
    }
    let lengths = Buffer<UInt64>(capacity: refs.count)
    for ref in refs { lengths.append(UInt64(TextRef(word: ref).length)) }
    IntegerCodec.append(stream: lengths.span, effort: effort, to: &out)
    append(bytes: refs, strings, to: &out)
    return .text
  }

  private static func append(
    bytes refs: UnsafeBufferPointer<UInt64>, _ text: UnsafeRawBufferPointer, to out: inout ByteWriter
  ) {
    for word in refs { out.append(bytes(word, text)) }
  }

  @inline(__always)
  private static func bytes(_ word: UInt64, _ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let ref = TextRef(word: word)
    return UnsafeRawBufferPointer(rebasing: text[ref.offset..<(ref.offset + ref.length)])
  }

  /// The distinct strings in order of appearance and each value's number among them; nil when more than a quarter
  /// of the values (and more than 16) are distinct, where a dictionary gains little.
  private static func dictionary(
    _ refs: UnsafeBufferPointer<UInt64>, _ text: UnsafeRawBufferPointer
  ) -> (distinct: Buffer<UInt64>, codes: Buffer<UInt64>)? {
    let limit = max(16, refs.count / 4)
    // Open addressing, at most half full; a slot holds code + 1.
    var slotCount = 64
    while slotCount < limit * 2 + 2 { slotCount *= 2 }
    let slots = Buffer<UInt32>(repeating: 0, count: slotCount)
    let distinct = Buffer<UInt64>(capacity: 64)
    let codes = Buffer<UInt64>(capacity: refs.count)
    var previous: (word: UInt64, code: UInt64)?
    for word in refs {
      if let previous, previous.word == word {
        codes.append(previous.code)
        continue
      }
      let string = bytes(word, text)
      var slot = Int(CRC32C.checksum(string)) & (slotCount - 1)
      var code: UInt64?
      while code == nil {
        let held = slots.base[slot]
        if held == 0 {
          guard distinct.count < limit else { return nil }
          distinct.append(word)
          slots.base[slot] = UInt32(distinct.count)
          code = UInt64(distinct.count - 1)
        } else if isEqual(bytes(distinct.base[Int(held) - 1], text), string) {
          code = UInt64(held - 1)
        } else {
          slot = (slot + 1) & (slotCount - 1)
        }
      }
      guard let code else { return nil }
      codes.append(code)
      previous = (word, code)
    }
    return (distinct, codes)
  }

  private static func isEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count, let left = a.baseAddress, let right = b.baseAddress else { return a.count == b.count }
    return cvarve_memcmp(left, right, a.count) == 0
  }

  /// Reads `count` strings: refs into `out`, which has room for them, and the bytes they point to. Total; whoever
  /// calls bounds `count`. Values that share a string share its bytes.
  package static func decode(
    _ codec: ValueCodec, count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws -> Buffer<UInt8> {
    switch codec {
    case .text: return try readStrings(count, from: &reader, into: out)
    case .textDictionary:
      let distinctCount = try reader.readLength()
      guard distinctCount <= count else {
        throw VarveError(.corruption, "a dictionary of \(distinctCount) strings is claimed for \(count) values")
      }
      let distinct = Buffer<UInt64>(capacity: distinctCount)
      let text = try readStrings(distinctCount, from: &reader, into: distinct.base)
      try IntegerCodec.read(stream: count, from: &reader, into: out)
      for i in 0..<count {
        guard out[i] < UInt64(distinctCount) else {
          throw VarveError(.corruption, "a string's code is beyond its dictionary")
        }
        out[i] = distinct.base[Int(out[i])]
      }
      return text
    default: throw VarveError(.corruption, "codec \(codec.label) cannot hold text")
    }
  }

  private static func readStrings(
    _ count: Int, from reader: inout ByteReader, into out: UnsafeMutablePointer<UInt64>
  ) throws -> Buffer<UInt8> {
    try IntegerCodec.read(stream: count, from: &reader, into: out)
    var offset = 0
    for i in 0..<count {
      guard out[i] < 1 << 24 else { throw VarveError(.corruption, "a string is longer than text can be") }
      let length = Int(out[i])
      // An empty string's word is an offset too, so that it differs from no value only by the row's state.
      guard offset + length <= reader.remaining else { throw ByteReader.beyondEnd(offset + length, reader.remaining) }
      out[i] = TextRef(offset: offset, length: length).word
      offset += length
    }
    let text = Buffer<UInt8>(capacity: offset)
    text.append(try reader.readRaw(offset).bindMemory(to: UInt8.self))
    return text
  }
}

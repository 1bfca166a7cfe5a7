// The canonical bytes of a tag set: for each tag, in order of the name's bytes:
//   name length UInt16 LE · name · value length UInt32 LE · value
// Two lines name the same series exactly if their keys are equal. The empty key is the series without tags.

/// A tag set in canonical form. Names are unique; values are not empty (an empty tag is an absent tag).
@usableFromInline package struct SeriesKey: Hashable, Sendable {
  @usableFromInline package let bytes: [UInt8]

  /// Takes canonical bytes as they are.
  @inlinable package init(canonical bytes: [UInt8]) { self.bytes = bytes }

  /// Sorts and encodes; tags with an empty value are left out. Names must be unique.
  package init(tags: [(name: String, value: String)]) {
    var out: [UInt8] = []
    for tag in tags.sorted(by: { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) })
    where !tag.value.isEmpty {
      SeriesKey.append(name: Array(tag.name.utf8)[...], value: Array(tag.value.utf8)[...], to: &out)
    }
    bytes = out
  }

  @inlinable package static func append(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>, to out: inout [UInt8]) {
    let n = UInt16(name.count)
    let v = UInt32(value.count)
    out.append(UInt8(truncatingIfNeeded: n))
    out.append(UInt8(truncatingIfNeeded: n >> 8))
    out.append(contentsOf: name)
    for shift in stride(from: 0, to: 32, by: 8) { out.append(UInt8(truncatingIfNeeded: v >> UInt32(shift))) }
    out.append(contentsOf: value)
  }

  /// The tags, in order of the name's bytes.
  package var tags: [(name: String, value: String)] {
    var result: [(String, String)] = []
    forEachTag { name, value in
      result.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
    }
    return result
  }

  /// Visits the tags in order of the name's bytes, without making strings. The bytes are those of the key, valid within
  /// `body`.
  @inlinable package func forEachTag(
    _ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    try bytes.withUnsafeBufferPointer { bytes in
      var i = 0
      while i < bytes.count {
        let nameCount = Int(bytes[i]) | Int(bytes[i + 1]) << 8
        let name = UnsafeBufferPointer(rebasing: bytes[(i + 2)..<(i + 2 + nameCount)])
        i += 2 + nameCount
        let valueCount =
          Int(bytes[i]) | Int(bytes[i + 1]) << 8 | Int(bytes[i + 2]) << 16 | Int(bytes[i + 3]) << 24
        let value = UnsafeBufferPointer(rebasing: bytes[(i + 4)..<(i + 4 + valueCount)])
        i += 4 + valueCount
        try body(name, value)
      }
    }
  }
}

/// UTF-8 as the Unicode standard's table 3-7 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Validation {
  /// The offset of the first byte that is not part of a well-formed sequence; nil if all are.
  static func firstInvalid(_ p: UnsafePointer<UInt8>, _ count: Int) -> Int? {
    var i = 0
    while i < count {
      if count - i >= 8, Word.load(p + i) & Word.highs == 0 {
        i += 8
        continue
      }
      let lead = p[i]
      if lead < 0x80 {
        i += 1
        continue
      }
      let length: Int
      var low: UInt8 = 0x80
      var high: UInt8 = 0xBF
      switch lead {
      case 0xC2...0xDF: length = 2
      case 0xE0: (length, low) = (3, 0xA0)
      case 0xED: (length, high) = (3, 0x9F)
      case 0xE1...0xEF: length = 3
      case 0xF0: (length, low) = (4, 0x90)
      case 0xF4: (length, high) = (4, 0x8F)
      case 0xF1...0xF3: length = 4
      default: return i
      }
      guard i + length <= count, p[i + 1] >= low, p[i + 1] <= high else { return i }
      for k in 2..<max(length, 2) where p[i + k] & 0xC0 != 0x80 { return i }
      i += length
    }
    return nil
  }
}

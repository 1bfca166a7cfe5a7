// Distinct words, numbered in order of their first appearance: a dictionary while it is made. Interned texts count as
// words, since equal ones have equal references.

import VarveCore

struct WordTable {
  /// More than this, and a dictionary does not pay.
  static let limit = 32 * 1024

  private(set) var values = Buffer<UInt64>()
  /// Number + 1 of the value at each slot; 0: free.
  private let slots = Buffer<UInt32>(repeating: 0, count: limit * 2)
  /// Others cannot choose values that collide.
  private let seed = UInt64.random(in: .min ... .max) | 1

  /// The codes of all words, and the values that they stand for; nil: there are too many.
  static func encode(_ words: UnsafeBufferPointer<UInt64>) -> (codes: Buffer<UInt64>, values: Buffer<UInt64>)? {
    var table = WordTable()
    let codes = Buffer<UInt64>(capacity: words.count)
    var last: (word: UInt64, code: UInt64)?
    for word in words {
      if let last, last.word == word {
        codes.append(last.code)
        continue
      }
      guard let code = table.code(word) else { return nil }
      codes.append(code)
      last = (word, code)
    }
    return (codes, table.values)
  }

  /// Of one word, which is given the next code if it has none; nil: there are too many.
  mutating func code(_ word: UInt64) -> UInt64? {
    let mixed = (word ^ (word >> 32)) &* 0x9E37_79B9_7F4A_7C15 ^ seed
    var slot = Int((mixed &* seed) >> 40) & (slots.count - 1)
    while true {
      let number = slots.base[slot]
      if number == 0 { break }
      if values.base[Int(number) - 1] == word { return UInt64(number) - 1 }
      slot = (slot + 1) & (slots.count - 1)
    }
    guard values.count < Self.limit else { return nil }
    values.append(word)
    slots.base[slot] = UInt32(values.count)
    return UInt64(values.count) - 1
  }
}

/// Texts that came before are found again, so that each is kept once: as long as there are few different ones.
struct TextTable {
  private static let byteLimit = 1 << 20

  private var refs: [Int: [UInt64]] = [:]
  private var count = 0
  private var keptByteCount = 0

  /// The reference of `text` in `bytes`, where it is put if it is new; nil: there are too many.
  mutating func ref(_ text: UnsafeBufferPointer<UInt8>, in bytes: Buffer<UInt8>) -> UInt64? {
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(text))
    let hash = hasher.finalize()
    for word in refs[hash] ?? [] {
      let ref = TextRef(word: word)
      if UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length).elementsEqual(text) { return word }
    }
    guard count < WordTable.limit, keptByteCount + text.count <= Self.byteLimit else { return nil }
    let word = TextRef(offset: bytes.count, length: text.count).word
    bytes.append(text)
    refs[hash, default: []].append(word)
    count += 1
    keptByteCount += text.count
    return word
  }
}

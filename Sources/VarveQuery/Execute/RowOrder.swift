// The order of rows by keys. Each key is made one word a row that orders it: numbers and times are, values of a
// dictionary get their rank among those that occur, other text its first eight bytes. Where the words say all, and fit
// together into one, the rows are sorted by their bits without a comparison.

import VarveCompute
import VarveCore

enum RowOrder {
  /// Equal rows stay in their order.
  static func sorted(_ keys: [Column], _ sorts: [BoundSort], count: Int) -> Buffer<UInt32> {
    let order = Buffer<UInt32>(capacity: count)
    for row in 0..<count { order.append(UInt32(row)) }
    guard !keys.isEmpty, count > 1 else { return order }
    let words = zip(keys, sorts).map { OrderWords($0, $1) }
    if let joint = OrderWords.joined(words, count: count) { return BitSort.sorted(joint.words, joint.bitCount, order) }
    compare(keys, words, sorts, order)
    return order
  }

  private static func compare(
    _ keys: [Column], _ words: [OrderWords], _ sorts: [BoundSort], _ order: Buffer<UInt32>
  ) {
    // Text that begins alike goes on to be compared, the others only where they are NULL.
    let first = words[0].words
    var rows = order.mutableSpan
    rows.sort { a, b in
      for (index, key) in keys.enumerated() {
        if index == 0, !words[0].hasNulls {
          let (x, y) = (first.base[Int(a)], first.base[Int(b)])
          if x != y { return x < y }
          if words[0].isExact { continue }
        }
        let sort = sorts[index]
        let result = key.compare(Int(a), key, Int(b), descending: sort.isDescending, nullsFirst: sort.nullsFirst)
        if result != 0 { return result < 0 }
      }
      return a < b
    }
    withExtendedLifetime(first) {}
  }
}

/// A word a row for one key: where two differ, they order the rows; those of NULLs say nothing.
private struct OrderWords {
  let words: Buffer<UInt64>
  /// Whether rows with the same word have the same value.
  let isExact: Bool
  let nulls: Buffer<UInt8>?
  let nullsFirst: Bool
  var hasNulls: Bool { nulls != nil }

  init(_ column: Column, _ sort: BoundSort) {
    let flat = column.constantValue == nil ? column : column.materialized()
    let words = Buffer<UInt64>(repeating: 0, count: flat.count)
    var isExact = false
    switch flat.storage {
    case .words(let source):
      Self.order(source, isFloat: column.type.isFloat, into: words)
      isExact = true
    case .dictionary(let codes, let dictionary) where dictionary.values.count <= max(1024, flat.count * 4):
      Self.rank(codes, dictionary, into: words)
      isExact = true
    case .text, .dictionary:
      let view = TextView(flat)
      for row in 0..<flat.count where !flat.isNull(at: row) { words.base[row] = Self.start(view.bytes(row)) }
    case .data, .constant: break
    }
    if sort.isDescending { for row in 0..<words.count { words.base[row] = ~words.base[row] } }
    self.words = words
    self.isExact = isExact
    nulls = flat.hasNulls ? Buffer((0..<flat.count).map { flat.isNull(at: $0) ? 1 : 0 }) : nil
    nullsFirst = sort.nullsFirst
  }

  private static func order(_ source: Buffer<UInt64>, isFloat: Bool, into words: Buffer<UInt64>) {
    defer { withExtendedLifetime(source) {} }
    let (from, to) = (source.base, words.base)
    guard isFloat else {
      for row in 0..<words.count { to[row] = from[row] ^ (1 << 63) }
      return
    }
    for row in 0..<words.count {
      let value = Double(bitPattern: from[row])
      // NaN is greatest, and -0 is 0.
      let bits = value.magnitude.bitPattern
      to[row] = value.isNaN ? .max : value < 0 ? ~(bits | 1 << 63) : bits | 1 << 63
    }
  }

  private static func start(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var word: UInt64 = 0
    for index in 0..<8 { word = word << 8 | (index < bytes.count ? UInt64(bytes[index]) : 0) }
    return word
  }

  private static func rank(_ codes: Buffer<UInt32>, _ dictionary: TextDictionary, into words: Buffer<UInt64>) {
    let ranks = Buffer<UInt32>(repeating: .max, count: dictionary.values.count)
    var used: [(start: UInt64, code: UInt32)] = []
    func bytes(_ code: UInt32) -> UnsafeBufferPointer<UInt8> {
      let ref = TextRef(word: dictionary.refs[Int(code)])
      return UnsafeBufferPointer(start: dictionary.bytes.base + ref.offset, count: ref.length)
    }
    for code in codes.span where ranks[Int(code)] == .max {
      ranks[Int(code)] = 0
      used.append((start(bytes(code)), code))
    }
    used.sort { a, b in
      a.start != b.start ? a.start < b.start : bytes(a.code).lexicographicallyPrecedes(bytes(b.code))
    }
    for (place, value) in used.enumerated() {
      let before = place > 0 ? used[place - 1] : nil
      let isNew = before.map { $0.start != value.start || !bytes($0.code).elementsEqual(bytes(value.code)) } ?? true
      ranks[Int(value.code)] = isNew ? UInt32(place) : before.map { ranks[Int($0.code)] } ?? 0
    }
    for row in 0..<codes.count { words.base[row] = UInt64(ranks.base[Int(codes.base[row])]) }
  }

  /// The keys in one word a row, the first in the highest bits. Nil if they do not fit, or do not say all.
  static func joined(_ keys: [OrderWords], count: Int) -> (words: Buffer<UInt64>, bitCount: Int)? {
    guard keys.allSatisfy(\.isExact) else { return nil }
    var bitCount = 0
    var ranges: [(least: UInt64, greatest: UInt64, bits: Int)] = []
    for key in keys {
      let (least, greatest) = key.range
      let (valueCount, overflow) = (greatest - least).addingReportingOverflow(key.hasNulls ? 1 : 0)
      if overflow { return nil }
      ranges.append((least, greatest, 64 - valueCount.leadingZeroBitCount))
      bitCount += 64 - valueCount.leadingZeroBitCount
    }
    guard bitCount <= 64 else { return nil }
    let joint = Buffer<UInt64>(repeating: 0, count: count)
    for (key, range) in zip(keys, ranges) {
      let (words, out) = (key.words.base, joint.base)
      // A shift by 64 is of nothing: the first key has all bits then.
      let shift = UInt64(range.bits & 63)
      let first: UInt64 = key.hasNulls && key.nullsFirst ? 1 : 0
      let missing = key.nullsFirst ? 0 : range.greatest &- range.least &+ 1
      for row in 0..<count {
        let value = (key.nulls?.base[row] ?? 0) == 1 ? missing : words[row] &- range.least &+ first
        out[row] = out[row] &<< shift | value
      }
    }
    return (joint, bitCount)
  }

  /// Of the rows that are not NULL.
  private var range: (least: UInt64, greatest: UInt64) {
    var (least, greatest) = (UInt64.max, UInt64.min)
    for row in 0..<words.count where (nulls?.base[row] ?? 0) == 0 {
      least = min(least, words.base[row])
      greatest = max(greatest, words.base[row])
    }
    return least > greatest ? (0, 0) : (least, greatest)
  }
}

/// Rows by words: digit by digit from the lowest on where they are many, by comparison where they are few.
private enum BitSort {
  private static let digitBitCount = 11
  private static let fewRows = 512

  static func sorted(_ words: Buffer<UInt64>, _ bitCount: Int, _ order: Buffer<UInt32>) -> Buffer<UInt32> {
    let count = order.count
    let keys = words.base
    defer { withExtendedLifetime(words) {} }
    if count <= fewRows {
      var rows = order.mutableSpan
      rows.sort { a, b in keys[Int(a)] != keys[Int(b)] ? keys[Int(a)] < keys[Int(b)] : a < b }
      return order
    }
    var (from, to) = (order, Buffer<UInt32>(repeating: 0, count: count))
    let places = Buffer<Int>(repeating: 0, count: 1 << digitBitCount)
    for shift in stride(from: 0, to: bitCount, by: digitBitCount) {
      if place(from.base, to.base, count, keys, UInt64(shift), places) { swap(&from, &to) }
    }
    return from
  }

  /// False, and nothing moved, where all rows have the same digit.
  private static func place(
    _ from: UnsafePointer<UInt32>, _ to: UnsafeMutablePointer<UInt32>, _ count: Int, _ keys: UnsafePointer<UInt64>,
    _ shift: UInt64, _ places: Buffer<Int>
  ) -> Bool {
    let mask = UInt64(places.count - 1)
    let next = places.base
    next.update(repeating: 0, count: places.count)
    for row in 0..<count { next[Int(keys[row] &>> shift & mask)] &+= 1 }
    if next[Int(keys[0] &>> shift & mask)] == count { return false }
    var start = 0
    for digit in 0..<places.count {
      let size = next[digit]
      next[digit] = start
      start += size
    }
    for place in 0..<count {
      let row = from[place]
      let digit = Int(keys[Int(row)] &>> shift & mask)
      to[next[digit]] = row
      next[digit] &+= 1
    }
    return true
  }
}

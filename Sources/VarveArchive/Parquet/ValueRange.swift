// Smallest and largest of some values, as statistics say them. NaN is in no range, and both zeros are: a range that ends
// at one says the other, since readers do not agree on their order.

import CVarve
import VarveCore

struct ValueRange {
  private let column: ParquetColumn
  private let bytes: Buffer<UInt8>?
  private var bounds: (least: UInt64, greatest: UInt64)?
  /// Values that are in no order were among them, and nothing else.
  var isEmpty: Bool { bounds == nil }

  /// Text in statistics is cut to this many bytes.
  private static let textByteCount = 64

  init(_ column: ParquetColumn, bytes: Buffer<UInt8>?) {
    self.column = column
    self.bytes = bytes
  }

  mutating func add(_ words: UnsafeBufferPointer<UInt64>) {
    guard let first = words.first(where: { !isUnordered($0) }) else { return }
    var (least, greatest) = bounds ?? (first, first)
    switch column.order {
    case .none: return
    case .signed:
      guard let base = words.baseAddress else { return }
      let range = cvarve_extremes_of(base, words.count)
      if Int64(bitPattern: range.least) < Int64(bitPattern: least) { least = range.least }
      if Int64(bitPattern: range.greatest) > Int64(bitPattern: greatest) { greatest = range.greatest }
    case .unsigned:
      guard let base = words.baseAddress else { return }
      let range = cvarve_range_of(base, words.count, 0)
      (least, greatest) = (min(least, range.least), max(greatest, range.greatest))
    case .floating where column.type == .double:
      let (low, high) = Self.doubles(words, Double(bitPattern: least), Double(bitPattern: greatest))
      (least, greatest) = (low.bitPattern, high.bitPattern)
    case .floating:
      for word in words {
        let value = Self.float(word)
        if value < Self.float(least) { least = word }
        if value > Self.float(greatest) { greatest = word }
      }
    case .bytes, .signedBytes:
      var last = least
      for word in words where word != last {
        last = word
        if precedes(word, least) { least = word }
        if precedes(greatest, word) { greatest = word }
      }
    }
    bounds = (least, greatest)
  }

  /// Which of equal zeros is found is not said.
  private static func doubles(
    _ words: UnsafeBufferPointer<UInt64>, _ least: Double, _ greatest: Double
  ) -> (least: Double, greatest: Double) {
    var (low, high) = (SIMD8<Double>(repeating: least), SIMD8<Double>(repeating: greatest))
    let raw = UnsafeRawPointer(words.baseAddress)
    var at = 0
    while let raw, at &+ 8 <= words.count {
      let values = raw.loadUnaligned(fromByteOffset: at &* 8, as: SIMD8<Double>.self)
      // Comparisons with NaN are false: it moves neither bound.
      low = low.replacing(with: values, where: values .< low)
      high = high.replacing(with: values, where: values .> high)
      at &+= 8
    }
    var (least, greatest) = (low.min(), high.max())
    while at < words.count {
      let value = Double(bitPattern: words[at])
      if value < least { least = value }
      if value > greatest { greatest = value }
      at &+= 1
    }
    return (least, greatest)
  }

  mutating func add(_ other: ValueRange) {
    guard let (least, greatest) = other.bounds else { return }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2) { pair in
      pair.initializeElement(at: 0, to: least)
      pair.initializeElement(at: 1, to: greatest)
      add(UnsafeBufferPointer(pair))
    }
  }

  func statistics(nullCount: Int) -> ParquetStatistics {
    var statistics = ParquetStatistics(nullCount: nullCount)
    guard let (least, greatest) = bounds else { return statistics }
    statistics.minimum = PlainValues.bytes(signed(least, isLeast: true), column, bytes: bytes)
    statistics.maximum = PlainValues.bytes(signed(greatest, isLeast: false), column, bytes: bytes)
    if column.type == .bytes, column.order == .bytes { Self.cut(&statistics, isText: isText) }
    return statistics
  }

  /// Whether bounds do not fall (or rise) from this range to the next.
  static func isOrdered(_ a: ValueRange, _ b: ValueRange) -> (ascending: Bool, descending: Bool) {
    guard let first = a.bounds, let second = b.bounds else { return (true, true) }
    return (
      !a.isLess(second.least, first.least) && !a.isLess(second.greatest, first.greatest),
      !a.isLess(first.least, second.least) && !a.isLess(first.greatest, second.greatest)
    )
  }

  private var isText: Bool { column.meaning == .text || column.meaning == .json }

  private static func float(_ word: UInt64) -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: word)) }

  private func isUnordered(_ word: UInt64) -> Bool {
    guard column.order == .floating else { return false }
    return column.type == .double ? Double(bitPattern: word).isNaN : Self.float(word).isNaN
  }

  private func isLess(_ a: UInt64, _ b: UInt64) -> Bool {
    switch column.order {
    case .none: false
    case .signed: Int64(bitPattern: a) < Int64(bitPattern: b)
    case .unsigned: a < b
    case .floating:
      column.type == .double ? Double(bitPattern: a) < Double(bitPattern: b) : Self.float(a) < Self.float(b)
    case .bytes, .signedBytes: precedes(a, b)
    }
  }

  private func precedes(_ a: UInt64, _ b: UInt64) -> Bool {
    let (a, b) = (text(a), text(b))
    // Two's complement numbers of one width: the sign first, the rest as it is.
    if column.order == .signedBytes, let x = a.first, let y = b.first, x != y {
      return Int8(bitPattern: x) < Int8(bitPattern: y)
    }
    return a.lexicographicallyPrecedes(b)
  }

  private func text(_ word: UInt64) -> UnsafeBufferPointer<UInt8> {
    guard let bytes else { preconditionFailure("texts stand in bytes") }
    let ref = TextRef(word: word)
    return UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length)
  }

  private func signed(_ word: UInt64, isLeast: Bool) -> UInt64 {
    guard column.order == .floating else { return word }
    if column.type == .double { return Double(bitPattern: word) == 0 ? (isLeast ? 1 << 63 : 0) : word }
    return Self.float(word) == 0 ? (isLeast ? 1 << 31 : 0) : word
  }

  /// Bounds that are long become shorter ones that lie beyond them; a greatest one that cannot stays as it is.
  private static func cut(_ statistics: inout ParquetStatistics, isText: Bool) {
    if let minimum = statistics.minimum, minimum.count > textByteCount {
      statistics.minimum = prefix(minimum, isText: isText)
      statistics.isMinimumExact = false
    }
    if let maximum = statistics.maximum, maximum.count > textByteCount,
      let beyond = successor(prefix(maximum, isText: isText), isText: isText)
    {
      statistics.maximum = beyond
      statistics.isMaximumExact = false
    }
  }

  /// Of text, whole characters.
  private static func prefix(_ bytes: [UInt8], isText: Bool) -> [UInt8] {
    var count = textByteCount
    while isText, count > 0, bytes[count] & 0xC0 == 0x80 { count -= 1 }
    return Array(bytes[..<count])
  }

  /// A short value beyond all that begin with `prefix`; nil: there is none that is easily found.
  private static func successor(_ prefix: [UInt8], isText: Bool) -> [UInt8]? {
    // Of text, the last ASCII character that has a next one; what stands behind it is left out.
    guard let last = prefix.lastIndex(where: { isText ? $0 < 0x7F : $0 < 0xFF }) else { return nil }
    var bytes = Array(prefix[...last])
    bytes[last] += 1
    return bytes
  }
}

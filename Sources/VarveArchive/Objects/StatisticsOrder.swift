// Bounds of pages held against each other as the bytes that statistics have of them.

import VarveCore

struct StatisticsOrder {
  private let order: ParquetOrder
  private let type: ParquetPhysicalType

  init(_ column: ParquetColumn) {
    order = column.order
    type = column.type
  }

  /// Of all pages together.
  func union(_ pages: [ParquetStatistics]) -> ParquetStatistics {
    var total = ParquetStatistics(nullCount: 0)
    for page in pages {
      total.nullCount = (total.nullCount ?? 0) + (page.nullCount ?? 0)
      if let minimum = page.minimum, total.minimum.map({ precedes(minimum, $0) }) ?? true {
        (total.minimum, total.isMinimumExact) = (minimum, page.isMinimumExact)
      }
      if let maximum = page.maximum, total.maximum.map({ precedes($0, maximum) }) ?? true {
        (total.maximum, total.isMaximumExact) = (maximum, page.isMaximumExact)
      }
    }
    return total
  }

  /// nil: a page has values and no bounds, which an index cannot say.
  func index(_ pages: [ParquetStatistics], rowCounts: [Int]) -> ParquetColumnIndex? {
    var (isAscending, isDescending) = (true, true)
    var last: (least: [UInt8], greatest: [UInt8])?
    for (page, rowCount) in zip(pages, rowCounts) {
      guard let least = page.minimum, let greatest = page.maximum else {
        if page.nullCount != rowCount { return nil }
        continue
      }
      if let last {
        if precedes(least, last.least) || precedes(greatest, last.greatest) { isAscending = false }
        if precedes(last.least, least) || precedes(last.greatest, greatest) { isDescending = false }
      }
      last = (least, greatest)
    }
    return ParquetColumnIndex(
      pages: pages, boundaries: isAscending ? .ascending : isDescending ? .descending : .unordered)
  }

  func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    switch order {
    case .none: return false
    case .signed:
      // Whatever the width, the sign is in the last byte.
      return Self.word(a, isSigned: true) < Self.word(b, isSigned: true)
    case .unsigned: return UInt64(bitPattern: Self.word(a)) < UInt64(bitPattern: Self.word(b))
    case .floating where type == .float:
      return Float(bitPattern: UInt32(truncatingIfNeeded: Self.word(a)))
        < Float(bitPattern: UInt32(truncatingIfNeeded: Self.word(b)))
    case .floating:
      return Double(bitPattern: UInt64(bitPattern: Self.word(a)))
        < Double(bitPattern: UInt64(bitPattern: Self.word(b)))
    case .bytes: return a.lexicographicallyPrecedes(b)
    case .signedBytes:
      // Two's complement numbers of one width: the sign first, the rest as it is.
      if let x = a.first, let y = b.first, x != y { return Int8(bitPattern: x) < Int8(bitPattern: y) }
      return a.lexicographicallyPrecedes(b)
    }
  }

  private static func word(_ bytes: [UInt8], isSigned: Bool = false) -> Int64 {
    var word: Int64 = 0
    for (place, byte) in bytes.enumerated() { word |= Int64(byte) << Int64(place * 8) }
    let unused = Int64(64 - bytes.count * 8)
    return isSigned && unused > 0 ? (word << unused) >> unused : word
  }
}

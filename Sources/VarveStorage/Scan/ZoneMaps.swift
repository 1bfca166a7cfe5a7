// Zone maps of segments as partial aggregates.

import VarveCore
import VarveFormat

enum ZoneMaps {
  /// What is to be made to have these statistics.
  static func aggregates(_ wanted: SummaryStatistics) -> PageAggregates {
    var result: PageAggregates = []
    if wanted.contains(.sum) { result.insert(.sum) }
    if !wanted.isDisjoint(with: SummaryStatistics(.minimum, .maximum)) { result.insert(.range) }
    if !wanted.isDisjoint(with: SummaryStatistics(.first, .last)) { result.insert(.ends) }
    return result
  }

  /// Nil where a sum turns out to be none.
  static func column(
    _ id: ColumnID, _ type: FieldType, _ zones: [ZoneMap], _ wanted: SummaryStatistics
  ) -> SummaryColumn? {
    var column = SummaryColumn(column: id, type: type)
    column[.count] = words(zones) { UInt64($0.valueCount) }
    if type == .float64, wanted.contains(.nanCount) { column[.nanCount] = words(zones) { UInt64($0.nanCount) } }
    if wanted.contains(.minimum) { column[.minimum] = words(zones, \.minimum) }
    if wanted.contains(.maximum) { column[.maximum] = words(zones, \.maximum) }
    if wanted.contains(.first) { column[.first] = words(zones, \.first) }
    if wanted.contains(.last) { column[.last] = words(zones, \.last) }
    guard wanted.contains(.sum) else { return column }
    let sums = Buffer<UInt64>(capacity: zones.count)
    for zone in zones {
      guard let sum = sum(zone, type) else { return nil }
      sums.append(sum)
    }
    column[.sum] = sums
    return column
  }

  /// Nil if it does not fit a word; of doubles if it is no number, be it for one of them or for their sum.
  static func sum(_ zone: ZoneMap, _ type: FieldType) -> UInt64? {
    guard type == .float64 else { return Int64(exactly: zone.integerSum).map { UInt64(bitPattern: $0) } }
    return zone.doubleSum.isFinite ? zone.doubleSum.bitPattern : nil
  }

  static func words<Source>(_ sources: [Source], _ word: (Source) -> UInt64) -> Buffer<UInt64> {
    let words = Buffer<UInt64>(capacity: sources.count)
    for source in sources { words.append(word(source)) }
    return words
  }
}

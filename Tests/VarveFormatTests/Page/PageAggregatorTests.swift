import Testing
import VarveCore
@testable import VarveFormat

@Suite struct PageAggregatorTests {
  let file = FileID(rawValue: 42)

  /// Ascending and apart, some touching, and now and then all rows.
  private func segments(_ count: Int, _ g: inout SeededGenerator) -> [Range<Int>] {
    guard Int.random(in: 0..<4, using: &g) > 0 else { return [0..<count] }
    var ranges: [Range<Int>] = []
    var at = 0
    let longest = [5, 400, 3000].randomElement(using: &g) ?? 5
    while at < count {
      let end = min(count, at + Int.random(in: 1...longest, using: &g))
      if Int.random(in: 0..<4, using: &g) > 0 { ranges.append(at..<end) }
      at = end
    }
    return ranges
  }

  private func naive(_ column: FieldColumn, _ rows: Range<Int>) -> ZoneMap {
    let values = Buffer<UInt64>()
    var nulls = 0
    for row in rows {
      if column.state(row) == .value { values.append(column.words[row]) }
      if column.state(row) == .null { nulls += 1 }
    }
    return withExtendedLifetime(values) { ZoneMap(type: column.type, values: values.span, nullCount: nulls) }
  }

  private func expectEqual(
    _ found: ZoneMap, _ expected: ZoneMap, _ column: FieldColumn, _ rows: Range<Int>, _ wanted: PageAggregates,
    _ place: String
  ) {
    let type = column.type
    #expect(found.valueCount == expected.valueCount && found.nullCount == expected.nullCount, "\(place)")
    guard type != .text, expected.valueCount > 0 else { return }
    if wanted.contains(.ends) { #expect(found.first == expected.first && found.last == expected.last, "\(place)") }
    if wanted.contains(.range) {
      #expect(found.nanCount == expected.nanCount, "\(place)")
      if expected.hasRange(type), type == .float64 {
        // Which of two zeros is found is not said.
        #expect(Double(bitPattern: found.minimum) == Double(bitPattern: expected.minimum), "\(place)")
        #expect(Double(bitPattern: found.maximum) == Double(bitPattern: expected.maximum), "\(place)")
      } else if expected.hasRange(type) {
        #expect(found.minimum == expected.minimum && found.maximum == expected.maximum, "\(place)")
      }
    }
    guard wanted.contains(.sum) else { return }
    guard type == .float64 else {
      #expect(found.integerSum == expected.integerSum, "\(place)")
      return
    }
    var magnitude = 0.0
    for row in rows where column.state(row) == .value { magnitude += Double(bitPattern: column.words[row]).magnitude }
    // A sum that passes the greatest double on one way need not on another.
    guard magnitude.isFinite else {
      let isSpecial = !found.doubleSum.isFinite || magnitude.isInfinite
      #expect(isSpecial && (found.doubleSum.isNaN || !magnitude.isNaN), "\(place)")
      return
    }
    #expect((found.doubleSum - expected.doubleSum).magnitude <= magnitude * 1e-12, "\(place)")
  }

  @Test(arguments: FieldType.allCases, PageEffort.allCases)
  func everySegmentIsAsItsRowsAre(type: FieldType, effort: PageEffort) throws {
    for seed in seeds {
      for shape in WordShape.allCases {
        for (states, count) in [(StateShape.all, 1), (.all, 1024), (.all, 3000), (.nulls, 1100)] {
          var g = SeededGenerator(seed: seed &+ UInt64(count))
          let written = column(type, shape, states, count: count, &g)
          let (page, _) = try PageEncoder.encode(written, effort: effort, file: file, offset: 80)
          let ranges = segments(count, &g)
          for wanted in [PageAggregates.sum, [.sum, .range, .ends], []] {
            let found = try page.withUnsafeBytes {
              try PageAggregator.aggregate(
                $0, segments: ranges, wanted: wanted, isVerified: false, file: file, offset: 80)
            }
            #expect(found.count == ranges.count)
            for (zone, rows) in zip(found, ranges) {
              expectEqual(
                zone, naive(written, rows), written, rows, wanted,
                "\(type) \(effort) \(shape) \(states) \(count) \(rows) \(wanted) seed \(seed)")
            }
          }
        }
      }
    }
  }

  @Test func sumsOfExtremesAreExact() throws {
    for (type, words) in [
      (FieldType.int64, [UInt64](repeating: UInt64(bitPattern: .min), count: 3000)),
      (.uint64, [UInt64](repeating: .max, count: 3000)),
      (.int64, (0..<3000).map { UInt64(bitPattern: .max - Int64($0 % 7)) }),
      (.uint64, (0..<3000).map { .max - UInt64($0 * $0 % 11) }),
    ] {
      let column = FieldColumn(type: type, words: Buffer(words))
      let (page, zone) = try PageEncoder.encode(column, file: file, offset: 0)
      let found = try page.withUnsafeBytes {
        try PageAggregator.aggregate(
          $0, segments: [0..<3000], wanted: .sum, isVerified: true, file: file, offset: 0)
      }
      #expect(found[0].integerSum == zone.integerSum)
    }
  }

  @Test(arguments: seeds, PageEffort.allCases)
  func damagedPagesEndInAValueOrAnError(seed: UInt64, effort: PageEffort) throws {
    var g = SeededGenerator(seed: seed)
    for type in FieldType.allCases {
      for shape in [WordShape.smallSteps, .decimals, .farBell, .wholeDoubles, .spikes] {
        let (page, _) = try PageEncoder.encode(
          column(type, shape, .all, count: 2100, &g), effort: effort, file: file, offset: 0)
        for _ in 0..<200 {
          var damaged = page
          damaged[Int.random(in: 4..<page.count, using: &g)] = UInt8.random(in: 0...255, using: &g)
          let ranges = segments(2100, &g)
          try damaged.withUnsafeBytes { raw in
            _ = try isTotal {
              _ = try PageAggregator.aggregate(
                raw, segments: ranges, wanted: [.sum, .range], isVerified: true, file: file, offset: 0)
            }
          }
        }
      }
    }
  }

  @Test func aPageOfFewerRowsThanAreAskedForIsDamaged() throws {
    var g = SeededGenerator(seed: 1)
    let (page, _) = try PageEncoder.encode(column(.int64, .counter, .all, count: 9, &g), file: file, offset: 0)
    page.withUnsafeBytes { raw in
      #expect(throws: VarveError.self) {
        try PageAggregator.aggregate(raw, segments: [0..<10], wanted: .sum, isVerified: true, file: file, offset: 0)
      }
      #expect(throws: VarveError.self) {
        try PageAggregator.aggregate(raw, segments: [0..<9], wanted: .sum, isVerified: false, file: file, offset: 1)
      }
    }
  }
}

import Testing
import VarveCore
import VarveSimulator

@testable import VarveArchive

@Suite struct RoundTripTests {
  @Test(arguments: 0..<20 as Range<UInt64>) func whatWasWrittenIsRead(seed: UInt64) throws {
    var g = SeededRandom(seed: seed)
    let columns = Samples.columns.shuffled(using: &g)
    let batches = (0..<Int.random(in: 0...6, using: &g)).map { _ in
      let rows = Int.random(in: 0...900, using: &g)
      return columns.map { Samples.vector($0, rows: rows, &g) }
    }
    let bytes = write(columns, batches, seed % 2 == 0 ? smallPages() : ParquetWriter.Options())
    let (found, cells) = try read(bytes)
    #expect(found == columns, "seed \(seed)")
    for (index, column) in columns.enumerated() {
      let wanted = batches.flatMap { Samples.cells($0[index], column) }
      #expect(cells[index] == wanted, "\(column.name), seed \(seed)")
    }
  }

  @Test(arguments: 100..<112 as Range<UInt64>) func boundsHoldForAllValuesOfAPage(seed: UInt64) throws {
    var g = SeededRandom(seed: seed)
    let columns = Samples.columns
    let batch = columns.map { Samples.vector($0, rows: 1000, &g) }
    let file = try ParquetFile(ParquetBytes(write(columns, [batch], smallPages())))
    for (index, column) in columns.enumerated() {
      let cells = Samples.cells(batch[index], column)
      let chunk = file.metadata.rowGroups[0].columns[index].statistics
      let place = "\(column.name), seed \(seed)"
      #expect(chunk.nullCount == cells.count { $0 == nil }, "\(place)")
      expectBounds(chunk, cells, column, place)
      let locations = try #require(try file.pageLocations(group: 0, column: index))
      guard let pages = try file.columnIndex(group: 0, column: index)?.pages else {
        #expect(column.order == .floating, "only where NaN stands alone is there no index: \(place)")
        continue
      }
      #expect(pages.count == locations.count, "\(place)")
      for (page, statistics) in pages.enumerated() {
        let end = page + 1 < locations.count ? locations[page + 1].firstRow : cells.count
        let taken = Array(cells[locations[page].firstRow..<end])
        #expect(statistics.nullCount == taken.count { $0 == nil }, "\(place)")
        expectBounds(statistics, taken, column, place)
      }
    }
  }

  /// No value lies beyond the bounds, and bounds that are exact are values.
  private func expectBounds(
    _ statistics: ParquetStatistics, _ cells: Cells, _ column: ParquetColumn, _ place: String
  ) {
    let values = cells.compactMap { $0 }.filter { !isNaN($0, column) }
    guard let least = statistics.minimum, let greatest = statistics.maximum else {
      #expect(values.isEmpty, "values without bounds: \(place)")
      return
    }
    for value in values {
      #expect(!precedes(value, least, column) && !precedes(greatest, value, column), "\(value): \(place)")
    }
    func isValue(_ bound: [UInt8]) -> Bool {
      values.contains { !precedes($0, bound, column) && !precedes(bound, $0, column) }
    }
    if statistics.isMinimumExact { #expect(isValue(least), "\(place)") }
    if statistics.isMaximumExact { #expect(isValue(greatest), "\(place)") }
  }

  private func isNaN(_ bytes: [UInt8], _ column: ParquetColumn) -> Bool {
    column.order == .floating && number(bytes, column).isNaN
  }

  private func integer(_ bytes: [UInt8]) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

  private func number(_ bytes: [UInt8], _ column: ParquetColumn) -> Double {
    column.type == .double
      ? Double(bitPattern: integer(bytes)) : Double(Float(bitPattern: UInt32(truncatingIfNeeded: integer(bytes))))
  }

  /// Worked out apart from what is tested.
  private func precedes(_ a: [UInt8], _ b: [UInt8], _ column: ParquetColumn) -> Bool {
    switch column.name {
    case "single", "double": return number(a, column) < number(b, column)
    case "small", "narrow", "day":
      return Int32(truncatingIfNeeded: integer(a)) < Int32(truncatingIfNeeded: integer(b))
    case "time", "wide": return Int64(bitPattern: integer(a)) < Int64(bitPattern: integer(b))
    case "unsigned", "flag": return integer(a) < integer(b)
    case "exact":
      func value(_ bytes: [UInt8]) -> Int128 {
        bytes.reduce(Int128(Int8(bitPattern: bytes[0]) >> 7)) { $0 << 8 | Int128($1) }
      }
      return value(a) < value(b)
    default: return a.lexicographicallyPrecedes(b)
    }
  }
}

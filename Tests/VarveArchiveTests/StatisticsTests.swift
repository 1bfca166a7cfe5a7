import Testing
import VarveCore

@testable import VarveArchive

@Suite struct StatisticsTests {
  private func doubles(_ values: [Double?]) -> ParquetVector {
    ParquetVector(
      words: Buffer(values.map { $0?.bitPattern ?? 0 }),
      presence: values.contains(nil) ? Buffer(values.map { $0 == nil ? 0 : 1 }) : nil)
  }

  private func texts(_ values: [String]) -> ParquetVector {
    let (words, bytes) = (Buffer<UInt64>(), Buffer<UInt8>())
    for value in values {
      words.append(TextRef(offset: bytes.count, length: value.utf8.count).word)
      Array(value.utf8).withUnsafeBufferPointer { bytes.append($0) }
    }
    return ParquetVector(words: words, bytes: bytes)
  }

  private func chunk(_ column: ParquetColumn, _ vector: ParquetVector) throws -> ParquetStatistics {
    let file = try ParquetFile(ParquetBytes(write([column], [[vector]])))
    return file.metadata.rowGroups[0].columns[0].statistics
  }

  private func number(_ bytes: [UInt8]?) -> UInt64? { bytes.map { $0.reversed().reduce(0) { $0 << 8 | UInt64($1) } } }

  @Test func noRangeHasNaN() throws {
    let statistics = try chunk(ParquetColumn("v", .double), doubles([.nan, 3, nil, -2, .nan]))
    #expect(number(statistics.minimum) == (-2.0).bitPattern)
    #expect(number(statistics.maximum) == 3.0.bitPattern)
    #expect(statistics.nullCount == 1)
  }

  @Test func whereAllIsNaNThereAreNoBoundsAndNoIndex() throws {
    let file = try ParquetFile(
      ParquetBytes(write([ParquetColumn("v", .double)], [[doubles([.nan, .nan])]])))
    #expect(file.metadata.rowGroups[0].columns[0].statistics.minimum == nil)
    #expect(file.metadata.rowGroups[0].columns[0].columnIndex == nil)
    #expect(try file.pageLocations(group: 0, column: 0)?.count == 1)
  }

  @Test func aRangeThatEndsAtAZeroHasBothZeros() throws {
    let statistics = try chunk(ParquetColumn("v", .double), doubles([0, -0.0]))
    #expect(number(statistics.minimum) == (-0.0).bitPattern)
    #expect(number(statistics.maximum) == 0.0.bitPattern)
  }

  @Test func longTextsAreCutToBoundsBeyondThem() throws {
    let column = ParquetColumn("t", .bytes, .text)
    let (low, high) = (String(repeating: "ä", count: 60), String(repeating: "z", count: 80))
    let statistics = try chunk(column, texts([low, high]))
    let (minimum, maximum) = (try #require(statistics.minimum), try #require(statistics.maximum))
    // Whole characters.
    #expect(minimum == Array(String(repeating: "z", count: 63).utf8) + Array("{".utf8) || minimum.count == 64)
    #expect(maximum == Array(low.utf8) || Array(low.utf8).lexicographicallyPrecedes(maximum))
    #expect(!statistics.isMinimumExact)
  }

  @Test func aGreatestTextWithoutASuccessorStaysWhole() throws {
    let text = String(repeating: "€", count: 50)
    let statistics = try chunk(ParquetColumn("t", .bytes, .text), texts([text]))
    #expect(statistics.maximum == Array(text.utf8))
    #expect(statistics.isMaximumExact && !statistics.isMinimumExact)
    #expect(statistics.minimum == Array(String(repeating: "€", count: 21).utf8))
  }

  @Test func aColumnOfZerosIsLeftOutWhereAskedAndOtherwiseKept() throws {
    let columns = [ParquetColumn("time", .int64), ParquetColumn("time_nanos", .int32)]
    var options = ParquetWriter.Options()
    options.omittedWhenZero = [1]
    options.sorting = [ParquetSorting(column: 1), ParquetSorting(column: 0)]
    func vector(_ words: [UInt64]) -> ParquetVector { ParquetVector(words: Buffer(words)) }
    let without = try ParquetFile(ParquetBytes(write(columns, [[vector([1, 2]), vector([0, 0])]], options)))
    #expect(without.metadata.columns.map(\.name) == ["time"])
    #expect(without.metadata.rowGroups[0].sorting == [ParquetSorting(column: 0)])
    let (names, cells) = try read(write(columns, [[vector([1, 2]), vector([0, 5])]], options))
    #expect(names.map(\.name) == ["time", "time_nanos"])
    #expect(cells[1] == [[0, 0, 0, 0], [5, 0, 0, 0]])
  }

  @Test func keysValuesAndOrderAreKept() throws {
    var options = smallPages()
    options.keyValues = [("varve.table", "cpu"), ("empty", "")]
    options.createdBy = "varve version 1"
    options.sorting = [ParquetSorting(column: 0, isDescending: true, areNullsFirst: true)]
    let vector = ParquetVector(words: Buffer((0..<2500).map { UInt64($0) }))
    let metadata = try ParquetFile(ParquetBytes(write([ParquetColumn("n", .int64)], [[vector]], options))).metadata
    #expect(metadata.rowCount == 2500 && metadata.rowGroups.map(\.rowCount) == [1100, 1100, 300])
    #expect(metadata.keyValues.map(\.key) == ["varve.table", "empty"])
    #expect(metadata.keyValues.map(\.value) == ["cpu", ""])
    #expect(metadata.createdBy == "varve version 1")
    #expect(metadata.rowGroups.allSatisfy { $0.sorting == options.sorting })
  }
}

import Testing
import VarveCore
import VarveSimulator

@testable import VarveArchive

/// Notes what is asked for.
private final class WatchedSource: ParquetSource {
  private let bytes: [UInt8]
  var ranges: [Range<Int>] = []
  init(_ bytes: [UInt8]) { self.bytes = bytes }
  var byteCount: Int { bytes.count }
  func read(_ range: Range<Int>) throws -> [UInt8] {
    ranges.append(range)
    return Array(bytes[range])
  }
}

@Suite struct RangeReadTests {
  @Test(arguments: 0..<6 as Range<UInt64>) func rowsFromAnyOnAreThoseOfTheWhole(seed: UInt64) throws {
    var g = SeededRandom(seed: seed)
    let columns = Samples.columns
    let batch = columns.map { Samples.vector($0, rows: 1000, &g) }
    let file = try ParquetFile(ParquetBytes(write(columns, [batch], smallPages())))
    for (index, column) in columns.enumerated() {
      let first = Int.random(in: 0..<1000, using: &g)
      var cursor = try ColumnCursor(file, group: 0, column: index, first: first)
      var cells = Cells()
      var start: Int?
      while let page = try cursor.next() {
        start = start ?? cursor.row - page.count
        cells += Samples.cells(page, column)
      }
      let begin = try #require(start)
      #expect(begin <= first, "\(column.name), seed \(seed)")
      #expect(cells == Array(Samples.cells(batch[index], column)[begin...]), "\(column.name), seed \(seed)")
    }
  }

  @Test func onlyPagesThatAreNeededAreRead() throws {
    var g = SeededRandom(seed: 1)
    let words = Buffer<UInt64>((0..<100_000).map { _ in UInt64.random(in: .min ... .max, using: &g) })
    let source = WatchedSource(write([ParquetColumn("n", .int64)], [[ParquetVector(words: words)]]))
    let file = try ParquetFile(source)
    #expect(source.ranges.count == 1, "the footer is read at once")
    source.ranges = []
    var cursor = try ColumnCursor(file, group: 0, column: 0, first: 99_000)
    let page = try #require(try cursor.next())
    #expect(page.words[page.count - 1] == words[99_999])
    #expect(try cursor.next() == nil)
    // The offset index, and the last page.
    #expect(source.ranges.count == 2)
    #expect(source.ranges.reduce(0) { $0 + $1.count } < source.byteCount / 5)
  }
}

import Testing
import VarveCore

@testable import VarveWire

@Suite struct CopyRoundTripTests {
  private static let formats: [CopyFormat] = [.text, .csv, .binary]

  private func check(
    _ table: CopyTable, _ options: CopyOptions, rows: Int, longest: Int, seed: UInt64, newline: String = "\n",
    prefix: [UInt8] = []
  ) {
    var random = SeededGenerator(state: seed)
    let expected = RandomRows.random(table, rows, using: &random)
    var encoder = CopyEncoder(table: table, options: options, random: random)
    encoder.newline = Array(newline.utf8)
    let bytes = prefix + encoder.encode(expected)
    let pieces = CopyReading.pieces(bytes, longest: longest, using: &random)
    let actual = CopyReading.read(pieces, options)
    #expect(actual.error == nil, "seed \(seed)")
    guard actual.rows != expected else { return }
    let index = zip(actual.rows, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? -1
    Issue.record(
      "seed \(seed), row \(index): \(index < 0 ? "count" : "\(actual.rows[index]) is not \(expected[index])")")
  }

  @Test(arguments: formats) func rowsAreReadAsTheyWereMeantHoweverTheyAreCut(_ format: CopyFormat) {
    for seed in UInt64(1)...25 {
      for table in [CopyTable.usual, .scattered, .narrow] {
        let options = table.options(format) {
          if seed % 3 == 0 { $0.batchRowLimit = 7 }
          if seed % 5 == 0 { $0.seriesMemoryByteLimit = 1000 }
        }
        let longest = [1, 7, 60, 3000, 100_000][Int(seed % 5)]
        check(table, options, rows: Int(seed) * 3, longest: longest, seed: seed)
      }
    }
  }

  @Test(arguments: formats) func longDataIsReadInPlace(_ format: CopyFormat) {
    for seed in UInt64(100)...101 {
      check(.usual, CopyTable.usual.options(format), rows: 3000, longest: 100_000, seed: seed)
    }
  }

  @Test func linesMayEndInAnyOfThreeWays() {
    for format in [CopyFormat.text, .csv] {
      for (index, newline) in ["\n", "\r\n", "\r"].enumerated() {
        for seed in UInt64(200)...210 {
          check(
            .usual, CopyTable.usual.options(format), rows: 100, longest: 500, seed: seed + UInt64(index) * 20,
            newline: newline)
        }
      }
    }
  }

  @Test func delimitersQuotesAndNullsMayBeOthers() {
    for seed in UInt64(300)...320 {
      check(
        .usual,
        CopyTable.usual.options(.csv) {
          $0.delimiter = 0x3B
          $0.quote = 0x27
          $0.escape = 0x5C
          $0.null = Array("NULL".utf8)
        }, rows: 100, longest: 700, seed: seed)
      check(
        .scattered,
        CopyTable.scattered.options(.text) {
          $0.delimiter = 0x2C
          $0.null = Array("--".utf8)
        }, rows: 100, longest: 700, seed: seed)
    }
  }

  @Test func aHeaderIsLeftOut() {
    for format in [CopyFormat.text, .csv] {
      let names = CopyTable.usual.columns.map(\.name).joined(separator: format == .csv ? "," : "\t")
      for header in [CopyOptions.Header.skipped, .matched] {
        check(
          .usual, CopyTable.usual.options(format) { $0.header = header }, rows: 20, longest: 30, seed: 400,
          prefix: Array("\(names)\n".utf8))
      }
    }
  }

  @Test(arguments: formats) func everyCutGivesTheSame(_ format: CopyFormat) {
    var random = SeededGenerator(state: 500)
    let options = CopyTable.usual.options(format)
    let rows = RandomRows.random(.usual, 6, using: &random)
    var encoder = CopyEncoder(table: .usual, options: options, random: random)
    let bytes = encoder.encode(rows)
    #expect(CopyReading.read(bytes, options).rows == rows)
    for cut in 0...bytes.count {
      #expect(CopyReading.read([bytes[..<cut], bytes[cut...]], options).rows == rows, "cut \(cut)")
    }
    #expect(CopyReading.read(bytes.map { [$0][...] }, options).rows == rows)
  }
}

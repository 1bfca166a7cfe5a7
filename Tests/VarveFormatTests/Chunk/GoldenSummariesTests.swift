// A chunk with summaries as version 2 wrote it. The bytes of a version that was released are never regenerated: what
// they hold must be read for ever.

import Testing
import VarveCore
@testable import VarveFormat

@Suite struct GoldenSummariesTests {
  /// Two series, four rows, summaries of a minute: doubles, integers with a null and an absent row, text,
  /// booleans.
  static let hex = """
    564152564543484b020000001135029834120000000000000700000000000000010000000000000000a0b83046030000
    0300000000000000090000000000000040420f00000000000000000000000000338de7f5110c00000400000002000000
    0600000006000000020a06020403a6c9fdf7100000000400000004000000200000002000000000a0b830460300000084
    c4844803000000c29a64540300000076d6258c060000adab4039010e0000040000000400000012000000120000000101
    03040200ee0e01040000000000000080e79bc4cb020202000400000002000000040000000400000009020a0bbd379a51
    050a00000400000004000000100000001000000002020602686f74636f6c640301000006e90e2bcc0409000004000000
    0400000001000000010000000d6c734c04110c000003000000020000000600000006000000020a06020201253c5cf610
    0300000300000003000000060000000600000006780040b00337c0743d02030000030000000300000004000000040000
    00010200014f3783ca02030000030000000300000011000000110000002400000000000000a0acb903008eacbc0d1d17
    325b020000000300000003000000180000001800000000e40b540200000000ca9a3b00000000008eacbc0d0000003dc3
    e635010e0000030000000300000008000000080000000100030500001e04c86890e7010e000003000000030000001200
    000012000000010103040200ee00010200000000000000801acf7b28010e000003000000030000001200000012000000
    010103040200ee0001020000000000000080a8b507c2010e000003000000030000001200000012000000010103040200
    ee0001020000000000000080e7efbe61010e000003000000030000001200000012000000010103040200ee0001020000
    000000000080cb283585020300000300000003000000040000000400000001000005d311a60002010000030000000300
    000001000000010000000006867c1b020100000300000003000000010000000100000000fe8948e60201000003000000
    03000000010000000100000000ca3e5400020400000300000003000000050000000500000014010b000351aed3ea0201
    00000300000003000000010000000100000000afe459e502010000030000000300000001000000010000000204000102
    020305040401040205038080c58bc6d10180acf7a8df681e3804002a0400000000000000000080000000000000f83fcd
    cccccccccc0840000000000000f83f9a9999999999b93f001c0201010606000400000000000000000000000000000000
    280400001904000001010103000000000000000000000000000000030103020503783b1e1e1c293004007c202a2a2a2a
    007d1c1919191d190000000419c18293b0d92d0ad1020000000100000034120000000000005c03000000000000a10000
    000000000004000000000000000e0000000000000000a0b830460300000076d6258c0600000500000008000000000000
    00000000005641525645454e44
    """

  /// What `hex` holds.
  static func written() throws -> [UInt8] {
    let second: Int64 = 1_000_000_000
    let identity = ChunkIdentity(
      file: FileID(rawValue: 0x1234), table: TableID(rawValue: 7), partition: 1,
      partitionNanoseconds: 3_600 * second, firstSequence: Sequence(rawValue: 3), lastSequence: Sequence(rawValue: 9),
      wallNanoseconds: 1_000_000)
    let text = Buffer(Array("hotcold".utf8))
    let (hot, cold) = (TextRef(offset: 0, length: 3).word, TextRef(offset: 3, length: 4).word)
    let block = RowBlock(
      runs: [SeriesRun(series: SeriesID(rawValue: 5), count: 3), SeriesRun(series: SeriesID(rawValue: 8), count: 1)],
      times: Buffer([3_600, 3_610, 3_661, 7_199].map { $0 * second }),
      fields: [
        (ColumnID(rawValue: 0), FieldColumn(type: .float64, words: Buffer([1.5, 1.5, -0.0, 0.1].map(\.bitPattern)))),
        (
          ColumnID(rawValue: 2),
          FieldColumn(type: .int64, words: Buffer([5, 0, 0, .max]), states: Buffer([1, 2, 0, 1]))
        ),
        (ColumnID(rawValue: 3), FieldColumn(type: .text, words: Buffer([hot, cold, cold, hot]), text: text)),
        (ColumnID(rawValue: 4), FieldColumn(type: .bool, words: Buffer([1, 0, 1, 1]))),
      ])
    var builder = ChunkBuilder(identity: identity, summaryStep: .minute)
    return try builder.appendRowBlock(block) + builder.finish()
  }

  @Test func theGoldenSummariesAreStillWhatIsWritten() throws {
    let bytes = try Self.written()
    #expect(
      bytes == Self.bytes,
      "\(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())")
  }

  @Test func theGoldenSummariesReadAsTheyWereWritten() throws {
    let bytes = Self.bytes
    #expect(try ChunkVerifier.verify(bytes, file: FileID(rawValue: 0x1234), place: "golden").isEmpty)
    let contents = try ChunkContents.open(bytes, file: nil, place: "golden")
    #expect(contents.version == 2 && contents.footer.rowCount == 4 && contents.footer.valueCount == 14)
    let summaries = try #require(contents.index.summaries)
    let entry = try #require(summaries.blocks.first)
    let block = try SummaryReader.decode(
      entry, SummaryReader.all(entry), step: summaries.step, identity: contents.identity, place: "golden",
      read: { Array(bytes[$0.offset..<($0.offset + $0.byteCount)]) })
    #expect(summaries.step == .minute && summaries.blocks.count == 1)
    #expect(block.buckets.array == [60, 61, 119] && block.rowCounts.array == [2, 1, 1])
    #expect(block.firstOffsets.array == [0, 1_000_000_000, 59_000_000_000])
    #expect(block.column(ColumnID(rawValue: 0))?[.sum]?.array == [3.0, 0.0, 0.1].map(\.bitPattern))
    #expect(block.column(ColumnID(rawValue: 2))?[.count]?.array == [1, 0, 1])
    #expect(block.column(ColumnID(rawValue: 2))?[.maximum]?.array == [5, 0, .max])
    #expect(block.column(ColumnID(rawValue: 4))?[.sum]?.array == [1, 1, 1])
  }

  private static var bytes: [UInt8] {
    let digits = hex.utf8.filter { $0 > 32 }.map { $0 > 57 ? $0 - 87 : $0 - 48 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

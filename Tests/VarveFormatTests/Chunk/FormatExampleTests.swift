// FORMAT.md's chunk of version 2, byte for byte: what is written, and what every reader must find.

import Foundation
import Testing
import VarveCore
@testable import VarveFormat

@Suite struct FormatExampleTests {
  private static let second: Int64 = 1_000_000_000
  private static let start: Int64 = 1_700_000_000 * second

  private static func written() throws -> [UInt8] {
    let identity = ChunkIdentity(
      file: FileID(rawValue: 6), table: TableID(rawValue: 1), partition: 19_675,
      partitionNanoseconds: 86_400 * second, firstSequence: Sequence(rawValue: 3), lastSequence: Sequence(rawValue: 3),
      wallNanoseconds: start + 120 * second)
    var builder = ChunkBuilder(identity: identity, summaryStep: .hour)
    let block = RowBlock(
      runs: [SeriesRun(series: SeriesID(rawValue: 0), count: 2)], times: Buffer([start, start + 60 * second]),
      fields: [(ColumnID(rawValue: 1), FieldColumn(type: .float64, words: Buffer([7.5, 7.75].map(\.bitPattern))))])
    return try builder.appendRowBlock(block) + builder.finish()
  }

  /// The bytes of the page's fenced block: lines of an offset, bytes, and words about them.
  private static func documented() throws -> [UInt8] {
    var root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    for _ in 0..<4 { root.deleteLastPathComponent() }
    let page = try String(contentsOf: root.appendingPathComponent("FORMAT.md"), encoding: .utf8)
    var bytes: [UInt8] = []
    var isInside = false
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("```") {
        isInside = line == "```bytes version-2.chunk"
      } else if isInside {
        let words = line.prefix(53).split(separator: " ")
        #expect(Int(words[0], radix: 16) == bytes.count, "\(line)")
        bytes += try words.dropFirst().map { try #require(UInt8($0, radix: 16)) }
      }
    }
    return bytes
  }

  @Test func theChunkInTheFormatPageIsWhatIsWritten() throws {
    let (written, documented) = (try Self.written(), try Self.documented())
    let hex = { (bytes: [UInt8]) in bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
    #expect(hex(documented) == hex(written))
  }

  @Test func theChunkInTheFormatPageHoldsWhatIsSaidOfIt() throws {
    let bytes = try Self.documented()
    #expect(try ChunkVerifier.verify(bytes, file: FileID(rawValue: 6), place: "FORMAT.md").isEmpty)
    let contents = try ChunkContents.open(bytes, file: nil, place: "FORMAT.md")
    #expect(contents.version == 2 && contents.footer.rowCount == 2)
    let summaries = try #require(contents.index.summaries)
    let block = try SummaryReader.decode(
      summaries.blocks[0], SummaryReader.all(summaries.blocks[0]), step: summaries.step, identity: contents.identity,
      place: "FORMAT.md"
    ) { Array(bytes[$0.offset..<($0.offset + $0.byteCount)]) }
    let column = try #require(block.column(ColumnID(rawValue: 1)))
    #expect(summaries.step == .hour && block.count == 1)
    #expect(column[.sum].map { Double(bitPattern: $0[0]) } == 15.25)
  }
}

import Testing
import VarveCore
@testable import VarveFormat

/// A chunk made of random rows, and the rows.
struct MadeChunk {
  var bytes: [UInt8]
  var blocks: [RowBlock]
  var identity: ChunkIdentity

  static let types: [(UInt16, FieldType)] = [
    (1, .float64), (2, .int64), (4, .text), (7, .bool), (9, .uint64), (300, .timestamp),
  ]

  /// Blocks of the given row counts; each of several series, the last going on into the next block.
  static func make(
    seed: UInt64, rowCounts: [Int], partition: Int64 = 3, step: SummaryStep? = .minute
  ) throws -> MadeChunk {
    var g = SeededGenerator(seed: seed)
    let day: Int64 = 86_400_000_000_000
    let identity = ChunkIdentity(
      file: FileID(rawValue: 77), table: TableID(rawValue: 5), partition: partition, partitionNanoseconds: day,
      firstSequence: Sequence(rawValue: 10), lastSequence: Sequence(rawValue: 20), wallNanoseconds: 1_700_000_000)
    var builder = ChunkBuilder(identity: identity, summaryStep: step)
    var bytes: [UInt8] = []
    var blocks: [RowBlock] = []
    var series: UInt32 = 3
    var time = partition * day
    for rowCount in rowCounts {
      var runs: [SeriesRun] = []
      let times = Buffer<Int64>()
      while times.count < rowCount {
        let count = min(rowCount - times.count, Int.random(in: 1...40, using: &g))
        for _ in 0..<count {
          time += Int64.random(in: 1...3, using: &g) * 1_000_000_000
          times.append(time)
        }
        runs.append(SeriesRun(series: SeriesID(rawValue: series), count: count))
        if times.count < rowCount {
          series += UInt32.random(in: 1...3, using: &g)
          time = partition * day
        }
      }
      var fields: [(id: ColumnID, column: FieldColumn)] = []
      for (id, type) in types where id != 9 || blocks.count != 1 {
        let states = StateShape.allCases.randomElement(using: &g) ?? .all
        let shape = WordShape.allCases.randomElement(using: &g) ?? .decimals
        fields.append((ColumnID(rawValue: id), column(type, shape, states, count: rowCount, &g)))
      }
      let block = RowBlock(runs: runs, times: times, fields: fields)
      bytes += try builder.appendRowBlock(block)
      #expect(builder.byteCount == bytes.count)
      blocks.append(block)
    }
    bytes += try builder.finish()
    return MadeChunk(bytes: bytes, blocks: blocks, identity: identity)
  }

  func read(_ page: PageReference) -> [UInt8] { Array(bytes[page.offset..<(page.offset + page.byteCount)]) }
}

@Suite struct ChunkTests {
  @Test(arguments: seeds) func whatTheBuilderWroteIsReadBack(seed: UInt64) throws {
    for rowCounts in [[], [1], [5, 3], [16_384, 700, 8192, 31]] {
      for partition in [Int64(3), -2] {
        let made = try MadeChunk.make(seed: seed, rowCounts: rowCounts, partition: partition)
        let contents = try ChunkContents.open(made.bytes, file: made.identity.file, place: "chunk")
        #expect(contents.identity == made.identity)
        #expect(contents.footer.rowCount == rowCounts.reduce(0, +))
        #expect(contents.index.rowBlocks.count == made.blocks.count)
        for (entry, block) in zip(contents.index.rowBlocks, made.blocks) {
          let file = made.identity.file
          let runs = try made.read(entry.seriesPage).withUnsafeBytes {
            try RowBlockReader.decodeSeries($0, block: entry, file: file, place: "chunk")
          }
          #expect(runs == block.runs, "seed \(seed)")
          let times = try made.read(entry.timesPage).withUnsafeBytes {
            try RowBlockReader.decodeTimes($0, block: entry, file: file, place: "chunk")
          }
          #expect(times.array == block.times.array, "seed \(seed)")
          for field in block.fields {
            guard let page = entry.field(field.id) else {
              #expect((0..<block.rowCount).allSatisfy { field.column.state($0) == .absent }, "seed \(seed)")
              continue
            }
            let column = try made.read(page.page).withUnsafeBytes {
              try RowBlockReader.decodeField($0, field: page, block: entry, file: file, place: "chunk")
            }
            #expect(same(field.column, column), "column \(field.id) seed \(seed)")
          }
          #expect(entry.field(ColumnID(rawValue: 8)) == nil)
        }
        #expect(try ChunkVerifier.verify(made.bytes, file: made.identity.file, place: "chunk").isEmpty)
        let lines = try ChunkDescription.lines(
          fileByteCount: made.bytes.count, file: nil, place: "chunk", rowBlocks: true, read: { made.read($0) })
        #expect(lines.count >= 4 + made.blocks.count)
      }
    }
  }

  @Test func everyFlippedBitOfAChunkIsFound() throws {
    let made = try MadeChunk.make(seed: 9, rowCounts: [20, 6])
    for bit in 0..<(made.bytes.count * 8) {
      var damaged = made.bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(
        try !ChunkVerifier.verify(damaged, file: made.identity.file, place: "chunk").isEmpty,
        "bit \(bit % 8) of byte \(bit / 8) of \(made.bytes.count)")
    }
  }

  @Test func everyCutOfAChunkIsFound() throws {
    let made = try MadeChunk.make(seed: 9, rowCounts: [20, 6])
    for length in 0..<made.bytes.count {
      let cut = Array(made.bytes[..<length])
      #expect(try !ChunkVerifier.verify(cut, file: made.identity.file, place: "chunk").isEmpty, "cut to \(length)")
    }
    #expect(try !ChunkVerifier.verify(made.bytes + [0], file: made.identity.file, place: "chunk").isEmpty)
  }

  @Test func aSwappedChunkIsFound() throws {
    let made = try MadeChunk.make(seed: 9, rowCounts: [20])
    let found = try ChunkVerifier.verify(made.bytes, file: FileID(rawValue: 78), place: "chunk 78")
    #expect(found.count == 1 && found[0].code == .corruption && found[0].place == "chunk 78")
  }

  @Test func aNewerVersionIsRefusedAsSuch() throws {
    let made = try MadeChunk.make(seed: 9, rowCounts: [20])
    var header = Array(made.bytes[..<80])
    header[8] = UInt8(ChunkHeader.version) + 1
    let salt = CRC32C.salt(file: made.identity.file, offset: 0)
    let crc = CRC32C.checksum(Array(header[16...]), seed: CRC32C.checksum(Array(header[..<12]), seed: salt))
    for i in 0..<4 { header[12 + i] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * i)) }
    let found = try ChunkVerifier.verify(header + made.bytes[80...], file: nil, place: "chunk")
    #expect(found.map(\.code) == [.unsupportedVersion])
  }

  @Test func aDamagedPageIsNamedAndTheOthersStillRead() throws {
    let made = try MadeChunk.make(seed: 9, rowCounts: [20, 6])
    let contents = try ChunkContents.open(made.bytes, file: nil, place: "chunk")
    let page = contents.index.rowBlocks[1].timesPage
    var damaged = made.bytes
    damaged[page.offset + page.byteCount - 1] ^= 0x10
    let found = try ChunkVerifier.verify(damaged, file: nil, place: "chunk 77")
    #expect(found.count == 1)
    let place = found.first?.place ?? ""
    #expect(place.contains("chunk 77") && place.contains("times") && place.contains("6 rows"))
  }

  @Test(arguments: seeds) func blocksAreFoundAsALinearSearchFindsThem(seed: UInt64) throws {
    var g = SeededGenerator(seed: seed)
    for _ in 0..<300 {
      var blocks: [RowBlockEntry] = []
      var series: UInt32 = 0
      for _ in 0..<Int.random(in: 0...12, using: &g) {
        let first = series + UInt32.random(in: 0...4, using: &g)
        let last = first + UInt32.random(in: 0...5, using: &g)
        series = last
        let lower = Int64.random(in: 0...50, using: &g)
        let none = PageReference(offset: 0, byteCount: 0)
        blocks.append(
          RowBlockEntry(
            rowCount: 9, runCount: 1, firstSeries: SeriesID(rawValue: first), lastSeries: SeriesID(rawValue: last),
            time: TimeRange(lower: lower, upper: lower + 20), seriesPage: none, timesPage: none, fields: []))
      }
      let index = ChunkIndex(columns: [], rowBlocks: blocks)
      let wanted = Set((0..<Int.random(in: 0...8, using: &g)).map { _ in UInt32.random(in: 0...60, using: &g) })
        .sorted().map { SeriesID(rawValue: $0) }
      let lower = Int64.random(in: 0...60, using: &g)
      let time = TimeRange(lower: lower, upper: lower + Int64.random(in: -1...30, using: &g))
      let expected = blocks.indices.filter { i in
        blocks[i].time.overlaps(time)
          && wanted.contains { blocks[i].firstSeries <= $0 && $0 <= blocks[i].lastSeries }
      }
      #expect(index.rowBlocks(of: wanted, in: time) == expected, "seed \(seed)")
      #expect(index.rowBlocks(of: nil, in: time) == blocks.indices.filter { blocks[$0].time.overlaps(time) })
    }
  }
}

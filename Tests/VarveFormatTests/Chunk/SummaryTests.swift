import Testing
import VarveCore
@testable import VarveFormat

/// Statistics of one field in one bucket, the slow way.
private struct NaiveSummary: Equatable {
  var values: [UInt64] = []

  func statistic(_ statistic: SummaryStatistic, _ type: FieldType) -> Word? {
    guard SummaryStatistics.kept(of: type).contains(statistic) else { return nil }
    let doubles = values.map { Double(bitPattern: $0) }
    let numbers = doubles.filter { !$0.isNaN }
    switch statistic {
    case .count: return .exact(UInt64(values.count))
    case .nanCount: return .exact(UInt64(doubles.count - numbers.count))
    case .first: return .exact(values.first ?? 0)
    case .last: return .exact(values.last ?? 0)
    case .minimum, .maximum:
      let isGreatest = statistic == .maximum
      switch type {
      case .float64: return .number((isGreatest ? numbers.max() : numbers.min()) ?? 0)
      case .uint64: return .exact((isGreatest ? values.max() : values.min()) ?? 0)
      default:
        let signed = values.map { Int64(bitPattern: $0) }
        return .exact(UInt64(bitPattern: (isGreatest ? signed.max() : signed.min()) ?? 0))
      }
    case .sum:
      if type == .float64 { return .sum(doubles) }
      let sum = values.reduce(Int128(0)) { $0 + (type == .uint64 ? Int128($1) : Int128(Int64(bitPattern: $1))) }
      return Int64(exactly: sum).map { .exact(UInt64(bitPattern: $0)) } ?? .tooLarge
    }
  }

  enum Word {
    case exact(UInt64)
    case number(Double)
    case sum([Double])
    case tooLarge

    func matches(_ word: UInt64) -> Bool {
      switch self {
      case .exact(let expected): return word == expected
      case .tooLarge: return false
      case .number(let expected): return Double(bitPattern: word) == expected
      case .sum(let values):
        let sum = values.reduce(0, +)
        let found = Double(bitPattern: word)
        if !sum.isFinite { return sum.isNaN ? found.isNaN : found == sum }
        return (found - sum).magnitude <= 1e-12 * values.reduce(0) { $0 + $1.magnitude }
      }
    }
  }
}

private struct BucketKey: Hashable {
  var series: SeriesID
  var bucket: Int64
}

@Suite struct SummaryTests {
  /// Every block of a chunk's summaries, all of it decoded.
  private func summaries(_ made: MadeChunk, _ contents: ChunkContents) throws -> [SummaryBlock] {
    let index = try #require(contents.index.summaries)
    return try index.blocks.map { entry in
      try SummaryReader.decode(
        entry, SummaryReader.all(entry), step: index.step, identity: made.identity, place: "chunk",
        read: { made.read($0) })
    }
  }

  @Test(arguments: seeds) func summariesAreThoseOfTheRows(seed: UInt64) throws {
    for (rowCounts, step) in [([1], SummaryStep.second), ([300, 700, 31], .minute), ([9000, 9000], .second)] {
      for partition in [Int64(3), -2] {
        let made = try MadeChunk.make(seed: seed, rowCounts: rowCounts, partition: partition, step: step)
        let contents = try ChunkContents.open(made.bytes, file: nil, place: "chunk")
        let blocks = try summaries(made, contents)
        for (id, type) in MadeChunk.types {
          try check(made, blocks, ColumnID(rawValue: id), type, step, "seed \(seed), column \(id)")
        }
        #expect(try ChunkVerifier.verify(made.bytes, file: nil, place: "chunk").isEmpty, "seed \(seed)")
      }
    }
  }

  private func check(
    _ made: MadeChunk, _ blocks: [SummaryBlock], _ id: ColumnID, _ type: FieldType, _ step: SummaryStep,
    _ comment: Comment
  ) throws {
    var naive: [BucketKey: (times: [Int64], summary: NaiveSummary)] = [:]
    for block in made.blocks {
      let column = block.fields.first { $0.id == id }?.column
      var row = 0
      for run in block.runs {
        for place in row..<(row + run.count) {
          let time = block.times[place]
          let key = BucketKey(
            series: run.series, bucket: Int64((Double(time) / Double(step.nanoseconds)).rounded(.down)))
          naive[key, default: ([], NaiveSummary())].times.append(time)
          if let column, column.state(place) == .value {
            naive[key, default: ([], NaiveSummary())].summary.values.append(column.words[place])
          }
        }
        row += run.count
      }
    }
    var seen = 0
    for block in blocks {
      var row = 0
      for run in block.runs {
        for place in row..<(row + run.count) {
          seen += 1
          let bucket = block.buckets[place]
          let expected = try #require(naive[BucketKey(series: run.series, bucket: bucket)], comment)
          #expect(block.rowCounts[place] == UInt64(expected.times.count), comment)
          #expect(bucket * step.nanoseconds + Int64(block.firstOffsets[place]) == expected.times.first, comment)
          #expect(bucket * step.nanoseconds + Int64(block.lastOffsets[place]) == expected.times.last, comment)
          guard let column = block.column(id) else {
            #expect(expected.summary.values.isEmpty, comment)
            continue
          }
          for statistic in SummaryStatistic.allCases {
            guard let word = expected.summary.statistic(statistic, type) else {
              #expect(column[statistic] == nil, comment)
              continue
            }
            if let words = column[statistic] {
              #expect(word.matches(words[place]), "\(comment), \(statistic)")
            } else if statistic == .count {
              #expect(word.matches(block.rowCounts[place]), comment)
            } else if statistic == .nanCount {
              #expect(word.matches(0), comment)
            }
          }
        }
        row += run.count
      }
    }
    #expect(seen == naive.count, comment)
  }

  /// A chunk of one series, a row a second, all in one hour.
  private func chunk(_ columns: [FieldColumn], step: SummaryStep = .minute) throws -> MadeChunk {
    let count = columns[0].count
    let identity = ChunkIdentity(
      file: FileID(rawValue: 4), table: TableID(rawValue: 1), partition: 0, partitionNanoseconds: 3_600_000_000_000,
      firstSequence: Sequence(rawValue: 1), lastSequence: Sequence(rawValue: 1), wallNanoseconds: 0)
    var builder = ChunkBuilder(identity: identity, summaryStep: step)
    let block = RowBlock(
      runs: [SeriesRun(series: SeriesID(rawValue: 0), count: count)],
      times: Buffer((0..<count).map { Int64($0) * 1_000_000_000 }),
      fields: columns.enumerated().map { (ColumnID(rawValue: UInt16($0.offset)), $0.element) })
    let bytes = try builder.appendRowBlock(block) + builder.finish()
    return MadeChunk(bytes: bytes, blocks: [block], identity: identity)
  }

  private func onlyBlock(_ made: MadeChunk) throws -> SummaryBlock {
    let blocks = try summaries(made, try ChunkContents.open(made.bytes, file: nil, place: "chunk"))
    #expect(blocks.count == 1)
    return try #require(blocks.first)
  }

  @Test func sumsOfDecimalsAreTheNearestToTheExactSum() throws {
    // 0.1 sixty times sums up to 5.999999999999998 if each sum is rounded.
    let values = (0..<120).map { $0 < 60 ? 0.1 : 33.37 }
    let block = try onlyBlock(try chunk([FieldColumn(type: .float64, words: Buffer(values.map(\.bitPattern)))]))
    let sums = try #require(block.columns.first?[.sum])
    #expect(sums.array.map { Double(bitPattern: $0) } == [6.0, 2002.2])
  }

  @Test func sumsThatDoNotFitAreLeftOut() throws {
    let large = FieldColumn(type: .int64, words: Buffer((0..<60).map { _ in UInt64(bitPattern: .max) }))
    let negative = FieldColumn(type: .int64, words: Buffer((0..<60).map { _ in UInt64(bitPattern: .min) }))
    let unsigned = FieldColumn(type: .uint64, words: Buffer((0..<60).map { _ in UInt64.max }))
    let floats = FieldColumn(
      type: .float64, words: Buffer((0..<60).map { _ in Double.greatestFiniteMagnitude.bitPattern }))
    let infinite = FieldColumn(type: .float64, words: Buffer((0..<60).map { _ in Double.infinity.bitPattern }))
    let both = FieldColumn(
      type: .float64, words: Buffer((0..<60).map { ($0 % 2 == 0 ? Double.infinity : -.infinity).bitPattern }))
    let made = try chunk([large, negative, unsigned, floats, infinite, both])
    let block = try onlyBlock(made)
    #expect(block.columns.map { $0[.sum] == nil } == [true, true, true, true, false, false])
    #expect(block.columns[0][.maximum]?.array == [UInt64(bitPattern: .max)])
    #expect(block.columns[1][.minimum]?.array == [UInt64(bitPattern: .min)])
    #expect(block.columns[2][.first]?.array == [.max])
    #expect(block.columns[4][.sum]?.array == [Double.infinity.bitPattern])
    #expect(block.columns[5][.sum].map { Double(bitPattern: $0[0]).isNaN } == true)
    #expect(try ChunkVerifier.verify(made.bytes, file: nil, place: "chunk").isEmpty)
  }

  @Test func theFirstAndTheLastTimeThereIsHaveBuckets() throws {
    for partition in [Int64.min / 3_600_000_000_000 - 1, Int64.max / 3_600_000_000_000] {
      let times = partition < 0 ? [Int64.min, Int64.min + 1] : [Int64.max - 1, Int64.max]
      let identity = ChunkIdentity(
        file: FileID(rawValue: 4), table: TableID(rawValue: 1), partition: partition,
        partitionNanoseconds: 3_600_000_000_000, firstSequence: .zero, lastSequence: .zero, wallNanoseconds: 0)
      var builder = ChunkBuilder(identity: identity, summaryStep: .hour)
      let bytes =
        try builder.appendRowBlock(
          RowBlock(
            runs: [SeriesRun(series: SeriesID(rawValue: 0), count: 2)], times: Buffer(times),
            fields: [(ColumnID(rawValue: 0), FieldColumn(type: .int64, words: Buffer([1, 2])))])) + builder.finish()
      #expect(try ChunkVerifier.verify(bytes, file: nil, place: "chunk").isEmpty)
    }
  }

  @Test func theStepHasRowsEnoughABucket() {
    let day: Int64 = 86_400_000_000_000
    func step(_ rows: Int, _ series: Int, _ nanoseconds: Int64, width: Int64 = day) -> SummaryStep? {
      SummaryStep.choose(
        rowCount: rows, seriesCount: series, time: TimeRange(lower: 0, upper: nanoseconds - 1),
        partitionNanoseconds: width)
    }
    #expect(step(100 * 8_640, 100, day) == .hour)
    #expect(step(86_400, 1, day) == .fiveMinutes)
    #expect(step(86_400_000, 1, day) == .second)
    #expect(step(10_000_000, 1_000_000, day) == nil)
    #expect(step(100, 1, day / 24) == nil)
    #expect(step(8_640, 1, day, width: 1_800_000_000_000) == nil, "no wider than a partition")
    for (step, next) in zip(SummaryStep.allCases, SummaryStep.allCases.dropFirst()) {
      #expect(next.nanoseconds % step.nanoseconds == 0, "each divides the next")
    }
  }

  @Test func aSummaryThatIsNotThatOfItsRowsIsNamed() throws {
    let made = try MadeChunk.make(seed: 9, rowCounts: [900])
    let contents = try ChunkContents.open(made.bytes, file: nil, place: "chunk")
    var checked = 0
    for block in try #require(contents.index.summaries).blocks {
      for field in block.fields {
        for (_, page) in field.pages {
          var bytes = made.read(page)
          // A bit of the payload, with a checksum that is right.
          bytes[bytes.count - 1] ^= 1
          PageHeader.place(&bytes, file: made.identity.file, offset: page.offset)
          var damaged = made.bytes
          damaged.replaceSubrange(page.offset..<(page.offset + page.byteCount), with: bytes)
          let found = try ChunkVerifier.verify(damaged, file: nil, place: "chunk 77")
          let text = found.map { "\($0.message) \($0.place ?? "")" }.joined()
          #expect(found.count == 1 && found[0].code == .corruption, "column \(field.column)")
          #expect(text.contains("chunk 77") && text.contains("column \(field.column.rawValue)"), "\(text)")
          checked += 1
        }
      }
    }
    #expect(checked > 10)
  }

  @Test func damagedSummariesEndInAValueOrAnError() throws {
    let made = try MadeChunk.make(seed: 11, rowCounts: [60])
    let contents = try ChunkContents.open(made.bytes, file: nil, place: "chunk")
    let index = try #require(contents.index.summaries)
    for entry in index.blocks {
      for page in SummaryReader.pages(entry, SummaryReader.all(entry)) {
        let original = made.read(page)
        for bit in (4 * 8)..<(original.count * 8) {
          var bytes = original
          bytes[bit / 8] ^= 1 << UInt8(bit % 8)
          PageHeader.place(&bytes, file: made.identity.file, offset: page.offset)
          _ = try isTotal {
            _ = try SummaryReader.decode(
              entry, SummaryReader.all(entry), step: index.step, identity: made.identity, place: "chunk",
              read: { $0 == page ? bytes : made.read($0) })
          }
        }
      }
    }
  }

  @Test func aTextThatEveryRowHasTakesNoPages() throws {
    let text = Buffer(Array("x".utf8))
    let words = Buffer((0..<120).map { _ in TextRef(offset: 0, length: 1).word })
    let made = try chunk([
      FieldColumn(type: .int64, words: Buffer((0..<120).map { UInt64($0) })),
      FieldColumn(type: .text, words: words, text: text),
    ])
    let block = try onlyBlock(made)
    #expect(block.columns.map(\.type) == [.int64, .text] && block.columns[1][.count] == nil)
    #expect(try ChunkVerifier.verify(made.bytes, file: nil, place: "chunk").isEmpty)
  }

  @Test func onlyWhatIsWantedIsRead() throws {
    let made = try MadeChunk.make(seed: 3, rowCounts: [500])
    let contents = try ChunkContents.open(made.bytes, file: nil, place: "chunk")
    let index = try #require(contents.index.summaries)
    let entry = try #require(index.blocks.first)
    let field = try #require(entry.fields.first { $0.type == .float64 })
    let wanted = [SummaryReader.Wanted(column: field.column, statistics: SummaryStatistics(.maximum))]
    let pages = SummaryReader.pages(entry, wanted)
    var read: [PageReference] = []
    let block = try SummaryReader.decode(
      entry, wanted, step: index.step, identity: made.identity, place: "chunk",
      read: { page in
        read.append(page)
        return made.read(page)
      })
    #expect(Set(read) == Set(pages) && read.count == pages.count)
    #expect(block.columns.count == 1 && block.columns[0][.maximum] != nil && block.columns[0][.sum] == nil)
  }
}

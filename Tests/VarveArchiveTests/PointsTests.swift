import Testing
import VarveCore

@testable import VarveArchive

@Suite struct PointsTests {
  private func words(_ values: [Int64?]) -> ParquetVector {
    ParquetVector(
      words: Buffer(values.map { UInt64(bitPattern: $0 ?? 0) }), presence: Buffer(values.map { $0 == nil ? 0 : 1 }))
  }

  private func texts(_ values: [[UInt8]]) -> ParquetVector {
    let (words, bytes) = (Buffer<UInt64>(), Buffer<UInt8>())
    for value in values {
      words.append(TextRef(offset: bytes.count, length: value.count).word)
      value.withUnsafeBufferPointer { bytes.append($0) }
    }
    return ParquetVector(words: words, bytes: bytes)
  }

  private func points(
    _ columns: [(ParquetColumn, ParquetVector)], tags: [String] = [], time: String? = nil, unit: Int64 = 1
  ) throws -> [ParquetPoints.Batch] {
    var options = ParquetPointOptions(table: "t")
    options.tagColumns = tags
    options.timeColumn = time
    options.wholeTimeNanoseconds = unit
    let file = try ParquetFile(ParquetBytes(write(columns.map(\.0), [columns.map(\.1)])))
    var points = try ParquetPoints(file, options)
    var batches: [ParquetPoints.Batch] = []
    while let batch = try points.next() { batches.append(batch) }
    return batches
  }

  private let microseconds = ParquetMeaning.timestamp(.microseconds, isUTC: true)

  @Test func aTimeAndWhatItsMicrosecondsLeaveAreOneTime() throws {
    let batch = try #require(
      try points([
        (ParquetColumn("time", .int64, microseconds), words([-1, 5, 6])),
        (ParquetColumn("time_nanos", .int32), words([999, nil, 7])),
        (ParquetColumn("seen", .int64, microseconds), words([1, 2, nil])),
        (ParquetColumn("seen_nanos", .int32), words([1, 0, nil])),
      ]).first)
    #expect(batch.points.times.array == [-1, 5000, 6007])
    #expect(batch.points.fields.map(\.name) == ["seen"])
    #expect(batch.points.fields[0].column.type == .timestamp)
    #expect(batch.points.fields[0].column.words.array == [1001, 2000, 0])
    #expect((0..<3).map { batch.points.fields[0].column.state($0) } == [.value, .value, .absent])
  }

  @Test func rowsThatCannotBePointsAreToldAndTheOthersStay() throws {
    let batch = try #require(
      try points([
        (ParquetColumn("time", .int64, .timestamp(.milliseconds, isUTC: true)), words([1, nil, .max, 4, 5])),
        (ParquetColumn("s", .bytes), texts([[0x61], [0x62], [0x63], [0xFF], [0x65]])),
      ]).first)
    #expect(batch.rejections.map(\.line) == [2, 3, 4])
    #expect(batch.rejections.map(\.code) == [.invalidTimestamp, .invalidTimestamp, .invalidUTF8])
    #expect(batch.points.times.array == [1_000_000, 5_000_000])
    #expect(batch.points.lines?.array == [1, 5])
    #expect((0..<2).map { batch.points.fields[0].column.string($0) } == ["a", "e"])
  }

  @Test func tagsOfAnyKindNameSeriesAndEmptyOnesDoNot() throws {
    let batch = try #require(
      try points(
        [
          (ParquetColumn("ts", .int64), words([1, 2, 3, 4])),
          (ParquetColumn("rack", .int64), words([7, 7, 8, nil])),
          (ParquetColumn("host", .bytes, .text), texts([[0x61], [0x61], [0x61], []])),
          (ParquetColumn("up", .boolean), words([1, 1, 1, nil])), (ParquetColumn("v", .int32), words([-1, 2, 3, 4])),
        ], tags: ["up", "rack", "host"], unit: 1_000_000_000
      ).first)
    #expect(batch.points.rowSeries.array == [0, 0, 1, 2])
    #expect(
      batch.points.series == [
        SeriesKey(tags: [("host", "a"), ("rack", "7"), ("up", "true")]),
        SeriesKey(tags: [("host", "a"), ("rack", "8"), ("up", "true")]), SeriesKey(tags: []),
      ])
    #expect(batch.points.times.array == [1_000_000_000, 2_000_000_000, 3_000_000_000, 4_000_000_000])
    #expect(batch.points.fields[0].column.words.array.map { Int64(bitPattern: $0) } == [-1, 2, 3, 4])
  }

  @Test func numbersOfOtherKindsBecomeOurs() throws {
    let uuid: [UInt8] = Array(0..<16)
    let batch = try #require(
      try points(
        [
          (ParquetColumn("day", .int32, .date), words([1, -1])),
          (
            .decimal("big", precision: 20, scale: 0),
            texts([Array(repeating: 0, count: 8) + [9], [0xFF] + uuid.prefix(8)])
          ),
          (ParquetColumn("price", .int64, .decimal(precision: 18, scale: 2)), words([-150, 25])),
          (ParquetColumn("f", .float), words([Int64(Float(0.1).bitPattern), 0])),
          (ParquetColumn("u32", .int32, .integer(bitWidth: 32, isSigned: false)), words([-1, 1])),
          (ParquetColumn("id", .fixedBytes, .uuid, byteWidth: 16), texts([uuid, uuid])),
        ], time: "day"
      ).first)
    // Negative, which `u` is not.
    #expect(batch.rejections.map(\.line) == [2] && batch.rejections.map(\.code) == [.typeConflict])
    #expect(batch.points.times.array == [86_400_000_000_000])
    let fields = Dictionary(uniqueKeysWithValues: batch.points.fields.map { ($0.name, $0.column) })
    #expect(fields["big"]?.type == .uint64 && fields["big"]?.words[0] == 9)
    #expect(fields["price"]?.words[0] == (-1.5).bitPattern)
    #expect(fields["f"]?.words[0] == Double(Float(0.1)).bitPattern)
    #expect(fields["u32"]?.words[0] == 0xFFFF_FFFF)
    #expect(fields["id"]?.string(0) == "00010203-0405-0607-0809-0a0b0c0d0e0f")
  }
}

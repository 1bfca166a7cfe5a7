import Testing
import VarveCore
import VarveFormat
@testable import VarveStorage

/// What is compacted when: neighbours only, whole generations only, and not again and again.
@Suite struct CompactionPickerTests {
  private static let hour: Int64 = 3_600_000_000_000

  /// Chunk `number` holds one commit of one hour unless told otherwise.
  private func chunk(
    _ number: Int, kilobytes: Int = 10, rows: Int = 100, hours: ClosedRange<Int64>? = nil, commit: UInt64? = nil,
    level: ChunkLevel = .sealed, deletedThrough: UInt64? = nil
  ) -> ChunkMetadata {
    let hours = hours ?? Int64(number)...Int64(number)
    let sequence = Sequence(rawValue: commit ?? UInt64(number + 1))
    return ChunkMetadata(
      file: FileID(rawValue: UInt64(number + 1)), table: TableID(rawValue: 1), partition: 0, byteCount: kilobytes << 10,
      rowCount: rows, valueCount: rows,
      time: TimeRange(lower: hours.lowerBound * Self.hour, upper: (hours.upperBound + 1) * Self.hour - 1),
      firstSeries: SeriesID(rawValue: 0), lastSeries: SeriesID(rawValue: 9), firstSequence: sequence,
      lastSequence: sequence, level: level, deletedThrough: deletedThrough.map { Sequence(rawValue: $0) })
  }

  private func tombstone(_ commit: UInt64, hours: ClosedRange<Int64>) -> Tombstone {
    let time = TimeRange(lower: hours.lowerBound * Self.hour, upper: (hours.upperBound + 1) * Self.hour - 1)
    return Tombstone(
      Deletion(table: TableID(rawValue: 1), series: .all, time: time), sequence: Sequence(rawValue: commit))
  }

  private func files(
    _ chunks: [ChunkMetadata], isClosed: Bool = false, tombstones: [Tombstone] = [], unusable: Set<UInt64> = []
  ) -> [UInt64]? {
    CompactionPicker(tombstones: tombstones) { !unusable.contains($0.file.rawValue) }
      .choose(chunks, isClosed: isClosed)?.chunks.map(\.file.rawValue)
  }

  @Test func fourOfLikeSizeAreMerged() {
    #expect(files((0..<3).map { chunk($0) }) == nil)
    #expect(files((0..<4).map { chunk($0) }) == [1, 2, 3, 4])
    #expect(files((0..<12).map { chunk($0) }) == Array(1...10))
  }

  @Test func aLargeOneIsNotRewrittenForSmallOnes() {
    #expect(files([chunk(0, kilobytes: 5000)] + (1..<4).map { chunk($0) }) == nil)
    #expect(files([chunk(0, kilobytes: 5000)] + (1..<5).map { chunk($0) }) == [2, 3, 4, 5])
    // Nothing is merged across it.
    #expect(files([chunk(0), chunk(1), chunk(2, kilobytes: 5000), chunk(3), chunk(4)]) == nil)
    #expect(files((0..<5).map { chunk($0) }, unusable: [3]) == nil)
  }

  @Test func twoThatOverlapMuchAreMerged() {
    #expect(files([chunk(0, hours: 0...3), chunk(1, hours: 3...6)]) == [1, 2])
    #expect(files([chunk(0, hours: 0...9), chunk(1, hours: 9...18)]) == nil)
  }

  @Test func aGenerationIsMergedWhole() {
    let parts = [chunk(0, commit: 5), chunk(1, commit: 5)]
    let picked = CompactionPicker.generations(of: parts + [chunk(2, commit: 6)])
    #expect(picked.map(\.count) == [2, 1])
    #expect(files(parts + (2..<5).map { chunk($0, commit: UInt64($0 + 4)) }) == [1, 2, 3, 4, 5])
  }

  @Test func aClosedPartitionIsMergedWholeOnce() {
    #expect(files([chunk(0)], isClosed: true) == [1])
    #expect(files([chunk(0), chunk(1, kilobytes: 9000)], isClosed: true) == [1, 2])
    #expect(files([chunk(0, level: .full)], isClosed: true) == nil)
    #expect(files([chunk(0, commit: 3, level: .full), chunk(1, commit: 3, level: .full)], isClosed: true) == nil)
    // A few late rows wait for more of their kind.
    let old = chunk(0, kilobytes: 9000, rows: 10_000, hours: 0...0, level: .full)
    #expect(files([old, chunk(1, rows: 10)], isClosed: true) == nil)
    #expect(files([old, chunk(1, rows: 2000)], isClosed: true) == [1, 2])
    #expect(files([old] + (1..<5).map { chunk($0, rows: 10) }, isClosed: true) == [2, 3, 4, 5])
    #expect(files([old] + (1..<9).map { chunk($0, rows: 10) }, isClosed: true) == Array(1...9))
  }

  /// A merge holds a row block of each of its inputs.
  @Test func moreThanOneMergeHoldsIsMergedInSteps() {
    let many = (0..<100).map { chunk($0, kilobytes: $0 / 10 == 4 ? 1 : 100) }
    let choice = CompactionPicker(tombstones: []) { _ in true }.chooseWhole(many)
    #expect(choice?.isFull == false && choice?.chunks.count == 32)
    #expect(choice?.chunks.first.map { $0.file.rawValue <= 41 } == true, "the ten small ones are among them")
    #expect(choice?.chunks.last.map { $0.file.rawValue >= 50 } == true)
    #expect(CompactionPicker(tombstones: []) { _ in true }.chooseWhole(Array(many.prefix(32)))?.isFull == true)
  }

  @Test func deletesAreMadeReal() {
    let two = [chunk(0), chunk(1)]
    // Nothing is left of the second.
    #expect(files(two, tombstones: [tombstone(9, hours: 1...1)]) == [2])
    #expect(files(two, tombstones: [tombstone(2, hours: 1...1)]) == nil)
    #expect(files([chunk(0), chunk(1, deletedThrough: 9)], tombstones: [tombstone(9, hours: 1...1)]) == nil)
    // In part: once the partition is closed, or when there are many.
    let part = TimeRange(lower: 0, upper: 5)
    let some = Tombstone(
      Deletion(table: TableID(rawValue: 1), series: .all, time: part), sequence: Sequence(rawValue: 9))
    #expect(files(two, tombstones: [some]) == nil)
    #expect(files([chunk(0, level: .full)], isClosed: true, tombstones: [some]) == [1])
    let many = [some] + (0..<Limits.tombstonesPerTable).map { tombstone(UInt64($0 + 10), hours: 40...41) }
    #expect(files(two, tombstones: many) == [1])
  }
}

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
    CompactionPicker(tombstones: tombstones, partitions: [chunks], isReadable: { !unusable.contains($0.file.rawValue) })
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

  /// It takes no room, so it comes before whatever does, and though the partition is put off for want of room.
  @Test func whatIsCoveredWholeGoesFirst() {
    let full = (0..<10).map { chunk($0, commit: 1, level: .full) }
    let covering = tombstone(9, hours: 3...3)
    #expect(files(full, isClosed: true, tombstones: [covering]) == [4])
    let sealed = (0..<40).map { chunk($0) }
    #expect(files(sealed, isClosed: true, tombstones: [tombstone(99, hours: 2...4)]) == [3, 4, 5])
    let postponing = CompactionPicker(
      tombstones: [covering], partitions: [full], isReadable: { _ in true }, isPostponed: { _ in true })
    #expect(postponing.choose(full, isClosed: true)?.chunks.map(\.file.rawValue) == [4])
    #expect(postponing.chooseWhole(full)?.chunks.map(\.file.rawValue) == [4])
    let rest = full.filter { $0.file.rawValue != 4 }
    #expect(postponing.choose(rest, isClosed: true) == nil)
  }

  @Test func twoThatOverlapMuchAreMerged() {
    #expect(files([chunk(0, hours: 0...3), chunk(1, hours: 3...6)]) == [1, 2])
    #expect(files([chunk(0, hours: 0...9), chunk(1, hours: 9...18)]) == nil)
    // Not at every seal: what is small beside the older one waits for its like, or for a third.
    let large = chunk(0, kilobytes: 250, hours: 0...3)
    #expect(files([large, chunk(1, kilobytes: 60, hours: 3...6)]) == nil)
    #expect(files([large, chunk(1, kilobytes: 60, hours: 3...6), chunk(2, kilobytes: 50, hours: 5...8)]) == [2, 3])
    #expect(files([large, chunk(1, kilobytes: 60, hours: 3...6), chunk(2, kilobytes: 10, hours: 5...8)]) == [1, 2, 3])
    #expect(files([chunk(0, kilobytes: 60, hours: 0...3), chunk(1, kilobytes: 250, hours: 3...6)]) == [1, 2])
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
    let picker = CompactionPicker(tombstones: [], partitions: [many]) { _ in true }
    let choice = picker.chooseWhole(many)
    #expect(choice?.isFull == false && choice?.chunks.count == 32)
    #expect(choice?.chunks.first.map { $0.file.rawValue <= 41 } == true, "the ten small ones are among them")
    #expect(choice?.chunks.last.map { $0.file.rawValue >= 50 } == true)
    #expect(picker.chooseWhole(Array(many.prefix(32)))?.isFull == true)
  }

  @Test func deletesAreMadeReal() {
    let two = [chunk(0), chunk(1)]
    // Nothing is left of the second.
    #expect(files(two, tombstones: [tombstone(9, hours: 1...1)]) == [2])
    #expect(files(two, tombstones: [tombstone(2, hours: 1...1)]) == nil)
    #expect(files([chunk(0), chunk(1, deletedThrough: 9)], tombstones: [tombstone(9, hours: 1...1)]) == nil)
    // In part: when there are many.
    let part = TimeRange(lower: 0, upper: 5)
    let some = Tombstone(
      Deletion(table: TableID(rawValue: 1), series: .all, time: part), sequence: Sequence(rawValue: 9))
    #expect(files(two, tombstones: [some]) == nil)
    let many = [some] + (0..<Limits.tombstonesPerTable).map { tombstone(UInt64($0 + 10), hours: 40...41) }
    #expect(files(two, tombstones: many) == [1])
    #expect(files([chunk(0, level: .full)], isClosed: true, tombstones: many) == [1])
    // Of those that can be made to go, the oldest.
    let later = Tombstone(
      Deletion(table: TableID(rawValue: 1), series: .all, time: TimeRange(lower: Self.hour, upper: Self.hour + 5)),
      sequence: Sequence(rawValue: 9))
    #expect(files(two, tombstones: [some, later] + many.dropFirst(), unusable: [1]) == [2])
  }

  /// A closed partition is written anew for its deletes as for its late rows: when they come to something.
  @Test func aClosedPartitionWaitsForDeletesThatAreWorthIt() {
    let full = [chunk(0, hours: 0...0, commit: 3, level: .full), chunk(1, hours: 1...9, commit: 3, level: .full)]
    func some(_ commit: UInt64, series: [UInt32], minutes: Int64) -> Tombstone {
      Tombstone(
        Deletion(
          table: TableID(rawValue: 1), series: SeriesRanges(series.map { SeriesID(rawValue: $0) }),
          time: TimeRange(lower: 0, upper: minutes * 60_000_000_000 - 1)), sequence: Sequence(rawValue: commit))
    }
    // A series of ten, for all of the first chunk's time: a twentieth of the rows.
    #expect(files(full, isClosed: true, tombstones: [some(9, series: [4], minutes: 60)]) == nil)
    #expect(files(full, isClosed: true, tombstones: [some(9, series: [4, 6, 77], minutes: 59)]) == nil)
    #expect(files(full, isClosed: true, tombstones: [some(9, series: [4, 6, 77], minutes: 60)]) == [1, 2])
    let pair = [some(9, series: [4], minutes: 60), some(10, series: [5], minutes: 60)]
    #expect(files(full, isClosed: true, tombstones: pair) == [1, 2])
    // However little each covers, so many cost every scan something.
    let many = (0..<8).map { some(UInt64($0 + 9), series: [3], minutes: 1) }
    #expect(files(full, isClosed: true, tombstones: many) == [1, 2])
    #expect(files(full, isClosed: true, tombstones: Array(many.dropLast())) == nil)
    // What is gone whole goes alone, at once, and the rest is not touched for it.
    let late = chunk(2, rows: 1, hours: 3...3, commit: 5, level: .full)
    #expect(files(full + [late], isClosed: true, tombstones: [tombstone(9, hours: 3...3)]) == [3])
    // Asked for, all of it becomes real.
    let picker = CompactionPicker(tombstones: [many[0]], partitions: [full]) { _ in true }
    #expect(picker.chooseWhole(full)?.isFull == true)
  }
}

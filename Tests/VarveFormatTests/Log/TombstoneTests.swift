import Testing
import VarveCore
import VarveFormat

/// Deletions in records, tombstones in edits: what is written is read, and what no writer made is refused.
@Suite struct TombstoneTests {
  private func series(_ ids: [UInt32]) -> SeriesRanges { SeriesRanges(ids.map { SeriesID(rawValue: $0) }) }

  private func decode(_ record: CommitRecord, version: UInt32 = LogHeader.version) throws -> CommitRecord {
    try record.encodedFrame()[RecordFrame.headerByteCount...].withUnsafeBytes {
      try CommitRecord.decode($0, version: version)
    }
  }

  @Test func neighboursAreOneRange() {
    #expect(series([0, 1, 2, 5, 6, 9]).ranges == [0...2, 5...6, 9...9])
    #expect(series([]).isEmpty && !series([0]).isAll && SeriesRanges.all.isAll)
  }

  /// From few ids to all; a failure prints them.
  @Test(arguments: 0...4, 1...5) func aSetHoldsWhatItWasMadeOf(quarters: Int, _: Int) throws {
    let ids = (0..<UInt32(200)).filter { _ in Int.random(in: 0..<4) < quarters }
    let set = series(ids)
    for id in UInt32(0)..<210 {
      #expect(set.contains(SeriesID(rawValue: id)) == ids.contains(id), "\(id) of \(ids)")
      for end in [id, id + 1, id + 7] {
        #expect(set.contains(id...end) == (id...end).allSatisfy(ids.contains), "\(id)...\(end) of \(ids)")
        #expect(set.overlaps(id...end) == (id...end).contains(where: ids.contains), "\(id)...\(end) of \(ids)")
      }
    }
    let table = TableID(rawValue: 7)
    let deletions = ids.isEmpty ? [] : [Deletion(table: table, series: set, time: .all)]
    #expect(try decode(CommitRecord(wallNanoseconds: 1, deletions: deletions)).deletions == deletions)
  }

  @Test func deletionsAreReadAsTheyWereWritten() throws {
    let table = TableID(rawValue: 3)
    let deletions = [
      Deletion(table: table, series: .all, time: .all),
      Deletion(table: table, series: series([0]), time: TimeRange(lower: -5, upper: -5)),
      Deletion(table: table, series: series([1, 2, 4, .max - 1]), time: TimeRange(lower: .min, upper: 0)),
    ]
    #expect(try decode(CommitRecord(wallNanoseconds: 1, deletions: deletions)).deletions == deletions)
    // A record without any is what version 1 writes, and one with is not.
    #expect(try decode(CommitRecord(wallNanoseconds: 1), version: 1).deletions.isEmpty)
    let error = #expect(throws: VarveError.self) {
      try decode(CommitRecord(wallNanoseconds: 1, deletions: deletions), version: 1)
    }
    #expect(error?.code == .corruption)
  }

  @Test func editsCarryTombstonesAndLevels() throws {
    let table = TableID(rawValue: 1)
    var edit = ManifestEdit(
      wallNanoseconds: 0, flushed: Sequence(rawValue: 9), logStart: .origin, seriesFile: FileID(rawValue: 1),
      seriesByteCount: 64, nextFile: FileID(rawValue: 9), nextTable: TableID(rawValue: 2))
    edit.addedChunks = [
      ChunkMetadata(
        file: FileID(rawValue: 2), table: table, partition: 0, byteCount: 10, rowCount: 1, valueCount: 1,
        time: TimeRange(lower: 0, upper: 0), firstSeries: SeriesID(rawValue: 0), lastSeries: SeriesID(rawValue: 0),
        firstSequence: Sequence(rawValue: 2), lastSequence: Sequence(rawValue: 3), level: .merged,
        deletedThrough: Sequence(rawValue: 8))
    ]
    edit.removedTombstones = [TombstoneKey(table: table, sequence: Sequence(rawValue: 4))]
    edit.addedTombstones = [
      Tombstone(Deletion(table: table, series: series([3, 4]), time: .all), sequence: Sequence(rawValue: 9))
    ]
    let payload = edit.encodedFrame()[RecordFrame.headerByteCount...]
    #expect(try payload.withUnsafeBytes { try ManifestEdit.decode($0) } == edit)
    let error = #expect(throws: VarveError.self) {
      try payload.withUnsafeBytes { try ManifestEdit.decode($0, version: 1) }
    }
    #expect(error?.code == .corruption)
  }

  @Test func onlyChunksFromBeforeADeleteAreCovered() {
    let table = TableID(rawValue: 1)
    func chunk(_ last: UInt64, _ through: UInt64? = nil) -> ChunkMetadata {
      ChunkMetadata(
        file: FileID(rawValue: 2), table: table, partition: 0, byteCount: 10, rowCount: 1, valueCount: 1,
        time: TimeRange(lower: 10, upper: 20), firstSeries: SeriesID(rawValue: 5), lastSeries: SeriesID(rawValue: 7),
        firstSequence: Sequence(rawValue: 1), lastSequence: Sequence(rawValue: last),
        deletedThrough: through.map { Sequence(rawValue: $0) })
    }
    func tombstone(_ ids: [UInt32], _ time: ClosedRange<Int64>) -> Tombstone {
      Tombstone(
        Deletion(table: table, series: series(ids), time: TimeRange(lower: time.lowerBound, upper: time.upperBound)),
        sequence: Sequence(rawValue: 5))
    }
    #expect(tombstone([5], 20...30).mayCover(chunk(4)))
    #expect(!tombstone([5], 20...30).mayCover(chunk(5)))
    #expect(!tombstone([5], 20...30).mayCover(chunk(4, 5)))
    #expect(!tombstone([4, 8], 20...30).mayCover(chunk(4)))
    #expect(!tombstone([5], 21...30).mayCover(chunk(4)))
  }
}

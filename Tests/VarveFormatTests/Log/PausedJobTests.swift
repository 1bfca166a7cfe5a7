import Testing
import VarveCore
import VarveFormat

/// What a record says of paused jobs is read as it was written, and what no writer made is refused.
@Suite struct PausedJobTests {
  private func decode(_ frame: [UInt8], version: UInt32 = LogHeader.version) throws -> [CatalogChange] {
    try frame[RecordFrame.headerByteCount...].withUnsafeBytes {
      try CommitRecord.decode($0, version: version).changes
    }
  }

  private func frame(_ changes: [CatalogChange]) -> [UInt8] {
    CommitRecord(wallNanoseconds: 1, changes: changes).encodedFrame()
  }

  @Test func pausesAreReadAsTheyWereWritten() throws {
    let changes: [CatalogChange] = [.pauseJob(.compaction, true), .trustClock(-5), .pauseJob(.compaction, false)]
    #expect(try decode(frame(changes)) == changes)
    let error = #expect(throws: VarveError.self) { try decode(frame([.pauseJob(.compaction, true)]), version: 3) }
    #expect(error?.code == .corruption)
  }

  @Test func whatCannotBePausedIsNot() throws {
    let good = frame([.pauseJob(.compaction, true)])
    // Tag, job, flag.
    let place = try #require(good.indices.dropLast(2).first { Array(good[$0...($0 + 2)]) == [13, 2, 1] })
    for (job, flag) in [(1, 1), (3, 1), (0, 1), (4, 0), (255, 1), (2, 2), (2, 255)] as [(UInt8, UInt8)] {
      var bad = good
      (bad[place + 1], bad[place + 2]) = (job, flag)
      let error = #expect(throws: VarveError.self, "\(job), \(flag)") { try decode(bad) }
      #expect(error?.code == .corruption)
    }
  }
}

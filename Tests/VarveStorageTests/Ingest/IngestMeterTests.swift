import Synchronization
import Testing
import VarveCore
import VarveSimulator

@testable import VarveStorage

@Suite struct IngestMeterTests {
  private func row(_ number: Int, table: String = "t", _ value: Cell = .integer(1)) -> ModelRow {
    ModelRow(table: table, identity: Identity(tags: ["w": "a"], time: Int64(number)), fields: ["v": value])
  }

  private func open(_ disk: SimulatedFileSystem = SimulatedFileSystem()) throws -> (Store, CommitPipeline) {
    let store = try Store.open(Run.options(disk, ManualClock()))
    return (store, CommitPipeline(store))
  }

  @Test func rowsRejectionsAndTheirReasonsAreCountedByTableAndProtocol() throws {
    let (store, pipeline) = try open()
    _ = try pipeline.write(.write(batches([row(1), row(2)])), from: IngestWriter(.lineProtocol))
    _ = try pipeline.write(.write(batches([row(3)])), from: IngestWriter(.sql))
    _ = try pipeline.write(.write(batches([row(4, .other(.bool, 1)), row(5)])), from: IngestWriter(.sql))
    _ = try pipeline.write(.write(batches([row(1, table: "u")])), from: IngestWriter(.sql))
    let report = pipeline.ingestReport
    #expect(
      report.tables.map { "\($0.table ?? "-") \($0.protocol.rawValue) \($0.rows) \($0.rejected)" } == [
        "t line-protocol 2 [:]", "t sql 2 [VarveCore.VarveError.Code.typeConflict: 1]", "u sql 1 [:]",
      ])
    #expect(report.tables.allSatisfy { $0.columnByteCount > 0 && $0.lastWrite != nil && $0.queuedByteCount == 0 })
    #expect(report.queue.commits == 4 && report.queue.rows == 5 && report.queue.commitTimes.count == 4)
    #expect(report.queue.queuedByteCount == 0 && report.queue.waitsFor == .nothing)
    #expect(report.tables[1].syncs.count == 2, "who writes by SQL waits for each write")
    #expect(report.tables[0].syncs.count == 0, "a line protocol client asks when it likes")
    pipeline.close()
    try store.close()
  }

  @Test func whatTheStoreRefusesIsCountedByReason() throws {
    let (store, pipeline) = try open()
    store.fail(VarveError(.readOnly, "for the test"))
    #expect(throws: VarveError.self) { try pipeline.write(.write(batches([row(1)]))) }
    let report = pipeline.ingestReport
    #expect(report.queue.refusals == [.readOnly: 1] && report.queue.commits == 0 && report.tables.isEmpty)
    pipeline.close()
    try store.close()
  }

  @Test func badLinesOfTablesThatAreThereAreTheirsAndAllOthersNobodys() throws {
    let (store, pipeline) = try open()
    _ = try pipeline.write(.write(batches([row(1)])), from: IngestWriter(.http))
    var rejections = RejectionCounts()
    rejections.add("t", .invalidNumber)
    rejections.add("t", .invalidNumber, 2)
    for number in 0..<1_000 { rejections.add("invented\(number)", .syntax) }
    rejections.add(nil, .invalidUTF8)
    pipeline.meter.rejected(rejections, .http)
    let tables = pipeline.ingestReport.tables
    #expect(tables.map(\.table) == ["t", nil])
    #expect(tables.map(\.rejected) == [[.invalidNumber: 3], [.syntax: 1_000, .invalidUTF8: 1]])
    pipeline.close()
    try store.close()
  }

  @Test func tablesBeyondTheLimitAreCountedTogether() {
    let meter = IngestMeter(tableLimit: 2)
    for name in ["a", "b", "c", "d"] {
      let batches = batches([row(1, table: name)])
      let result = WriteResult(sequence: .zero, rowsWritten: 1, rejections: [])
      let write = IngestMeter.Committed(
        batches: batches, outcome: .success([result]), protocol: .http, nanoseconds: 1)
      meter.committed([write], commitNanoseconds: 1, now: 7)
    }
    #expect(meter.report.tables.map(\.table) == ["a", "b", nil])
    #expect(meter.report.tables.map(\.rows) == [1, 1, 2])
  }

  @Test func answersAreTimedByTableAndByProtocol() throws {
    let (store, pipeline) = try open()
    _ = try pipeline.write(.write(batches([row(1), row(1, table: "u")])), from: IngestWriter(.http))
    pipeline.meter.answered(3_000_000, tables: [Name("t"), Name("not there")], .http)
    pipeline.meter.answered(5_000_000, tables: [Name("u")], .http)
    let report = pipeline.ingestReport
    #expect(report.tables.map(\.syncs.count) == [1, 1])
    #expect(report.tables.map(\.syncs.maximumMilliseconds) == [3, 5])
    #expect(report.syncs[.http]?.count == 2 && report.syncs[.http]?.sumNanoseconds == 8_000_000)
    pipeline.close()
    try store.close()
  }

  @Test func aConnectionIsListedWhileItIsOpen() {
    let meter = IngestMeter()
    let first = meter.open(listener: "http", client: "a", since: 1)
    let second = meter.open(listener: "line-protocol", client: "b", since: 2)
    second.update {
      $0.rows = 7
      $0.answered(2_000)
      $0.answered(1_000)
    }
    #expect(meter.report.connections.map(\.client) == ["a", "b"])
    let counts = meter.report.connections[1].counts
    #expect(counts.rows == 7 && counts.syncs == 2)
    #expect(counts.lastSyncNanoseconds == 1_000 && counts.slowestSyncNanoseconds == 2_000)
    meter.close(first)
    #expect(meter.report.connections.map(\.client) == ["b"])
  }
}

@Suite struct LatencyHistogramTests {
  @Test func timesFallIntoBucketsWithTheirUpperBoundIncluded() {
    var histogram = LatencyHistogram()
    #expect(histogram.milliseconds(atPart: 0.5) == nil && histogram.maximumMilliseconds == nil)
    for nanoseconds: UInt64 in [0, 100_000, 100_001, 200_000, 50_000_000_000, 50_000_000_001, .max] {
      histogram.add(nanoseconds)
    }
    #expect(histogram.counts.first == 2 && histogram.counts[1] == 2)
    #expect(histogram.counts[17] == 1 && histogram.counts[18] == 2)
    #expect(histogram.counts.count == LatencyHistogram.boundsInSeconds.count + 1 && histogram.count == 7)
  }

  @Test func percentilesLieWithinTheBucketThatHasThem() throws {
    var histogram = LatencyHistogram()
    for number in 1...1_000 { histogram.add(UInt64(number) * 10_000) }
    for part in [0.01, 0.1, 0.5, 0.9, 0.99, 1] {
      let estimate = try #require(histogram.milliseconds(atPart: part))
      #expect(abs(estimate - part * 10) <= 0.35 * part * 10 + 0.1, "\(part): \(estimate)")
    }
    #expect(histogram.maximumMilliseconds == 10)
  }
}

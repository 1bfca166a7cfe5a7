// Where the rows of a COPY go, without the wire: a batch is taken as the reader would give it.

import Testing
import VarveCore

@testable import VarveQuery
@testable import VarveStorage

@Suite struct CopyTests {
  private let store = MemoryStore(batchRowCount: 1000)

  private func sessionWithTable() throws -> QuerySession {
    let session = makeSession(store)
    try session.rows("CREATE TABLE t (time timestamptz, host text, n bigint, s text) WITH (varve.tags = 'host')")
    return session
  }

  private func begin(_ session: QuerySession, _ sql: String = "COPY t FROM STDIN") throws -> SeriesCopyTarget {
    try #require(try session.beginCopy(try session.prepare(sql)) as? SeriesCopyTarget)
  }

  /// Rows `first`, … of one series, a second apart.
  private func batch(_ count: Int, first: Int = 1) -> PointBatch {
    PointBatch(
      table: "t", series: [SeriesKey(tags: [("host", "a")])], rowSeries: Buffer(repeating: 0, count: count),
      times: Buffer((0..<count).map { Int64(first + $0) * 1_000_000_000 }),
      fields: [
        .init(name: "n", column: FieldColumn(type: .int64, words: Buffer((0..<count).map { UInt64(first + $0) })))
      ])
  }

  private func count(_ session: QuerySession) throws -> String { try session.text("SELECT count(*) FROM t") }

  @Test func thePlanSaysWhereEachColumnGoes() throws {
    let session = try sessionWithTable()
    let plan = try begin(session, "COPY t (s, time, host) FROM STDIN (FORMAT csv, FORCE_NULL (s), HEADER match)").plan
    #expect(plan.columns.map(\.name) == ["s", "time", "host"])
    #expect(plan.columns.map(\.target) == [.field(.text), .time, .tag])
    #expect(plan.columns.map(\.isNullInQuotes) == [true, false, false])
    #expect(
      plan.shape.format == .csv && plan.shape.header == .matched && plan.shape.delimiter == UInt8(ascii: ",")
        && plan.shape.null.isEmpty)
    #expect(try begin(session, "COPY t FROM STDIN BINARY").plan.shape.format == .binary)
    #expect(try begin(session).plan.columns.map(\.name) == ["time", "host", "n", "s"])
  }

  @Test func aSmallCopyIsWrittenAtItsEnd() throws {
    let session = try sessionWithTable()
    let target = try begin(session)
    try target.take(batch(10), firstRow: 1)
    try target.take(batch(10, first: 11), firstRow: 11)
    #expect(try count(makeSession(store)) == "0")
    #expect(try target.finish() == 20)
    #expect(try count(session) == "20")
  }

  @Test func aCopyThatFailsEarlyLeavesNothingAndSaysNothing() throws {
    let session = try sessionWithTable()
    let target = try begin(session)
    try target.take(batch(10), firstRow: 1)
    #expect(target.abandon(VarveError(.query, "cut", sqlState: "22P04")) == nil)
    #expect(try count(session) == "0")
  }

  @Test func aLargeCopyIsWrittenInPieces() throws {
    let session = try sessionWithTable()
    let target = try begin(session)
    // More than a piece, at twenty bytes a row.
    let rowCount = 2500
    let pieces = SeriesCopyTarget.pieceByteCount / (rowCount * 20) + 1
    for piece in 0..<pieces {
      try target.take(batch(rowCount, first: piece * rowCount + 1), firstRow: piece * rowCount + 1)
    }
    try target.take(batch(5, first: pieces * rowCount + 1), firstRow: pieces * rowCount + 1)
    let stored = try #require(Int(try count(makeSession(store))))
    #expect(stored > 0 && stored <= pieces * rowCount)
    #expect(
      target.abandon(VarveError(.query, "cut", sqlState: "22P04"))
        == "\(stored) rows of this COPY are stored; sending all of it again changes nothing in them.")
    #expect(try count(session) == "\(stored)")
  }

  @Test func rowsThatCameBeforeInAnImplicitTransactionAreWrittenBefore() throws {
    let session = try sessionWithTable()
    let insert = try session.prepare("INSERT INTO t (time, host, n) VALUES ('1970-01-01 00:00:01Z', 'a', 99)")
    _ = try session.execute(insert)
    let target = try begin(session)
    try target.take(batch(1), firstRow: 1)
    _ = try target.finish()
    try session.endImplicitTransaction(failed: false)
    #expect(try session.text("SELECT n FROM t") == "1")
  }

  @Test func aBlockKeepsItsRowsToItsEnd() throws {
    let session = try sessionWithTable()
    try session.rows("BEGIN")
    let target = try begin(session)
    try target.take(batch(10), firstRow: 1)
    #expect(try target.finish() == 10)
    #expect(try count(makeSession(store)) == "0")
    try session.rows("ROLLBACK")
    #expect(try count(session) == "0")
    try session.rows("BEGIN")
    let second = try begin(session)
    try second.take(batch(10), firstRow: 1)
    _ = try second.finish()
    try session.rows("COMMIT")
    #expect(try count(session) == "10")
  }

  @Test func aBlockHasALimitThatNamesTheWayOut() throws {
    let session = try sessionWithTable()
    try session.rows("SET varve.query_memory_limit = '1MB'; BEGIN")
    let target = try begin(session)
    #expect {
      for piece in 0..<1000 { try target.take(batch(1000, first: piece * 1000), firstRow: piece * 1000 + 1) }
    } throws: { error in
      let error = error as? VarveError
      return error?.sqlState == "53200" && error?.hint?.contains("outside of a transaction block") == true
    }
    #expect(target.abandon(VarveError(.query, "cut", sqlState: "22P04")) == nil)
    #expect(session.transactionStatus == .failed)
  }

  @Test func aCopyIsCancelledAndTimedOut() throws {
    let session = try sessionWithTable()
    let target = try begin(session)
    session.cancel()
    #expect { try target.check() } throws: { ($0 as? VarveError)?.sqlState == "57014" }
    #expect { try target.take(batch(1), firstRow: 1) } throws: { ($0 as? VarveError)?.sqlState == "57014" }
    session.resetCancellation()
    #expect(target.remainingNanoseconds == nil)
    try session.rows("SET statement_timeout = 5000")
    #expect(try begin(session).remainingNanoseconds == 5_000_000_000)
  }

  @Test func aCopyNeedsAWritableTransaction() throws {
    let session = try sessionWithTable()
    try session.rows("BEGIN READ ONLY")
    #expect { try begin(session) } throws: { ($0 as? VarveError)?.sqlState == "25006" }
    #expect { try begin(session) } throws: { ($0 as? VarveError)?.sqlState == "25P02" }
  }

  @Test func aRowThatTheStoreRefusesIsNamed() throws {
    let session = try sessionWithTable()
    let refusing = RefusingStore(store)
    let other = makeSession(refusing)
    let target = try begin(other)
    try target.take(batch(10), firstRow: 1)
    try target.take(batch(10, first: 11), firstRow: 11)
    #expect { try target.finish() } throws: { error in
      let error = error as? VarveError
      return error?.context == "COPY t, row 13" && error?.message == "a row was not taken: too many"
    }
    #expect(
      target.abandon(VarveError(.query, "cut", sqlState: "22P04"))?.hasPrefix("19 rows of this COPY are stored") == true
    )
    #expect(try count(session) == "20")
  }
}

/// Says of the third row of each commit's last batch that it was not taken.
private final class RefusingStore: StoreAccess {
  private let store: MemoryStore
  init(_ store: MemoryStore) { self.store = store }

  func ingestReport() -> IngestReport { IngestReport() }
  func maintenanceStatistics() -> MaintenanceStatistics { MaintenanceStatistics() }
  func maintenanceReport() -> MaintenanceReport { MaintenanceReport() }
  func beginWrite(_ batches: [PointBatch], from writer: IngestWriter) throws -> PendingWrite {
    var results = try store.write(batches)
    results[results.count - 1].rowsWritten -= 1
    results[results.count - 1].rejections = [Rejection(line: 3, column: 1, code: .limitExceeded, message: "too many")]
    let write = PendingWrite()
    write.complete(.success(results))
    return write
  }

  var isSaturated: Bool { true }
  var latestTime: Int64 { .max }
  func snapshot() throws -> any ReadSnapshot { try store.snapshot() }
  func write(_ batches: [PointBatch]) throws -> [WriteResult] { try store.write(batches) }
  func write(deleting deletions: [DeleteRequest], _ batches: [PointBatch]) throws -> [WriteResult] {
    try store.write(deleting: deletions, batches)
  }
  func write(_ transaction: TransactionWrites) throws { try store.write(transaction) }
  var dimensionLocks: DimensionLocks { store.dimensionLocks }
  func whileWaiting<T>(_ body: () throws -> T) rethrows -> T { try body() }
  func createDimension(_ definition: DimensionDefinition) throws { try store.createDimension(definition) }
  func alterTable(named name: String, _ alterations: [TableAlteration]) throws {
    try store.alterTable(named: name, alterations)
  }
  func createTable(_ definition: TableDefinition) throws { try store.createTable(definition) }
  func dropTable(named name: String, cascade: Bool) throws { try store.dropTable(named: name, cascade: cascade) }
  func change(_ rollup: RollupChange) throws { try store.change(rollup) }
  func commit(_ rollups: RollupCommit) throws -> Sequence { try store.commit(rollups) }
  func flushBlocking() throws -> Sequence { try store.flushBlocking() }
  func compactBlocking(table: String?, check: () throws -> Void) throws -> [CompactionReport] {
    try store.compactBlocking(table: table, check: check)
  }
  func backupBlocking(_ request: BackupRequest, check: () throws -> Void) throws -> BackupReport {
    try store.backupBlocking(request, check: check)
  }
  func verifyBlocking(check: () throws -> Void) throws -> VerifyReport { try store.verifyBlocking(check: check) }
}

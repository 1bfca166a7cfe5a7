// The database as the layers below and above it see it: SQL's store, and the connections' sink.

import VarveCore
import VarveStorage

extension Database: StoreAccess {
  package func snapshot() throws -> any ReadSnapshot {
    try checkOpen()
    return store.snapshot()
  }

  package func write(_ batches: [PointBatch]) throws -> [WriteResult] {
    try writer().write(
      .write(batches), byteCount: batches.reduce(0) { $0 + $1.byteCount }, from: IngestWriter(.sql))
  }

  package func beginWrite(_ batches: [PointBatch], from writer: IngestWriter) throws -> PendingWrite {
    let write = PendingWrite()
    try self.writer().submit(batches, from: writer) { write.complete($0) }
    return write
  }

  package var latestTime: Int64 { store.latestTime }

  package func write(deleting deletions: [DeleteRequest], _ batches: [PointBatch]) throws -> [WriteResult] {
    let results = try writer().write(
      .delete(deletions, then: batches), byteCount: batches.reduce(0) { $0 + $1.byteCount }, from: IngestWriter(.sql))
    return batches.isEmpty ? [] : results
  }

  package func write(_ transaction: TransactionWrites) throws {
    _ = try writer().write(.transaction(transaction), byteCount: transaction.byteCount, from: IngestWriter(.sql))
  }

  package func whileWaiting<T>(_ body: () throws -> T) rethrows -> T { try workers.standingIn(body) }

  package func createDimension(_ definition: DimensionDefinition) throws {
    _ = try writer().write(.createDimension(definition))
  }
  package func alterTable(named name: String, _ alterations: [TableAlteration]) throws {
    _ = try writer().write(.alterTable(name, alterations))
  }
  package func createTable(_ definition: TableDefinition) throws { _ = try writer().write(.createTable(definition)) }
  package func dropTable(named name: String, cascade: Bool) throws {
    _ = try writer().write(.dropTable(name, cascade: cascade))
  }
  package func change(_ rollup: RollupChange) throws { _ = try writer().write(.rollupDefinition(rollup)) }
  package func commit(_ rollups: RollupCommit) throws -> Sequence {
    let results = try writer().write(
      .rollups(rollups), byteCount: rollups.byteCount, from: IngestWriter(.rollup))
    return results.reduce(.zero) { max($0, $1.sequence) }
  }

  package func flushBlocking() throws -> Sequence {
    // What is committed meanwhile may be in chunks or not.
    let sequence = store.sequence
    let pipeline = try writer()
    try workers.standingIn { try pipeline.flush() }
    return sequence
  }

  package func compactBlocking(table: String?, check: () throws -> Void) throws -> [CompactionReport] {
    let pipeline = try writer()
    try workers.standingIn { try pipeline.flush() }
    let before = store.snapshot()
    let tables =
      try table.map { name in
        guard let table = before.table(named: name) else {
          throw VarveError(.notFound, "table \"\(name)\" does not exist", sqlState: "42P01")
        }
        return [table]
      } ?? before.tables()
    let counts = tables.map { before.statistics(of: $0.id) }
    try workers.standingIn { try pipeline.compact(table: table == nil ? nil : tables[0].id, check: check) }
    let after = store.snapshot()
    return zip(tables, counts).map { table, count in
      let left = after.statistics(of: table.id)
      return CompactionReport(
        table: table.name, chunksBefore: count.chunks, chunksAfter: left.chunks, bytesBefore: count.chunkBytes,
        bytesAfter: left.chunkBytes)
    }
  }

  package func verifyBlocking(check: () throws -> Void) throws -> VerifyReport {
    try checkOpen()
    return try StoreVerifier.verifyRunning(store, check: check)
  }

  package func ingestReport() -> IngestReport { pipeline?.ingestReport ?? IngestReport() }

  package func maintenanceStatistics() -> MaintenanceStatistics { store.maintenanceStatistics }
  package func maintenanceReport() -> MaintenanceReport { store.maintenanceReport }

  /// Where listeners tell of their connections and answers.
  package var ingestMeter: IngestMeter { pipeline?.meter ?? IngestMeter() }

  package func writer() throws -> CommitPipeline {
    try checkOpen()
    guard let pipeline else {
      throw VarveError(
        .readOnly, "the database is open for reading only", hint: "open it for writing, or write through the server",
        sqlState: "25006")
    }
    return pipeline
  }
}

extension Database: BatchSink {
  package func submit(
    _ batches: [PointBatch], from writer: IngestWriter,
    completion: @escaping @Sendable (Result<[WriteResult], VarveError>) -> Void
  ) {
    guard let pipeline else {
      return completion(.failure(VarveError(.readOnly, "the database is open for reading only")))
    }
    pipeline.submit(batches, from: writer, completion: completion)
  }

  package var isSaturated: Bool { pipeline?.isSaturated ?? false }
  package var isOverfull: Bool { pipeline?.isOverfull ?? false }

  func write(_ batches: [PointBatch]) async throws -> [WriteResult] {
    let pipeline = try writer()
    return try await withCheckedThrowingContinuation { continuation in
      pipeline.submit(batches, from: IngestWriter(.embedded)) { continuation.resume(with: $0) }
    }
  }

  /// Writes everything in memory to chunk files.
  public func flush() async throws {
    let pipeline = try writer()
    try await workers.run { [workers] in try workers.standingIn { try pipeline.flush() } }
  }
}

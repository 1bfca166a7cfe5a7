// The archive of an open database: runs, by hand and by policy, one at a time, on a thread which stands back behind ingest
// and queries.

import VarveArchive
import VarveCore
import VarveIO
import VarveStorage

extension Database {
  package var hasArchive: Bool { archive != nil }

  package func archiveBlocking(
    _ tables: [(name: String, before: Int64)], _ choice: ArchiveChoice, check: () throws -> Void
  ) throws -> ArchiveRunReport {
    try archiveBlocking(tables, choice, bytesPerSecond: nil, check: check)
  }

  /// Of the table, or of all.
  package func archiveBlocking(
    table: String?, before time: Int64, _ choice: ArchiveChoice, check: () throws -> Void
  ) throws -> ArchiveRunReport {
    try archiveBlocking(try tables(table).map { ($0.name, time) }, choice, bytesPerSecond: nil, check: check)
  }

  /// `tables`: each with the time before which its partitions end. At a rate, if there is one.
  func archiveBlocking(
    _ tables: [(name: String, before: Int64)], _ choice: ArchiveChoice, bytesPerSecond: Int?, thorough: Bool = true,
    check: () throws -> Void
  ) throws -> ArchiveRunReport {
    let (tier, pipeline) = (try openArchive(), try writer())
    let snapshot = store.snapshot()
    let tables = tables.compactMap { table in
      snapshot.table(named: table.name).map { (table: $0, before: table.before) }
    }
    if tables.contains(where: { store.hasRowsToArchive(of: $0.table.id, before: $0.before) }) {
      try workers.standingIn { try pipeline.flush() }
    }
    return try runArchive(check, bytesPerSecond: bytesPerSecond ?? 0) { [store] turn in
      try Self.archiveRun(store, tier, pipeline, turn).run(tables, choice, thorough: thorough)
    }
  }

  /// Whether a run would archive anything of these.
  func hasSomethingToArchive(_ tables: [(name: String, before: Int64)]) -> Bool {
    let snapshot = store.snapshot()
    return tables.contains { table in
      guard let schema = snapshot.table(named: table.name) else { return false }
      return store.hasRowsToArchive(of: schema.id, before: table.before)
        || store.isArchivingDue(of: schema, before: table.before)
    }
  }

  package func previewArchive(table: String?, before time: Int64, adopting: Bool) throws -> [ArchiveReport] {
    _ = try openArchive()
    let folder = try archiveFolder()
    return try tables(table).map { table in
      store.previewArchiving(
        of: table, before: time, anew: adopting ? try store.partitions(of: table, notIn: folder) : [])
    }
  }

  private func archiveFolder() throws -> String? {
    try ParquetTier.folder(of: Self.archiveDirectory(store.directory), store.files)
  }

  package func archivedChunks(table name: String?) throws -> [ArchivedChunkLine] {
    let folder = try archiveFolder()
    return try tables(name).flatMap { table in
      try store.archivedChunks(of: table.id).found.map { chunk in
        let metadata = chunk.metadata
        return ArchivedChunkLine(
          table: table.name, file: StorePaths.name(metadata.file, "chunk"), key: chunk.object.key,
          isOwn: ParquetTier.isIn(folder, chunk.object), rows: metadata.rowCount, stubBytes: metadata.byteCount,
          objectBytes: metadata.objectByteCount, time: metadata.time)
      }
    }.sorted { ($0.table, $0.time.lower, $0.file) < ($1.table, $1.time.lower, $1.file) }
  }

  package func verifyArchiveBlocking(table: String?, check: () throws -> Void) throws -> ArchiveVerifyReport {
    let tier = try openArchive()
    let id = try table.map { _ in try tables(table)[0].id }
    return try runArchive(check) { [store] turn in
      try ArchiveVerifier.verify(store, tier, table: id, tell: turn.isAt, check: turn.check)
    }
  }

  package func restoreArchivedBlocking(table: String, time: TimeRange, check: () throws -> Void) throws -> ArchiveReport
  {
    let (tier, pipeline) = (try openArchive(), try writer())
    let schema = try tables(table)[0]
    return try runArchive(check) { [store] turn in
      try Self.archiveRun(store, tier, pipeline, turn).restore(schema, time)
    }
  }

  // MARK: -

  private func openArchive() throws -> ParquetTier {
    try checkOpen()
    guard let archive else { throw VarveError.noArchive }
    return archive
  }

  /// The table, or all.
  private func tables(_ name: String?) throws -> [TableSchema] {
    let snapshot = store.snapshot()
    guard let name else { return snapshot.tables() }
    guard let table = snapshot.table(named: name) else {
      throw VarveError(.notFound, "relation \"\(name)\" does not exist", sqlState: "42P01")
    }
    return [table]
  }

  /// One after the other: whoever comes second waits.
  private func runArchive<T: Sendable>(
    _ check: () throws -> Void, bytesPerSecond: Int = 0,
    _ body: @escaping @Sendable (LongRun<T, String>.Turn) throws -> T
  ) throws -> T {
    try workers.standingIn {
      while !archiveGate.update({ isBusy in
        defer { isBusy = true }
        return !isBusy
      }) {
        _ = archiveGate.wait(milliseconds: 100) { $0 ? nil : true }
        try check()
        try checkOpen()
      }
      defer { archiveGate.update { $0 = false } }
      let run = LongRun<T, String>()
      return try monitor.services.recording(.archive, store.clock) {
        try reading(stop: { run.stop() }) {
          run.start("varve-archive", bytesPerSecond: bytesPerSecond, body)
          return try run.wait(check: check) { [services = monitor.services] text in
            services.update(.archive) { $0.detail = text }
          }
        }
      }
    }
  }

  private static func archiveRun<T>(
    _ store: Store, _ tier: ParquetTier, _ pipeline: CommitPipeline, _ turn: LongRun<T, String>.Turn
  ) -> ArchiveRun {
    ArchiveRun(
      store, tier, pace: { try pace($0, turn, pipeline) }, pause: { try turn.pause(milliseconds: 20) }, tell: turn.isAt,
      install: { try install($0, pipeline, store) })
  }

  private static func install(_ chunks: CompactedChunks, _ pipeline: CommitPipeline, _ store: Store) throws -> Bool {
    do {
      let isInstalled = try pipeline.install(chunks).get()
      if isInstalled { store.removeInputs(of: chunks) }
      return isInstalled
    } catch {
      let error = asVarveError(error)
      // Without room nothing names them; after any other failure the manifest may.
      if error.isWant || error.code == .closed { store.discard(chunks) }
      throw error
    }
  }

  /// Waits as long as the rate wants, and as sealing is behind.
  private static func pace<T>(
    _ byteCount: Int, _ turn: LongRun<T, String>.Turn, _ pipeline: CommitPipeline
  ) throws {
    try turn.pace(byteCount)
    while pipeline.isSealingBehind { try turn.pause(milliseconds: 50) }
  }
}

// An archive of a memory store: a partition is archived or not. Rows take 16 bytes, 8 in an object, and 1 in a stub.

import Synchronization
import VarveCore
import VarveFormat

@testable import VarveQuery
@testable import VarveStorage

final class MemoryArchive: Sendable {
  struct State: Sendable {
    /// That nothing needs any more.
    var unneeded = 0
    var failures: [String] = []
    var problems: [VerifyReport.Problem] = []
    /// In the folder of another directory.
    var foreign = 0
    /// As `archiveBlocking` was called.
    var runs: [String] = []
  }
  let state = Mutex(State())
}

extension MemorySnapshot {
  /// Rows by partition.
  func partitions(of table: TableSchema) -> [Int64: [Int64]] {
    let rows = contents[Name(table.name)]?.rows.keys.map(\.time) ?? []
    return Dictionary(grouping: rows) { MemoryCursor.partition($0, table.partitionNanoseconds) }
  }

  func archivedChunks(of table: TableSchema) -> [ArchivedChunkLine] {
    let partitions = partitions(of: table)
    return (archived[table.id] ?? []).sorted().compactMap { index in
      guard let times = partitions[index], let first = times.min(), let last = times.max() else { return nil }
      return ArchivedChunkLine(
        table: table.name, file: "\(index).chunk", key: "\(table.id.rawValue)/\(index).parquet", isOwn: true,
        rows: times.count,
        stubBytes: times.count, objectBytes: 8 * times.count, time: TimeRange(lower: first, upper: last))
    }
  }

  func chunks(of table: TableID) -> [ChunkStatistics] {
    guard let schema = self.table(id: table) else { return [] }
    return archivedChunks(of: schema).map { line in
      let index = MemoryCursor.partition(line.time.lower, schema.partitionNanoseconds)
      return ChunkStatistics(
        file: line.file, partition: PartitionSplit.range(index, width: schema.partitionNanoseconds), level: 3,
        rows: line.rows, values: line.rows, bytes: line.stubBytes, objectBytes: line.objectBytes, time: line.time,
        firstSequence: sequence, lastSequence: sequence, isOverlapping: false, isEmptied: false)
    }
  }
}

extension MemoryStore {
  var hasArchive: Bool { archive != nil }

  private func opened() throws -> (archive: MemoryArchive, snapshot: MemorySnapshot) {
    guard let archive else { throw VarveError(.unavailable, "no archive is open") }
    guard let snapshot = try snapshot() as? MemorySnapshot else { preconditionFailure("it has such snapshots") }
    return (archive, snapshot)
  }

  private func schemas(_ name: String?, _ snapshot: MemorySnapshot) -> [TableSchema] {
    snapshot.tables().filter { table in name.map { Name($0) == Name(table.name) } ?? true }
  }

  func previewArchive(table: String?, before time: Int64, adopting: Bool) throws -> [ArchiveReport] {
    let (_, snapshot) = try opened()
    return schemas(table, snapshot).map { table in
      var report = ArchiveReport(table: table.name)
      for (index, times) in snapshot.partitions(of: table)
      where PartitionSplit.range(index, width: table.partitionNanoseconds).upper < time
        && snapshot.archived[table.id]?.contains(index) != true
      {
        report.chunksBefore += 1
        report.rows += times.count
        report.bytesBefore += 16 * times.count
      }
      return report
    }
  }

  func archiveBlocking(
    _ tables: [(name: String, before: Int64)], _ choice: ArchiveChoice, check: () throws -> Void
  ) throws -> ArchiveRunReport {
    let (archive, snapshot) = try opened()
    var run = ArchiveRunReport()
    for (name, before) in tables {
      for var report in try previewArchive(table: name, before: before, adopting: choice.adopts) {
        report.chunksAfter = report.chunksBefore
        report.bytesAfter = 8 * report.rows
        run.tables.append(report)
      }
      for table in schemas(name, snapshot) {
        let indexes = snapshot.partitions(of: table).keys.filter {
          PartitionSplit.range($0, width: table.partitionNanoseconds).upper < before
        }
        updateArchived(table.id) { $0.formUnion(indexes) }
      }
    }
    archive.state.withLock { state in
      state.runs.append(
        tables.map(\.name).joined(separator: ",") + (choice.deletesUnneeded ? " deleting" : "")
          + (choice.adopts ? " adopting" : ""))
      run.failures = state.failures
      if choice.deletesUnneeded {
        (run.deletedObjects, run.deletedBytes) = (state.unneeded, 8 * state.unneeded)
        state.unneeded = 0
      }
      if choice.adopts { state.foreign = 0 }
      run.foreignObjects = state.foreign
      (run.unneededObjects, run.unneededBytes) = (state.unneeded, 8 * state.unneeded)
    }
    return run
  }

  func archivedChunks(table: String?) throws -> [ArchivedChunkLine] {
    let (_, snapshot) = try opened()
    let isOwn = try opened().archive.state.withLock { $0.foreign } == 0
    return schemas(table, snapshot).flatMap { snapshot.archivedChunks(of: $0) }.map { line in
      var line = line
      line.isOwn = isOwn
      return line
    }
  }

  func verifyArchiveBlocking(table: String?, check: () throws -> Void) throws -> ArchiveVerifyReport {
    let lines = try archivedChunks(table: table)
    var report = ArchiveVerifyReport()
    report.objects = lines.count
    report.bytes = lines.reduce(0) { $0 + $1.objectBytes }
    report.rows = lines.reduce(0) { $0 + $1.rows }
    report.problems = try opened().archive.state.withLock { $0.problems }
    return report
  }

  func restoreArchivedBlocking(table: String, time: TimeRange, check: () throws -> Void) throws -> ArchiveReport {
    let (_, snapshot) = try opened()
    var report = ArchiveReport(table: table)
    for schema in schemas(table, snapshot) {
      for line in snapshot.archivedChunks(of: schema) where line.time.overlaps(time) {
        report.chunksBefore += 1
        report.chunksAfter += 1
        report.rows += line.rows
        report.bytesBefore += line.objectBytes
        report.bytesAfter += 16 * line.rows
        updateArchived(schema.id) {
          $0.remove(MemoryCursor.partition(line.time.lower, schema.partitionNanoseconds))
        }
      }
    }
    return report
  }
}

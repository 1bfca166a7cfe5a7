// The archive as procedures: policies, what goes there at once, what is there, whether it is sound, and back.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  func callTiering(_ procedure: Procedure, _ arguments: ProcedureArguments) throws -> [[Datum]] {
    guard procedure == .addTieringPolicy else {
      try removePolicy(.tiering, arguments)
      return [[.text("")]]
    }
    let job = try addPolicy(.tiering, procedure, arguments)
    if !store.hasArchive {
      state.add(
        .notice(
          severity: "NOTICE", sqlState: "00000",
          message: "no archive is open, so nothing moves until the database is opened with one (--archive URL)"))
    }
    return [[job]]
  }

  func callArchive(_ procedure: Procedure, _ arguments: ProcedureArguments, check: () throws -> Void) throws
    -> [[Datum]]
  {
    // Names the table that is not there, or has no chunks, before the archive is asked.
    if let name = arguments.text(0) {
      _ = try aged(name, .tiering, CatalogView(snapshot: try store.snapshot(), session: state))
    }
    switch procedure {
    case .archiveRun: return try runArchive(arguments, check: check)
    case .archiveList: return try listArchive(arguments)
    case .archiveVerify: return try verifyArchive(arguments, check: check)
    case .archiveRestore: return [try restoreArchived(arguments, check: check)]
    default: preconditionFailure("\(procedure.rawValue) is not about the archive")
    }
  }

  // MARK: To the archive

  /// A row a table. What could not be archived is told by warnings, and the rest was.
  private func runArchive(_ arguments: ProcedureArguments, check: () throws -> Void) throws -> [[Datum]] {
    let isDry = arguments.isTrue(2)
    let choice = ArchiveChoice(deletesUnneeded: arguments.isTrue(3), adopts: arguments.isTrue(4))
    if !isDry { try checkWritable("archive_run") }
    let tables = try tablesToArchive(arguments.text(0), before: arguments.time(1), adopting: choice.adopts)
    if isDry {
      return try tables.flatMap { table in
        try store.previewArchive(table: table.name, before: table.before, adopting: choice.adopts).map { report in
          var report = report
          report.rows += try rowsInMemory(of: table.name, before: table.before)
          return Self.row(report, before: table.before, isDry: true)
        }
      }
    }
    let report = try store.archiveBlocking(tables, choice, check: check)
    for failure in report.failures { warn(failure) }
    if report.deletedObjects > 0 {
      note("deleted \(Self.objects(report.deletedObjects, report.deletedBytes)) that nothing needed any more")
    }
    if report.unneededObjects > 0 {
      note(
        "kept for a while: \(Self.objects(report.unneededObjects, report.unneededBytes)) that nothing needs any more; "
          + "delete_unneeded deletes them at once")
    }
    if report.isClockDoubted { note(ArchiveRunReport.clockDoubt) }
    noteForeign(report.foreignObjects)
    let times = Dictionary(tables.map { (Name($0.name), $0.before) }) { first, _ in first }
    return report.tables.map { Self.row($0, before: times[Name($0.table)] ?? .min, isDry: false) }
  }

  /// With the time before which what is of each is old. What is adopted need not be: then all tables are, of which some
  /// have nothing that is old.
  private func tablesToArchive(
    _ name: String?, before: Int64?, adopting: Bool
  ) throws -> [(name: String, before: Int64)] {
    if let before { return try name.map { [($0, before)] } ?? store.snapshot().tables().map { ($0.name, before) } }
    if let name, !adopting { return [(name, try tieringLimit(of: name))] }
    let jobs = try tieringJobs().filter { name?.isSameName(as: $0.name) ?? !$0.isPaused }
    let tables = jobs.compactMap { job -> (name: String, before: Int64)? in
      do { return (job.name, try limit(of: job)) } catch {
        warn("the tiering policy of \"\(job.name)\" cannot be followed: \(asVarveError(error))")
        return nil
      }
    }
    if adopting {
      let limits = Dictionary(tables.map { (Name($0.name), $0.before) }) { first, _ in first }
      return try (name.map { [$0] } ?? store.snapshot().tables().map(\.name)).map { ($0, limits[Name($0)] ?? .min) }
    }
    if jobs.isEmpty {
      note("no table has a tiering policy that is not paused: older_than says of all tables what is old")
    }
    return tables
  }

  /// A run seals them first.
  private func rowsInMemory(of name: String, before time: Int64) throws -> Int {
    let snapshot = try store.snapshot()
    guard let table = snapshot.table(named: name) else { return 0 }
    let start = RetentionCut.start(of: time, table.partitionNanoseconds)
    guard start > .min else { return 0 }
    return try snapshot.estimate(ScanRequest(table: table.id, time: TimeRange(lower: .min, upper: start - 1))).headRows
  }

  /// What objects there will be nobody knows before.
  private static func row(_ report: ArchiveReport, before: Int64, isDry: Bool) -> [Datum] {
    [
      .text(report.table), before == .min ? .null : .timestamp(before), .int(Int64(report.rows)),
      .int(Int64(report.chunksBefore)), .int(Int64(report.bytesBefore)),
      isDry ? .null : .int(Int64(report.chunksAfter)), isDry ? .null : .int(Int64(report.bytesAfter)),
    ]
  }

  private static func objects(_ count: Int, _ byteCount: Int) -> String {
    "\(count) object\(count == 1 ? "" : "s") of \(byteCount) bytes"
  }

  // MARK: In the archive, and back

  private func listArchive(_ arguments: ProcedureArguments) throws -> [[Datum]] {
    let chunks = try store.archivedChunks(table: arguments.text(0))
    noteForeign(chunks.count { !$0.isOwn })
    return chunks.map { chunk in
      [
        .text(chunk.table), .text(chunk.file), .text(chunk.key), .int(Int64(chunk.rows)),
        .int(Int64(chunk.stubBytes)), .int(Int64(chunk.objectBytes)), .timestamp(chunk.time.lower),
        .timestamp(chunk.time.upper), .bool(chunk.isOwn),
      ]
    }
  }

  private func noteForeign(_ count: Int) {
    guard count > 0 else { return }
    note(
      "\(count) object\(count == 1 ? " is" : "s are") in the folder of another data directory, which deletes what it needs "
        + "no more; archive_run(adopt => true) archives them anew into this one's")
  }

  private func verifyArchive(_ arguments: ProcedureArguments, check: () throws -> Void) throws -> [[Datum]] {
    let report = try store.verifyArchiveBlocking(table: arguments.text(0), check: check)
    let problems: [[Datum]] = report.problems.map { [.text("damaged"), .text($0.path), .null, .text($0.message)] }
    let verdict =
      switch report.problems.count {
      case 0: "all sound"
      case 1: "1 problem"
      case let count: "\(count) problems"
      }
    let summary = "\(report.objects) objects, \(report.bytes) bytes read; \(report.rows) rows; \(verdict)"
    return problems + [[.text("summary"), .null, .int(Int64(report.bytes)), .text(summary)]]
  }

  private func restoreArchived(_ arguments: ProcedureArguments, check: () throws -> Void) throws -> [Datum] {
    try checkWritable("archive_restore")
    guard let name = arguments.text(0) else {
      throw arguments.error("22004", "relation must not be null", at: 0, hint: "Name the table or rollup.")
    }
    let (before, from) = try times(arguments)
    let range = TimeRange(lower: from ?? .min, upper: before.map { $0 == .min ? $0 : $0 - 1 } ?? .max)
    let report = try store.restoreArchivedBlocking(table: name, time: range, check: check)
    try noteTiering(of: name, range)
    return [.text(report.table)]
      + [report.rows, report.chunksBefore, report.bytesBefore, report.chunksAfter, report.bytesAfter].map {
        .int(Int64($0))
      }
  }

  /// Tells whoever takes something out of the archive that it goes there again.
  private func noteTiering(of name: String, _ range: TimeRange) throws {
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    let (table, policy) = try aged(name, .tiering, catalog)
    guard let policy = try policy.map({ try AgePolicy($0) }), !policy.isPaused,
      try policy.limit(at: clock.wallNanoseconds()) > range.lower
    else { return }
    note(
      "the tiering policy of \"\(table.name)\" archives it again: remove_tiering_policy('\(table.name)') or "
        + "pause_job(\(JobNumber.policy(table.id, .tiering).rawValue)) keeps it here")
  }

  private func warn(_ message: String) {
    state.add(.notice(severity: "WARNING", sqlState: "01000", message: message))
  }

  private func note(_ message: String) {
    state.add(.notice(severity: "NOTICE", sqlState: "00000", message: message))
  }
}
